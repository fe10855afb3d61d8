"""The file source: files below the data directory or in a bucket, mapped by ``sources/<name>.yml``, into ``raw_files.<entity>``.

A file is loaded when its content, or the mapping, is new; a file that does not fit its mapping is refused as a whole. How a file is read belongs to
``readers``, where it is to ``places``, what the mapping may say and the SQL to ``mapping``, what is known of files to ``state``.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import tempfile
from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import duckdb

from ingestion import rawlog
from ingestion.connector.about import Finding
from ingestion.connector.buckets import Bucket
from ingestion.connector.places import Folder, Place, Stored
from ingestion.files.keys import Shared, without_doubled
from ingestion.files.mapping.loading import load
from ingestion.files.mapping.model import FileMapping
from ingestion.files.mapping.moments import midnights
from ingestion.files.mapping.sql import Mapped, mapped, stage_events
from ingestion.files.mapping.where import left_out
from ingestion.files.notes import FileNotes
from ingestion.files.readers.archives import unpacked
from ingestion.files.readers.relation import Dialect, RefusedError, Relation
from ingestion.files.readers.tabular import read, read_plain, rows_of
from ingestion.files.snapshots import of_its_moment, taken_at
from ingestion.files.state import FileStates, State, is_known, state_of_read
from ingestion.landing.load import Landing
from ingestion.sql.lines import json_path, quote
from salesgauge.errors import SalesgaugeError
from salesgauge.process import Process
from salesgauge.progress import Reporter
from salesgauge.settings import Company, SourceSettings

_TRANSITION = "lifecycle:transition"
_DELIMITERS = {";": '";"', "\t": "tab", "|": '"|"', ",": '","'}
_MEANING = 5  # raise it when the same mapping comes to mean something else: every file is then read again


@dataclass(frozen=True)
class SourceFile:
    """A file that an entry of the mapping names: ``path`` in the file system, and its ``name`` below the data directory or the location."""

    entry: FileMapping
    path: Path
    name: str


def extract_files(
    company: Company, process: Process, landing: Landing, *, name: str, received_at: datetime, reporter: Reporter
) -> tuple[int, str | None]:
    """Land the new and changed files of source ``name``. Returns how many files were read, and what is wrong with files that were refused.

    ConfigurationError for a mistake in the mapping, or a bucket that is not there or not ours; SourceError for one that does not answer.
    """
    path = company.sources_dir / f"{name}.yml"
    source = load(path, process)
    states = FileStates(rawlog.cursors(company, name), meaning_of(path, process))
    place = place_of(company.source(name), source.location)
    try:
        files, problems = _find(place, source.files)
        run = _Run(process, landing, name, place, states, problems)
        for number, (file, entries) in enumerate(files.items()):
            reporter.advance(name, number, len(files), "files")
            run.load(file, entries)
        entities = {fed for entry in source.files for fed in entry.feeds}
        for entity, cursor in states.cursors(entities, place.exists).items():
            landing.cursor(entity, cursor)
        for text in run.notes.texts():
            landing.note(text)
    finally:
        place.close()
    return run.done, "; ".join(problems) or None


def place_of(settings: SourceSettings, location: str | None) -> Place:
    """Where the files of a source are: the bucket ``location``, else the data directory."""
    return Bucket(location, settings) if location else Folder(settings.data_dir)


def check(company: Company, process: Process, name: str) -> list[Finding]:
    """Whether the files of source ``name`` are there and may be read: per entry the number of its files, and a look into the newest."""
    path = company.sources_dir / f"{name}.yml"
    try:
        source = load(path, process)
        place = place_of(company.source(name), source.location)
    except SalesgaugeError as error:
        return [Finding(f"sources/{path.name}", is_ok=False, advice=str(error))]
    found = [Finding(f"sources/{path.name}", is_ok=True)]
    if not source.location and not company.data_dir.is_dir():
        advice = f"There is no folder {company.data_dir}. Make it and put the files there, or set SALESGAUGE_DATA to where they are."
        return [*found, Finding("the data directory", is_ok=False, advice=advice)]
    try:
        for entry in source.files:
            found.append(_checked_entry(place, entry))
    except SalesgaugeError as error:  # it is said of the place as a whole
        found.append(Finding(f"read files in {place.words}", is_ok=False, advice=str(error)))
    finally:
        place.close()
    return found


def _checked_entry(place: Place, entry: FileMapping) -> Finding:
    files = list({file.name: file for path in entry.path for file in place.find(path)}.values())
    what = f"{', '.join(entry.path)} in {place.words}: {len(files):,} file{'s' * (len(files) != 1)} for {entry.entity}"
    if not files:
        advice = (
            "" if entry.optional else "No file matches. Correct `path`, or set `optional: true` if that is no mistake."
        )
        return Finding(what, is_ok=entry.optional, advice=advice)
    newest = max(files, key=lambda file: file.mtime_ns)
    try:
        place.try_reading(newest)
    except OSError as error:
        return Finding(what, is_ok=False, advice=f"{newest.name} can't be read: {error.strerror or error}. Allow it to be read.")  # fmt: skip
    return Finding(what, is_ok=True)


def _find(place: Place, entries: list[FileMapping]) -> tuple[dict[Stored, list[FileMapping]], list[str]]:
    """Each file once, with the entries that name it."""
    files: dict[Stored, list[FileMapping]] = {}
    problems = []
    for entry in entries:
        for path in entry.path:
            found = place.find(path)
            if not found and not entry.optional:
                problems.append(
                    f"no file matches '{path}' in {place.words} (set `optional: true` if that is no mistake)"
                )
            for file in found:
                entries_of = files.setdefault(file, [])
                if entry not in entries_of:  # two patterns may match it
                    entries_of.append(entry)
    return files, problems


@dataclass
class _Run:
    """The files of one run. ``done`` counts those that were read, ``notes`` collects what is said at its end."""

    process: Process
    landing: Landing
    name: str
    place: Place
    states: FileStates
    problems: list[str]
    done: int = 0
    notes: FileNotes = field(default_factory=FileNotes)

    def load(self, file: Stored, entries: list[FileMapping]) -> None:
        """Land ``file`` for the entries to which it is new; a problem where it can't be read."""
        known = {id(entry): self.states.known(entry.entity, file.name) for entry in entries}
        unread = []
        for entry in entries:
            before = known[id(entry)]
            if before and is_known(file, before):
                self._keep(entry, file.name, before)
            else:
                unread.append(entry)
        if not unread:
            return
        try:
            # the hash of a file that is new anyway is made beside its loading
            with self.place.fetched(file, self.landing.folder) as (path, file), ThreadPoolExecutor(1) as beside:
                hashed = beside.submit(state_of_read, file, path)
                is_new = [
                    not (before := known[id(entry)]) or before["sha256"] != hashed.result()["sha256"]
                    for entry in unread
                ]
                self.done += any(is_new)
                for entry, new in zip(unread, is_new, strict=True):
                    if new:
                        self._land(entry, SourceFile(entry, path, file.name), hashed)
                    else:
                        self._keep(entry, file.name, known[id(entry)] or hashed.result(), hashed.result())
                if self.place.is_changed(file):
                    self.problems.append(f"{file.name}: changed while it was read; the next run reads it again")
                    self._forget(unread, file.name)
        except OSError as error:
            why = f"can't be read: {error.strerror or error}"
            self.problems.append(f"{file.name}: {why}")
            for entry in unread:
                for fed in entry.feeds:
                    self.states.hold(fed, file, why)

    def _land(self, entry: FileMapping, file: SourceFile, hashed: Future[State]) -> None:
        before = dict(self.landing.counts)
        landed = land(self.process, self.landing, file, self.name, self.notes)
        counts = self.landing.since(before)
        state = hashed.result()
        for fed in entry.feeds:
            state = self.states.read(
                fed,
                file.name,
                state,
                self.landing.load_id,
                landed.refused,
                landed.rows,
                counts.get(fed),
                is_derived=fed != entry.entity,
            )
        if state["refused"]:
            self.problems.append(f"{file.name}: refused: {state['refused']}")

    def _keep(self, entry: FileMapping, file: str, before: State, now: State | None = None) -> None:
        """Nothing changed, but perhaps the etag under which the content is stored."""
        etag = {key: now[key] for key in ("size", "mtime_ns", "etag")} if now and "etag" in now else {}
        for fed in entry.feeds:
            self.states.keep(fed, file, {**(self.states.known(fed, file) or before), **etag})
        if before["refused"]:
            self.problems.append(f"{file}: refused: {before['refused']}")

    def _forget(self, entries: list[FileMapping], file: str) -> None:
        for entry in entries:
            for fed in entry.feeds:
                self.states.forget(fed, file)


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


