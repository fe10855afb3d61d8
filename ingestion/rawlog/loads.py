"""Which loads of the raw log count, their files, where sources stopped, and what killed runs left behind. The views over them belong to ``views``.

Layout: ``<raw>/<source>/<table>/<load_id>.<file_id>.parquet``; a load counts when ``<raw>/<source>/_dlt_loads`` holds its mark, which is
written last. Files without a mark are leftovers of a run that was killed: nothing reads them. How a load is written belongs to ``commit``.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from ingestion.rawlog.parquet import columns_of, is_whole
from salesgauge.settings import API_SOURCES, Company
from salesgauge.warehouse import connect

# The table name under which the accounting notes that the first load of a source was only kept in part so far.
UNFINISHED = "_unfinished"


def committed(company: Company, source: str) -> list[str]:
    """The ids of the loads of ``source`` that count, oldest first. An unfinished mark (a run was killed while writing it) is none."""
    marks = company.raw_dir / source / "_dlt_loads"
    return sorted(path.stem.rpartition("__")[2] for path in marks.glob("*.jsonl") if _is_complete(path))


def has_loads(company: Company, source: str) -> bool:
    """Whether a load of ``source`` was ever finished: the parts of a first load that was interrupted are none yet."""
    return bool(shown(company, source))


def shown(company: Company, source: str) -> list[str]:
    """The ids of the loads that the views show, oldest first: all committed ones, none while the first load is kept in parts only."""
    loads = committed(company, source)
    return [] if UNFINISHED in cursors_of(company, source, loads, f"table_name = '{UNFINISHED}'") else loads


def next_load_id(company: Company, source: str, received_at: datetime) -> str:
    """An id that sorts after every load of ``source`` that left a file, whatever the clock says: seconds since 1970 with six places."""
    micros = round((received_at.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1_000_000)
    newest = max((_micros(load_id) for load_id in _all_load_ids(company, source)), default=0)
    micros = max(micros, newest + 1)
    return f"{micros // 1_000_000:010d}.{micros % 1_000_000:06d}"


def last_loaded_at(company: Company, source: str) -> datetime | None:
    """When (UTC, naive) the newest load of ``source`` that counts was received; None where there is none."""
    loads = committed(company, source)
    return datetime(1970, 1, 1) + timedelta(microseconds=_micros(loads[-1])) if loads else None


def last_cursor(company: Company, source: str, table: str) -> Any | None:
    """The cursor that the newest committed load knows for ``table``; None if there is none."""
    return cursors(company, source).get(table)


def cursors(company: Company, source: str) -> dict[str, Any]:
    """All cursors of ``source`` by table, as of its newest committed load (each load carries them on)."""
    return cursors_of(company, source, committed(company, source))


def cursors_of(company: Company, source: str, loads: list[str], where: str = "true") -> dict[str, Any]:
    """The cursors that the newest of ``loads`` knows, of tables for which the SQL condition ``where`` holds."""
    if not loads:
        return {}
    files = files_of(company, source, "_accounting", loads[-1:])
    if not files:
        return {}
    states = tuple((file, file.stat().st_mtime_ns, file.stat().st_size) for file in files)
    return {table: json.loads(cursor) for table, cursor in _cursor_texts(states, where)}


# A load asks several times for the same cursors, and a connection alone takes 10 ms.
@lru_cache(maxsize=64)
def _cursor_texts(files: tuple[tuple[Path, int, int], ...], where: str) -> list[tuple[str, str]]:
    """The cursors as text in ``files`` (path, and when and how large it was written), by table."""
    with connect(":memory:") as con:
        relation = columns_of([file for file, *_ in files])
        return con.execute(f"select table_name, cursor from {relation} where cursor is not null and {where}").fetchall()


def fingerprint(company: Company) -> str:
    """A hash that changes if and only if the loads that the views show change."""
    known = [f"{source}/{load_id}" for source in sources(company) for load_id in shown(company, source)]
    return hashlib.sha256("\n".join(known).encode()).hexdigest()


def sources(company: Company) -> list[str]:
    """The sources that the views show: those with a connector that are configured or once were, and what ``sources/*.yml`` describes today."""
    configured = company.configured_sources()
    connectors = [name for name in API_SOURCES if name in configured or committed(company, name)]
    return [*connectors, *(name for name in configured if name not in API_SOURCES)]


def table_files(company: Company, source: str, table: str) -> list[Path]:
    """The committed files of a raw table, oldest load first."""
    return files_of(company, source, table, committed(company, source))


def sweep(company: Company) -> int:
    """Remove files of loads that were never committed; returns how many. Call it only while no run is active.

    Only files older than the newest committed load of their source go: an id after it could belong to a load that is being written.
    """
    removed = 0
    for folder in (path for path in company.raw_dir.glob("*") if path.is_dir()):
        loads = committed(company, folder.name)
        for file in folder.glob("*/*.parquet"):
            load_id = _load_id_of(file)
            if loads and load_id < loads[-1] and load_id not in loads:
                file.unlink(missing_ok=True)
                removed += 1
    return removed


def unfinished_files(company: Company) -> list[Path]:
    """Files that a killed load left half-written: it was never committed, and nobody can read them."""
    found = []
    for folder in company.raw_dir.glob("*"):
        loads = set(committed(company, folder.name))
        found += [file for file in folder.glob("*/*.parquet") if _load_id_of(file) not in loads and not is_whole(file)]
    return found


def files_of(company: Company, source: str, table: str, loads: list[str]) -> list[Path]:
    """The files of a table that are of ``loads``, oldest load first."""
    if not loads:
        return []
    wanted = set(loads)
    files = (company.raw_dir / source / table).glob("*.parquet")
    return sorted(file for file in files if _load_id_of(file) in wanted)


def _all_load_ids(company: Company, source: str) -> set[str]:
    folder = company.raw_dir / source
    ids = {_load_id_of(file) for file in folder.glob("*/*.parquet")}
    return ids | {path.stem.rpartition("__")[2] for path in folder.glob("_dlt_loads/*.jsonl")}


def _load_id_of(file: Path) -> str:
    """``1700000000.000001`` of ``1700000000.000001.ab12cd.parquet``."""
    return ".".join(file.name.split(".")[:2])


def _micros(load_id: str) -> int:
    seconds, _, fraction = load_id.partition(".")
    return int(seconds) * 1_000_000 + int(fraction or 0)


def _is_complete(mark: Path) -> bool:
    try:
        return "load_id" in json.loads(mark.read_text(encoding="utf-8"))
    except (ValueError, OSError):
        return False
