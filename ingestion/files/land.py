"""One file, or table, into the landing: right from the file where all of it is well, else row by row. Which files are read belongs to ``run``."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from ingestion.files.keys import Shared, without_doubled
from ingestion.files.mapping.model import FileMapping
from ingestion.files.mapping.sql import Mapped, mapped, stage_events
from ingestion.files.notes import FileNotes
from ingestion.files.readers.archives import unpacked
from ingestion.files.readers.relation import Dialect, RefusedError, Relation
from ingestion.files.readers.tabular import read, read_plain, rows_of
from ingestion.files.reading import check_columns, days_in_utc, dialect_of, filtered
from ingestion.files.snapshots import of_its_moment, taken_at
from ingestion.landing.load import Landing
from ingestion.sql.text import json_path, quote
from salesgauge.process import Process

_TRANSITION = "lifecycle:transition"


@dataclass(frozen=True)
class SourceFile:
    """A file that an entry of the mapping names: ``path`` in the file system, and its ``name`` below the data directory or the location."""

    entry: FileMapping
    path: Path
    name: str


@dataclass(frozen=True)
class Landed:
    """What came of a file: why it was ``refused`` (None: it was not), and how many rows it has, where that can be told."""

    refused: str | None
    rows: int | None


def land(process: Process, landing: Landing, file: SourceFile, source: str, notes: FileNotes) -> Landed:
    """Land one file. What people should know of it goes to ``notes``. OSError where it can't be got at."""
    dialect = dialect_of(file.entry, file.name)
    rows = None
    with tempfile.TemporaryDirectory(dir=landing.folder) as folder:
        try:
            at = taken_at(file.entry, file.name, process.company.timezone)
            entry = of_its_moment(file.entry, at)
            path = unpacked(file.path, Path(folder), kind=entry.kind, member=entry.member)
            file = replace(file, entry=entry, path=path)
            rows = _land_clean(process, landing, file, dialect, source, Path(folder), notes)
            if rows is not None and not entry.has_stage_events:
                return Landed(None, rows)
            is_landed = rows is not None
            relation = read(landing.con, file.path, dialect, Path(folder), entry.sources)
            rows = relation.received()
            check_columns(entry, relation)
            utc_days = days_in_utc(landing.con, entry, relation)
            notes.days(file.name, utc_days)
            relation, left_aside = filtered(landing.con, entry, relation)
            notes.filtered(entry.entity, file.name, left_aside)
            if entry.kind == "xes" and (steps := _transitions(landing, entry, relation)):
                notes.transitions(file.name, steps)
            found = mapped(
                entry,
                relation.sql,
                relation.columns,
                source=source,
                file=file.name,
                numeric=relation.numeric,
                company_zone=process.company.timezone,
                utc_days=utc_days,
            )
            if not is_landed:
                found = _landed(landing, file, relation, found, notes, left_aside)
            if relation.encoding:
                notes.encoding(file.name, relation.encoding, relation.line)
        except RefusedError as error:
            return _refused(landing, file, dialect, str(error), rows)
        except (duckdb.InvalidInputException, duckdb.InternalException, duckdb.FatalException) as error:
            landing.renew()
            return _refused(landing, file, dialect, f"it is damaged: {str(error).splitlines()[0][:200]}", rows)
        except duckdb.IOException as error:
            # it was moved away, or a disk is out of order: no fault of what is in it
            raise OSError(str(error).splitlines()[0][:200]) from error
        if entry.has_stage_events:
            good = landing.good_rows(found.table, found.sql, found.also)
            table, sql = stage_events(entry, good, process, source=source, snapshot_at=at)
            landing.relation(table, sql)
    return Landed(None, rows)


def _transitions(landing: Landing, entry: FileMapping, relation: Relation) -> dict[str, int]:
    """Of an event log that tells of a step more than once, and of whose kinds of events the mapping says nothing: how many there are of each."""
    if entry.entity != "stage_events" or _TRANSITION not in relation.columns or _TRANSITION in entry.sources:
        return {}
    kind = f"json_extract_string(_record, {quote(json_path(_TRANSITION))})"
    steps = f"select {kind} as kind, count(*) as events from ({relation.sql}) where {kind} is not null group by all order by events desc, kind"
    found = dict(landing.con.execute(steps).fetchall())
    return found if len(found) > 1 else {}


def _refused(landing: Landing, file: SourceFile, dialect: Dialect, why: str, rows: int | None) -> Landed:
    landing.refuse(file.entry.entity, file.name, why)
    return Landed(why, rows if rows is not None else rows_of(file.path, dialect))


def _landed(
    landing: Landing, file: SourceFile, relation: Relation, rows: Mapped, notes: FileNotes, filtered: int
) -> Mapped:
    """Land the rows of a file, but for those that stand in it twice; the rows that were landed. RefusedError where its key is none."""
    found = Shared(rows.sql)
    if file.entry.is_keyed:
        good = landing.good_rows(rows.table, rows.sql, rows.also)
        found = without_doubled(landing.con, file.entry, rows, good)
        notes.shared(file.entry.entity, file.name, found)
    landing.relation(
        rows.table,
        found.sql,
        received=relation.received() - found.duplicates,
        duplicates=found.duplicates,
        superseded=found.superseded,
        filtered=filtered,
        also=rows.also,
        as_received=rows.as_received,
    )
    return replace(rows, sql=found.sql)


def _land_clean(
    process: Process, landing: Landing, file: SourceFile, dialect: Dialect, source: str, folder: Path, notes: FileNotes
) -> int | None:
    """Land the rows of a file that is well-formed, and all of them good, in one pass; how many. None, and nothing landed, where it is not."""
    original = None
    if file.entry.where is not None:
        return None
    if dialect.format == "parquet":
        original = landing.original(file.path)
        relation: Relation | None = read(landing.con, original or file.path, dialect, folder)
    else:
        relation = None if file.entry.needs_lines else read_plain(file.path, dialect, file.entry.sources)
    if relation is None:
        return None
    check_columns(file.entry, relation)
    utc_days = days_in_utc(landing.con, file.entry, relation)
    rows = mapped(
        file.entry,
        relation.sql,
        relation.columns,
        source=source,
        file=file.name,
        first_line=relation.first_line,
        company_zone=process.company.timezone,
        utc_days=utc_days,
    )
    is_landed = landing.relation_if_clean(
        rows.table,
        rows.sql,
        received=relation.received(),
        also=rows.also,
        as_received=rows.as_received,
        original=original,
        is_keyed=file.entry.is_keyed,
    )
    if original and not is_landed:
        original.unlink()
    if is_landed:
        notes.days(file.name, utc_days)
    return relation.received() if is_landed else None