def days_in_utc(con: duckdb.DuckDBPyConnection, entry: FileMapping, relation: Relation) -> list[str]:
    """The columns of a file all of whose moments are midnight in UTC: days, as many programs write them. The day before it is in America."""
    asked = midnights(entry, relation.columns)
    # most files are asked for a few rows only
    for sample in (" limit 500", ""):
        if asked:
            listed = ", ".join(f"coalesce(bool_and({sql}), false)" for sql in asked.values())
            try:
                (answers,) = con.execute(f"select {listed} from (select * from ({relation.sql}){sample})").fetchall()
            except duckdb.Error:
                return []  # it can't be read as it is taken to be written: whoever reads it says so
            asked = {name: sql for (name, sql), is_day in zip(asked.items(), answers, strict=True) if is_day}
    return list(asked)


def filtered(con: duckdb.DuckDBPyConnection, entry: FileMapping, relation: Relation) -> tuple[Relation, int]:
    """The rows of a file that ``where`` reads, and how many it leaves out."""
    if entry.where is None:
        return relation, 0
    left = left_out(entry, relation.columns)
    # a line is that of the file: it is counted before rows go
    (count,) = con.execute(f"select count(*) from ({relation.sql}) where {left}").fetchone() or (0,)
    kept = relation.received() - count
    return replace(relation, sql=f"select * from ({relation.sql}) where not {left}", received=lambda: kept), count


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


