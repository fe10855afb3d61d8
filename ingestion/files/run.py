"""The file source: files below the data directory or in a bucket, mapped by ``sources/<name>.yml``, into ``raw_files.<entity>``.

A file is loaded when its content, or the mapping, is new; a file that does not fit its mapping is refused as a whole. How one is landed belongs to
``land``, where it is to ``places``, what the mapping may say and the SQL to ``mapping``, what is known of files to ``state``.
"""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from ingestion import rawlog
from ingestion.connector.about import Finding
from ingestion.connector.buckets import Bucket
from ingestion.connector.places import Folder, Place, Stored
from ingestion.files.land import SourceFile, land
from ingestion.files.mapping.loading import load
from ingestion.files.mapping.model import FileMapping
from ingestion.files.notes import FileNotes
from ingestion.files.state import FileStates, State, is_known, state_of_read
from ingestion.landing.load import Landing
from salesgauge.errors import SalesgaugeError
from salesgauge.process import Process
from salesgauge.progress import Reporter
from salesgauge.settings import Company, SourceSettings

_MEANING = 5  # raise it when the same mapping comes to mean something else: every file is then read again


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


def meaning_of(path: Path, process: Process) -> str:
    """A hash of what decides how files are mapped: the mapping, the stages of the process with their order and kinds, and the company's zone."""
    stages = [(stage.key, stage.kind) for stage in process.process.stages]
    text = json.dumps([_MEANING, path.read_text(encoding="utf-8-sig"), stages, process.company.timezone])
    return hashlib.sha256(text.encode()).hexdigest()
