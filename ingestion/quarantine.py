"""Records that could not be loaded: which wait, why, and loading them again once the cause is gone. Why a record goes there is ``landing``'s matter.

A record waits until a later load holds it, or its key, or until its file, or its day, is read again. Nothing is ever removed from the quarantine but by erasure.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from ingestion import rawlog
from ingestion.landing import Landing
from ingestion.lines import identifier, quote, read_lines
from ingestion.raw_tables import RawTable
from ingestion.spool import spool_folder
from ingestion.suppression import is_whole
from salesgauge.errors import ConfigurationError
from salesgauge.settings import API_SOURCES, Company
from salesgauge.warehouse import connect

_ID = "left(md5(concat_ws('|', source, table_name, load_id, file, cast(line as varchar), record_key, record)), 10)"


@dataclass(frozen=True)
class Waiting:
    """A record in quarantine. ``file`` and ``line`` say where it came from, where it came from a file; ``record`` is as it was received."""

    id: str
    source: str
    table: str
    load_id: str
    loaded_at: datetime
    file: str | None
    line: int | None
    key: str | None
    reason: str
    record: str | None


@dataclass(frozen=True)
class Replay:
    """What came of loading records again: ``loaded`` fit now, ``waiting`` still do not.

    ``by_file``: those of files, which a run reads once the file or its mapping has changed; ``by_day``: those whose day the next run reads again.
    """

    loaded: int
    waiting: int
    by_file: int
    by_day: int


def waiting(company: Company, *, source: str | None = None, table: str | None = None) -> list[Waiting]:
    """The records that wait, the newest first; of all that were received twice only the last."""
    with connect(":memory:") as con:
        rawlog.create_views(con, company)
        found = _waiting(con, company)
    return [one for one in found if (source is None or one.source == source) and (table is None or one.table == table)]


def find(company: Company, wanted: str) -> Waiting:
    """The waiting record whose id begins with ``wanted``; ConfigurationError where there is none, or more than one."""
    found = [one for one in waiting(company) if one.id.startswith(wanted)]
    if len(found) != 1:
        raise ConfigurationError(
            f"{len(found) or 'no'} waiting record{'s have an id that begins' if found else ' has an id that begins'} with '{wanted}'. "
            "List them with: salesgauge quarantine list"
        )
    return found[0]


def replay(company: Company, records: Sequence[Waiting], *, received_at: datetime) -> Replay:
    """Land ``records`` again, one load per source; those that still do not fit stay where they are. Call it while no run is active.

    A record of which a newer version waits too is left to wait with it: it would become the newest. Records of files are not landed here: a file is read again as a whole by the next run when it or its mapping has changed. Nor are those of a source
    whose loads hold whole days (``RawTable.day``): a load with one record of a day would be that day.
    """
    chosen = len(records)
    records = _without_outdated(records, waiting(company))
    by_file = sum(one.source not in API_SOURCES for one in records)
    loaded = by_day = 0
    for source in API_SOURCES:
        mine = [one for one in records if one.source == source]
        if not mine:
            continue
        if any(table.day for table in rawlog.api_tables(source)):
            with Landing(company, source, received_at=received_at) as landing:
                importlib.import_module(f"ingestion.{source}").read_again(company, landing, mine)
                landing.commit()
            by_day += len(mine)
        else:
            loaded += _replay(company, source, mine, received_at)
    return Replay(loaded, chosen - by_file - by_day - loaded, by_file, by_day)


def _without_outdated(records: Sequence[Waiting], all_waiting: Sequence[Waiting]) -> list[Waiting]:
    """``records``, oldest first, but those of which a newer version waits and is not among them."""
    mine = {one.id for one in records}
    newest: dict[tuple[str, str, str], tuple[str, int]] = {}
    for one in all_waiting:
        if one.key and is_whole(one.key) and one.id not in mine:
            place = (one.source, one.table, one.key)
            newest[place] = max(newest.get(place, ("", 0)), _age(one))
    kept = [one for one in records if not one.key or _age(one) > newest.get((one.source, one.table, one.key), ("", 0))]
    return sorted(kept, key=_age)


def _age(one: Waiting) -> tuple[str, int]:
    return one.load_id, one.line or 0


def _replay(company: Company, source: str, records: Sequence[Waiting], received_at: datetime) -> int:
    tables = {table.name: table for table in rawlog.api_tables(source)}
    with (
        Landing(company, source, received_at=received_at) as landing,
        spool_folder(company.work_dir, source) as folder,
    ):
        for name in dict.fromkeys(one.table for one in records):
            if name in tables:
                lines = [one.record for one in records if one.table == name and one.record and "\n" not in one.record]
                good = _fitting(landing, tables[name], lines, folder)
                if good is not None:
                    landing.records(tables[name], [good])
        if rawlog.committed(company, source) and not rawlog.has_loads(company, source):
            landing.keep()  # the first load has parts only: these records are one more
        else:
            landing.commit()
        return sum(count.loaded for count in landing.total.values())


def _fitting(landing: Landing, table: RawTable, lines: Iterable[str], folder: Path) -> Path | None:
    """A file with those of ``lines`` that would be loaded; None where there is none."""
    kept = list(lines)
    if not kept:
        return None
    candidates = folder / f"{table.name}.candidates.jsonl"
    candidates.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
    paths = ", ".join(quote(column.path) for column in table.columns)
    values = ", ".join(f"v[{place}] as {identifier(column.name)}" for place, column in enumerate(table.columns, 1))
    longest = max(len(line.encode()) for line in kept)
    rows = f"(select line, row_number() over () as number from {read_lines([candidates], longest)})"
    sql = (
        f"select {values}, line as record, number as _line, case when v is null then 'no JSON' end as _reason "
        f"from (select line, number, try(json_extract_string(line, [{paths}])) as v from {rows})"
    )
    numbers = {row[0] for row in landing.con.execute(f"select _line from ({landing.good_rows(table, sql)})").fetchall()}
    if not numbers:
        return None
    good = folder / f"{table.name}.good.jsonl"
    good.write_text("".join(f"{line}\n" for place, line in enumerate(kept, 1) if place in numbers), encoding="utf-8")
    return good


def _waiting(con: duckdb.DuckDBPyConnection, company: Company) -> list[Waiting]:
    """Newest quarantine row of each record, without those that were healed."""
    rows = con.execute(
        f"select {_ID} as id, source, table_name, load_id, loaded_at, file, line, record_key, reason, record "
        "from raw_log.quarantine "
        "qualify row_number() over (partition by source, table_name, file, line, record_key, md5(record) order by load_id desc) = 1 "
        "order by load_id desc, source, table_name, line, id"
    ).fetchall()
    found = [Waiting(*row) for row in rows]
    healed = _healed(con, company, found)
    live = _live_files(company, {one.source for one in found} - set(API_SOURCES))
    return [
        one
        for one in found
        if (
            one.id not in healed
            if one.source in API_SOURCES
            else one.load_id in live.get((one.source, one.table, one.file or ""), ())
        )
    ]


def _healed(con: duckdb.DuckDBPyConnection, company: Company, found: Sequence[Waiting]) -> set[str]:
    """Ids of API records whose key, whose day, or whose very text, was loaded after they were quarantined."""
    healed: set[str] = set()
    for source, name in {(one.source, one.table) for one in found if one.source in API_SOURCES}:
        table = next((table for table in rawlog.api_tables(source) if table.name == name), None)
        if table is None:
            continue
        mine = [
            (one.id, one.key, one.record, one.load_id, one.file)
            for one in found
            if (one.source, one.table) == (source, name)
        ]
        con.execute(
            "create or replace temp table mine (id varchar, key varchar, record varchar, load_id varchar, file varchar)"
        )
        con.executemany("insert into mine values (?, ?, ?, ?, ?)", mine)
        if table.day is not None:
            healed |= _healed_with_their_day(con, company, table)
            continue
        key = " || '|' || ".join(f"cast({identifier(column)} as varchar)" for column in table.key)
        rows = con.execute(
            f"select distinct mine.id from mine join ({rawlog.relation(company, table)}) as loaded "
            f"on loaded._load_id >= mine.load_id and (({key}) = mine.key and loaded._load_id > mine.load_id "
            "or md5(cast(loaded.record as varchar)) = md5(mine.record))"
        ).fetchall()
        healed |= {row[0] for row in rows}
    return healed


def _healed_with_their_day(con: duckdb.DuckDBPyConnection, company: Company, table: RawTable) -> set[str]:
    """Ids of the records in ``mine`` whose day is in a later load; the day is that of the record, else that in the name of its file."""
    column = next(one for one in table.columns if one.name == table.day)
    text = f"try(json_extract_string(mine.record, {quote(column.path)}))"
    day = f"try({column.convert.format(value=text)})" if column.convert else f"try_cast({text} as date)"
    of_file = "cast(try_strptime(regexp_extract(mine.file, '[0-9]{8}'), '%Y%m%d') as date)"
    loads = f"select distinct {identifier(column.name)} as day, _load_id from ({rawlog.relation(company, table)})"
    rows = con.execute(
        f"select distinct mine.id from mine join ({loads}) as loads on loads.day = coalesce({of_file}, {day}) and loads._load_id > mine.load_id"
    ).fetchall()
    return {row[0] for row in rows}


def _live_files(company: Company, sources: Iterable[str]) -> dict[tuple[str, str, str], set[str]]:
    """Of every file (source, entity, name) the loads whose rows in quarantine wait: the load whose rows count, and a later one that was refused.

    A file that no mapping names any more waits for nothing.
    """
    live: dict[tuple[str, str, str], set[str]] = {}
    for source in sources:
        with connect(":memory:") as con:
            rows = con.execute(
                f"select table_name, file, max(_load_id) from ({rawlog.quarantined(company, source)}) group by all"
            ).fetchall()
        cursors = rawlog.cursors(company, source)
        for table, file, newest in rows:
            state = cursors.get(table, {}).get("files", {}).get(file or "")
            if state is not None:
                counts = state.get("load_id")
                live[source, table, file or ""] = {load for load in (counts, newest) if load and load >= (counts or "")}
    return live