def check_columns(entry: FileMapping, relation: Relation) -> None:
    """RefusedError where the file lacks a column that the mapping needs, with the one that was probably meant."""
    missing = entry.missing(relation.columns)
    if not missing:
        return
    names = ", ".join(f"'{name}'" for name in missing)
    hint = "".join(_near(name, relation.columns) for name in missing)
    if not any(name in relation.columns for name in entry.sources):
        hint += _other_delimiter(entry, relation) or " Is its first line a header, and is `delimiter` right?"
    raise RefusedError(
        f"it lacks the column{'s' * (len(missing) > 1)} {names}; it has{_shown(list(relation.columns))}.{hint}"
    )


def _near(name: str, columns: Collection[str]) -> str:
    """What of the file's columns was probably meant."""
    cut = next((column for column in columns if column.startswith(f"{name} #")), None)
    if cut:
        return f" Write '{cut}' in quotes: in YAML a # after a blank begins a comment."
    near = difflib.get_close_matches(name, list(columns), n=1, cutoff=0.75)
    return f" Is '{near[0]}' meant by '{name}'?" if near else ""


def _other_delimiter(entry: FileMapping, relation: Relation) -> str:
    """What parts the fields of a CSV file whose header was read as one column."""
    header = next(iter(relation.columns), "")
    marks = {mark: name for mark, name in _DELIMITERS.items() if mark in header}
    if entry.kind != "csv" or len(relation.columns) > 1 or not marks:
        return ""
    likely = max(marks, key=header.count)
    return f" Its fields seem to be parted by {likely!r}: set `delimiter: {marks[likely]}`. Is its first line a header?"


def _shown(columns: list[str]) -> str:
    """The columns that a file has; only how many where they look like data (a file without a header): the text is kept, and may be about a person."""
    if any("@" in name or sum(map(str.isdigit, name)) >= 7 for name in columns):
        return f" {len(columns):,} column{'s' * (len(columns) != 1)} whose names look like data"
    return f": {', '.join(columns)[:300]}"


def dialect_of(entry: FileMapping, file: str) -> Dialect:
    """How the text of ``file`` is to be read, as the mapping says."""
    sheet = entry.sheet if isinstance(entry.sheet, str) else entry.sheet - 1
    return Dialect(
        entry.kind,
        entry.encoding,
        entry.delimiter_of(file),
        entry.quote,
        sheet,
        entry.skip,
        entry.numbers.decimal,
        money=frozenset(entry.money),
        nulls=frozenset(entry.nulls),
    )


def meaning_of(path: Path, process: Process) -> str:
    """A hash of what decides how files are mapped: the mapping, the stages of the process with their order and kinds, and the company's zone."""
    stages = [(stage.key, stage.kind) for stage in process.process.stages]
    text = json.dumps([_MEANING, path.read_text(encoding="utf-8-sig"), stages, process.company.timezone])
    return hashlib.sha256(text.encode()).hexdigest()
