"""The file source: files below the data directory, mapped by ``sources/<name>.yml``, into ``raw_files.<entity>``.

A file is loaded when its content, or the mapping, is new; a file that does not fit its mapping is refused as a whole. How a file is read belongs to
``tabular``, what the mapping may say to ``mapping``, the SQL to ``mapping_sql``.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ingestion import rawlog
from ingestion.landing import Landing
from ingestion.mapping import FileMapping, load
from ingestion.mapping_sql import mapped, stage_events
from ingestion.tabular import Dialect, RefusedError, Relation, read
from salesgauge.process import Process
from salesgauge.progress import Reporter
from salesgauge.settings import Company

_MEANING = 1  # raise it when the same mapping comes to mean something else: every file is then read again


@dataclass(frozen=True)
class _File:
    """A file that an entry of the mapping names, ``path`` in the file system and ``name`` below the data directory."""

    entry: FileMapping
    path: Path
    name: str


def extract_files(
    company: Company, process: Process, landing: Landing, *, name: str, received_at: datetime, reporter: Reporter
) -> tuple[int, str | None]:
    """Land the new and changed files of source ``name``. Returns how many files were read, and what is wrong with files that were refused.

    ConfigurationError for a mistake in the mapping.
    """
    path = company.sources_dir / f"{name}.yml"
    source = load(path, process)
    meaning = _digest(f"{_MEANING}\n{path.read_text(encoding='utf-8-sig')}\n{_process_part(process)}".encode())
    known = _known(company, name, meaning)
    entries, problems = _find(company, source.files)
    states: dict[str, dict[str, Any]] = {}
    done = 0
    for number, file in enumerate(entries):
        reporter.advance(name, number, len(entries), "files")
        before = known.get((file.entry.entity, file.name))
        try:
            state = _state(file.path, before)
        except OSError as error:
            problems.append(f"{file.name}: can't be read: {error.strerror or error}")
            continue
        if before is None or before["sha256"] != state["sha256"]:
            done += 1
            state["refused"] = _land(process, landing, file, name)
        if state["refused"]:
            problems.append(f"{file.name}: refused: {state['refused']}")
        merged = states.setdefault(file.entry.entity, {}).get(file.name)
        states[file.entry.entity][file.name] = _both(merged, state)
    for (entity, file_name), state in known.items():  # of files that are gone too: one that comes back is not new
        states.setdefault(entity, {}).setdefault(file_name, state)
    for entity, files in states.items():
        landing.cursor(entity, {"mapping": meaning, "files": files})
    return done, "; ".join(problems) or None


def _find(company: Company, entries: list[FileMapping]) -> tuple[list[_File], list[str]]:
    files, problems = [], []
    for entry in entries:
        paths = sorted(path for path in company.data_dir.glob(entry.path) if path.is_file())
        if not paths and not entry.optional:
            problems.append(
                f"no file matches '{entry.path}' in the data directory (set `optional: true` if that is no mistake)"
            )
        files += [_File(entry, path, path.relative_to(company.data_dir).as_posix()) for path in paths]
    return files, problems


def _known(company: Company, name: str, meaning: str) -> dict[tuple[str, str], dict[str, Any]]:
    """What the newest committed load knows of each (entity, file); nothing where the mapping has changed since."""
    return {
        (entity, file): state
        for entity, cursor in rawlog.cursors(company, name).items()
        if cursor.get("mapping") == meaning
        for file, state in cursor["files"].items()
    }


def _state(path: Path, before: dict[str, Any] | None) -> dict[str, Any]:
    """Size, time and hash of a file. A file with the size and time of before is not read; one with the same content keeps its state."""
    stat = path.stat()
    if before and (before["size"], before["mtime_ns"]) == (stat.st_size, stat.st_mtime_ns):
        return before
    digest = _file_digest(path)
    if before and before["sha256"] == digest:
        return before
    return {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "sha256": digest, "refused": None}


def _both(first: dict[str, Any] | None, second: dict[str, Any]) -> dict[str, Any]:
    """The state of a file that two entries map to one entity."""
    return second if first is None or not first["refused"] else {**second, "refused": first["refused"]}


def _land(process: Process, landing: Landing, file: _File, source: str) -> str | None:
    """Land one file; returns why it was refused, or None."""
    entry = file.entry
    with tempfile.TemporaryDirectory(dir=landing.folder) as folder:
        try:
            relation = read(landing.con, file.path, _dialect(entry), Path(folder), entry.sources)
            _check_columns(entry, relation)
        except RefusedError as error:
            landing.refuse(entry.entity, file.name, str(error))
            return str(error)
        rows = mapped(entry, relation.sql, relation.columns, source=source, file=file.name)
        landing.relation(rows.table, rows.sql, received=relation.received, also=rows.also)
        if entry.stages and entry.stages.entered:
            good = landing.good_rows(rows.table, rows.sql, rows.also)
            table, sql = stage_events(entry, good, process, source=source)
            landing.relation(table, sql)
    return None


def _check_columns(entry: FileMapping, relation: Relation) -> None:
    missing = [name for name in entry.sources if name not in relation.columns]
    if not missing:
        return
    names = ", ".join(f"'{name}'" for name in missing)
    hint = " Is its first line a header, and is `delimiter` right?" if len(missing) == len(entry.sources) else ""
    raise RefusedError(
        f"it lacks the column{'s' * (len(missing) > 1)} {names}; it has: {', '.join(relation.columns)[:300]}.{hint}"
    )


def _dialect(entry: FileMapping) -> Dialect:
    sheet = entry.sheet if isinstance(entry.sheet, str) else entry.sheet - 1
    return Dialect(
        entry.kind, entry.encoding, entry.field_delimiter, entry.quote, sheet, entry.skip, entry.numbers.decimal
    )


def _process_part(process: Process) -> str:
    """What of the process decides how files are mapped: its stages, in order, with their kinds."""
    return json.dumps([(stage.key, stage.kind) for stage in process.process.stages])


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
