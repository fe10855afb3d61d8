"""The file source: files below the data directory, mapped by ``sources/<name>.yml``, into ``raw_files.<entity>``.

A file is loaded when its content, or the mapping, is new; a file that does not fit its mapping is refused as a whole. How a file is read belongs to
``tabular``, what the mapping may say to ``mapping``, the SQL to ``mapping_sql``, what is known of files to ``file_state``.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ingestion import rawlog
from ingestion.file_state import FileStates, state_of
from ingestion.landing import Landing
from ingestion.mapping import FileMapping, load
from ingestion.mapping_sql import mapped, stage_events
from ingestion.tabular import Dialect, RefusedError, Relation, read, read_plain
from salesgauge.process import Process
from salesgauge.progress import Reporter
from salesgauge.settings import Company

_MEANING = 2  # raise it when the same mapping comes to mean something else: every file is then read again


@dataclass(frozen=True)
class SourceFile:
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
    meaning = meaning_of(path, process)
    states = FileStates(rawlog.cursors(company, name), meaning)
    files, problems = _find(company, source.files)
    done = 0
    for number, file in enumerate(files):
        reporter.advance(name, number, len(files), "files")
        known = states.known(file.entry.entity, file.name)
        try:
            state = state_of(file.path, known)
        except OSError as error:
            problems.append(f"{file.name}: can't be read: {error.strerror or error}")
            continue
        if state is not known:
            done += 1
            refused = land(process, landing, file, name)
            for fed in file.entry.feeds:
                state = states.read(fed, file.name, state, landing.load_id, refused)
        else:
            for fed in file.entry.feeds:
                states.keep(fed, file.name, states.known(fed, file.name) or known)
        if state["refused"]:
            problems.append(f"{file.name}: refused: {state['refused']}")
    entities = {fed for entry in source.files for fed in entry.feeds}
    for entity, cursor in states.cursors(entities, lambda file: (company.data_dir / file).is_file()).items():
        landing.cursor(entity, cursor)
    return done, "; ".join(problems) or None


def _find(company: Company, entries: list[FileMapping]) -> tuple[list[SourceFile], list[str]]:
    files, problems = [], []
    for entry in entries:
        paths = sorted(path for path in company.data_dir.glob(entry.path) if path.is_file())
        if not paths and not entry.optional:
            problems.append(
                f"no file matches '{entry.path}' in the data directory (set `optional: true` if that is no mistake)"
            )
        files += [SourceFile(entry, path, path.relative_to(company.data_dir).as_posix()) for path in paths]
    return files, problems


def land(process: Process, landing: Landing, file: SourceFile, source: str) -> str | None:
    """Land one file; returns why it was refused, or None."""
    entry = file.entry
    dialect = _dialect(entry)
    with tempfile.TemporaryDirectory(dir=landing.folder) as folder:
        try:
            is_landed = not entry.needs_lines and _land_plain(landing, file, dialect, source)
            if is_landed and not (entry.stages and entry.stages.entered):
                return None
            relation = read(landing.con, file.path, dialect, Path(folder), entry.sources)
            _check_columns(entry, relation)
        except RefusedError as error:
            landing.refuse(entry.entity, file.name, str(error))
            return str(error)
        rows = mapped(entry, relation.sql, relation.columns, source=source, file=file.name)
        if not is_landed:
            landing.relation(rows.table, rows.sql, received=relation.received, also=rows.also, kept=rows.kept)
        if entry.stages and entry.stages.entered:
            good = landing.good_rows(rows.table, rows.sql, rows.also)
            table, sql = stage_events(entry, good, process, source=source)
            landing.relation(table, sql)
    return None


def _land_plain(landing: Landing, file: SourceFile, dialect: Dialect, source: str) -> bool:
    """Land the rows of a file that is well-formed, and all of them good, in one pass; False, and nothing landed, where it is not."""
    relation = read_plain(file.path, dialect, file.entry.sources)
    if relation is None:
        return False
    _check_columns(file.entry, relation)
    rows = mapped(
        file.entry, relation.sql, relation.columns, source=source, file=file.name, first_line=relation.first_line
    )
    return landing.relation_if_clean(rows.table, rows.sql, received=relation.received, also=rows.also, kept=rows.kept)


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


def meaning_of(path: Path, process: Process) -> str:
    """A hash of what decides how files are mapped: the mapping, and the stages of the process with their order and kinds."""
    stages = [(stage.key, stage.kind) for stage in process.process.stages]
    text = json.dumps([_MEANING, path.read_text(encoding="utf-8-sig"), stages])
    return hashlib.sha256(text.encode()).hexdigest()
