"""A look into one file: rows as they would be loaded, those that would be quarantined, words that nothing maps. Which files are looked into belongs to ``previewing``.

Rows are judged by the very code that loads them (``mapping.sql``, ``landing``, ``keys``); nothing is written to the company's directory.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb

from ingestion.connector.places import Place, Stored
from ingestion.files.keys import without_doubled
from ingestion.files.mapping.model import STAGE_COLUMN, FileMapping
from ingestion.files.mapping.sql import mapped
from ingestion.files.notes import FileNotes
from ingestion.files.profiles import dates_of
from ingestion.files.readers.encodings import detect
from ingestion.files.readers.heads import Head, head
from ingestion.files.readers.relation import Dialect, RefusedError
from ingestion.files.readers.tabular import read
from ingestion.files.reading import check_columns, days_in_utc, dialect_of, filtered
from ingestion.files.sampling import sniffed
from ingestion.files.snapshots import of_its_moment, taken_at
from ingestion.landing.rows import judged
from ingestion.sql.text import identifier, quote
from salesgauge.errors import SalesgaugeError
from salesgauge.process import Process
from salesgauge.process.checks import stage_word

_EXAMPLES = 3
_WORDS = 200
_MOSTLY = 0.05  # the share of rows that may be quarantined without being taken for a mistake of the mapping
_REASON = re.compile(r"(?P<column>[^:]+): '(?P<value>.*)' is not (?P<expected>.*)", re.DOTALL)
# What holds one of few words that mean something.
WORD_COLUMNS = ("branch", "currency", "type", "direction", "outcome", "status", "channel")


@dataclass(frozen=True)
class Bad:
    """Rows that would be quarantined for one reason: how many, and examples as (line, value)."""

    reason: str
    rows: int
    examples: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class Mapped:
    """A column of ours in the rows that were read: what gives it, its first values, and in how many rows it is empty."""

    name: str
    given_by: str
    values: tuple[str, ...]
    empty: int


@dataclass
class FilePreview:
    """What an entry makes of one file. ``refused``: why nothing can be made of it. ``rows``: those that were read; ``is_whole``: these are all.

    ``stages``: words of the present stage, or of an event log, that nothing maps. ``words``: column → word → rows.
    """

    number: int
    entry: FileMapping
    file: str
    refused: str = ""
    rows: int = 0
    is_whole: bool = True
    left_out: int = 0
    encoding: str | None = None
    header: list[str] = field(default_factory=list)
    columns: list[Mapped] = field(default_factory=list)
    bad: list[Bad] = field(default_factory=list)
    bad_rows: int = 0
    notes: list[str] = field(default_factory=list)
    stages: dict[str, int] = field(default_factory=dict)
    words: dict[str, dict[str, int]] = field(default_factory=dict)
    owners: dict[str, int] = field(default_factory=dict)
    keys: frozenset[str] = frozenset()

    @property
    def size(self) -> str:
        """How many rows were read, in words."""
        return f"{'' if self.is_whole else 'the first '}{self.rows:,} row{'s' * (self.rows != 1)}"

    @property
    def is_mistaken(self) -> bool:
        """Whether so many rows would be quarantined that the mapping must be wrong, or the file would be refused."""
        return bool(self.refused) or self.bad_rows > _MOSTLY * max(1, self.rows - self.left_out)


@dataclass
class Look:
    """Looking into the files of one mapping. A file that several entries read is cut once."""

    con: duckdb.DuckDBPyConnection
    place: Place
    process: Process
    source: str
    folder: Path
    rows: Mapping[str, int]
    kept: ExitStack
    heads: dict[tuple[str, str, str | None], Head] = field(default_factory=dict)

    def at(self, number: int, entry: FileMapping, file: Stored) -> FilePreview:
        """What ``entry`` makes of ``file``."""
        found = FilePreview(number, entry, file.name)
        try:
            self._fill(found, entry, file)
        except (RefusedError, SalesgaugeError) as error:
            found.refused = str(error)
        except OSError as error:
            found.refused = f"it can't be read: {error.strerror or error}"
        except duckdb.Error as error:
            found.refused = f"it is damaged: {str(error).splitlines()[0][:200]}"
        return found

    def _fill(self, found: FilePreview, entry: FileMapping, file: Stored) -> None:
        entry = of_its_moment(entry, taken_at(entry, file.name, self.process.company.timezone))
        first = self._head(entry, file)
        dialect = dialect_of(entry, file.name)
        relation = read(self.con, first.path, dialect, self.folder, entry.sources)
        if entry.kind == "csv" and not any(name in relation.columns for name in entry.sources):
            self._otherwise(entry, first.path, dialect)
        found.is_whole, found.rows = first.is_whole, relation.received()
        found.header = list(relation.columns)
        if relation.encoding:
            found.encoding = relation.encoding
        if found.rows == 0:
            found.notes.append("it has a header and no rows")
        check_columns(entry, relation)
        utc_days = days_in_utc(self.con, entry, relation)
        found.notes += [f"all times of '{name}' are midnight in UTC: they are read as days" for name in utc_days]
        relation, found.left_out = filtered(self.con, entry, relation)
        rows = mapped(
            entry,
            relation.sql,
            relation.columns,
            source=self.source,
            file=file.name,
            numeric=relation.numeric,
            company_zone=self.process.company.timezone,
            utc_days=utc_days,
        )
        query, columns = judged(self.con, rows.table, rows.sql, rows.also)
        reasons = ", ".join(f"{column.reason} as {identifier(f'r:{column.name}')}" for column in columns)
        self.con.execute(f"create or replace temp table looked_at as select *, {reasons} from ({query})")
        self._bad(found, [column.name for column in columns])
        moments = [column.name for column in columns if column.wanted in ("timestamp", "date")]
        for name in moments:
            if any(bad.reason.startswith(f"{_shown(name)} is not ") for bad in found.bad) and (
                told := self._looks_like(name, entry)
            ):
                found.notes.append(told)
        self._columns(found, entry, relation.columns)
        self._words(found, entry)
        if entry.is_keyed:
            self._keys(found, entry, rows)

    def _head(self, entry: FileMapping, file: Stored) -> Head:
        key = (file.name, entry.kind, entry.member)
        if key not in self.heads:
            # what was fetched from a bucket is there until all was looked at
            path, _ = self.kept.enter_context(self.place.fetched(file, self.folder))
            self.heads[key] = head(
                path,
                entry.kind,
                self.rows[entry.kind] + entry.skip,
                self.folder,
                quote_mark=entry.quote,
                member=entry.member,
            )
        return self.heads[key]

    def _otherwise(self, entry: FileMapping, path: Path, dialect: Dialect) -> None:
        """RefusedError where the file is parted, or begins, in another way than the mapping says, with what is wrong besides."""
        encoding = dialect.encoding or detect(path).encoding or "utf-8"
        delimiter, skip = sniffed(path, encoding)
        if (delimiter, skip) == (dialect.delimiter, dialect.skip):
            return
        relation = read(self.con, path, replace(dialect, delimiter=delimiter, skip=skip), self.folder, entry.sources)
        if not any(name in relation.columns for name in entry.sources):
            return
        remedies = (
            [f"`delimiter: {'tab' if delimiter == chr(9) else repr(delimiter)}`"]
            if delimiter != dialect.delimiter
            else []
        )
        remedies += [f"`skip: {skip}`, as its header stands in line {skip + 1}"] if skip != dialect.skip else []
        text = f"none of the mapped columns is found. Set {' and '.join(remedies)}."
        try:
            check_columns(entry, relation)
        except RefusedError as error:
            text += f" And then: {error}"
        raise RefusedError(text)

    def _looks_like(self, column: str, entry: FileMapping) -> str:
        """What format the dates of a column have that its rule does not read."""
        value, typed = identifier(column), identifier(f"t:{column}")
        texts = self.con.execute(
            f"select trim(cast({value} as varchar)), count(*) from looked_at where {typed} is null and nullif(trim(cast({value} as varchar)), '') is not null "
            f"group by 1 order by 2 desc limit {_WORDS}"
        ).fetchall()
        guess = dates_of(self.con, dict(texts))
        if guess is None:
            return ""
        forms = [form if form == "iso8601" else f'"{form}"' for form in guess.formats]
        others = [form if form == "iso8601" else f'"{form}"' for form in guess.other]
        told = f"{', '.join(forms)}{' or ' + ', '.join(others) if others else ''}"
        return (
            f"'{_shown(column)}': the values that can't be read look like {told}: set it in `dates`, several as a list"
        )

    def _bad(self, found: FilePreview, names: Sequence[str]) -> None:
        listed = ", ".join(identifier(f"r:{name}") for name in names)
        rows = self.con.execute(f"select _line, _reason, {listed} from looked_at where _bad order by _line").fetchall()
        found.bad_rows = len(rows)
        counts: Counter[str] = Counter()
        examples: dict[str, list[tuple[int, str]]] = {}
        for line, reason, *others in rows:
            for text in [reason] if reason is not None else [text for text in others if text is not None]:
                parts = _REASON.fullmatch(text)
                why = f"{_shown(parts['column'])} is not {parts['expected']}" if parts else _shown(text)
                counts[why] += 1
                if len(known := examples.setdefault(why, [])) < _EXAMPLES:
                    known.append((line, parts["value"] if parts else ""))
        found.bad = [Bad(why, count, tuple(examples[why])) for why, count in counts.most_common()]

    def _columns(self, found: FilePreview, entry: FileMapping, header: Mapping[str, str]) -> None:
        names = [column.name for column in entry.definition.columns if column.name in entry.provided]
        shown = [*names, *(f"e:{stage}" for stage in (entry.stages.entered if entry.stages else ()))]
        zone = self.process.company.timezone
        moments = {column.name for column in entry.definition.columns if column.type == "timestamp"}
        values = ", ".join(
            f"{_as_text(name, zone if name in moments or name.startswith('e:') else None)} as {identifier(name)}"
            for name in shown
        )
        first = self.con.execute(
            f"select {values} from looked_at where not _bad order by _line limit {_EXAMPLES}"
        ).fetchall()
        empty = self.con.execute("select " + ", ".join(f"count(*) - count({identifier(f't:{name}')})" for name in shown) + " from looked_at where not _bad").fetchone()  # fmt: skip
        for place, name in enumerate(shown):
            given = _given_by(entry, name, header)
            found.columns.append(
                Mapped(
                    name.replace("e:", "entered "),
                    given,
                    tuple(row[place] or "" for row in first),
                    int(empty[place]) if empty else 0,
                )
            )

    def _words(self, found: FilePreview, entry: FileMapping) -> None:
        """The words that people have to map: stages, owners, branches, and what else stands in columns of few words."""
        names = {column.name for column in entry.definition.columns} & entry.provided
        stage = STAGE_COLUMN.get(entry.entity, "stage" if entry.entity == "stage_events" else None)
        if stage in names:
            is_lead = entry.entity == "leads" or "lead" in entry.columns
            found.stages = {
                word: rows
                for word, rows in self._counted(str(stage)).items()
                if not self._is_stage(word, is_lead=is_lead)
            }
        for name in WORD_COLUMNS:
            if name in names and name != stage:
                found.words[name] = self._counted(name)
        for name in ("owner_id", "user_id"):
            if name in names and entry.entity != "users":
                found.owners.update(self._counted(name, most=2_000))
        if entry.entity == "users":
            found.keys = frozenset(self._counted("user_id", most=100_000))

    def _counted(self, name: str, most: int = _WORDS) -> dict[str, int]:
        column = identifier(f"t:{name}")
        return dict(
            self.con.execute(
                f"select {column}, count(*) as n from looked_at where not _bad and {column} is not null group by 1 order by n desc, 1 limit {most}"
            ).fetchall()
        )

    def _is_stage(self, word: str, *, is_lead: bool) -> bool:
        plain = stage_word(word)
        known = self.process.stage_mapping.get(self.source, {})
        tables = [table for pipeline, table in known.items() if pipeline == "*" or (pipeline == "lead") == is_lead]
        is_named = any("*" in table or plain in map(stage_word, table) for table in tables)
        return is_named or plain == "ignore" or plain in {stage.key for stage in self.process.process.stages}

    def _keys(self, found: FilePreview, entry: FileMapping, rows: Any) -> None:
        """What rows that share a key are, as the load will judge them."""
        notes = FileNotes()
        good = "select * from looked_at where not _bad"
        shared = without_doubled(self.con, entry, replace(rows, sql="select * from looked_at"), good)
        notes.shared(entry.entity, found.file, shared)
        found.notes += notes.texts()


def _given_by(entry: FileMapping, name: str, header: Mapping[str, str]) -> str:
    """The column of the file, or what else gives a column of ours."""
    if name.startswith("e:"):
        rule = entry.stages.entered[name[2:]] if entry.stages else None
        return " + ".join(rule.found(header)) if rule else ""
    if name in entry.rules:
        return " + ".join(entry.rules[name].found(header)) or "(not in this file)"
    constants = {entry.canonical(given): text for given, text in entry.constants.items()}
    if name in constants:
        return f"= {constants[name]}"
    if name == entry.definition.key:
        return " + ".join(entry.key) if entry.key else "(file and line)"
    if entry.stages and entry.stages.current and name == STAGE_COLUMN.get(entry.entity):
        return next((column for column in entry.stages.current.column if column in header), "")
    return ""


def _as_text(name: str, zone: str | None) -> str:
    """A value as it is shown: a moment on the company's clock, without a time of day that nobody knows, all in one short line."""
    value = identifier(f"t:{name}")
    if zone is not None:
        local = f"timezone({quote(zone)}, timezone('UTC', {value}))"
        return f"case when {local} = date_trunc('day', {local}) then strftime({local}, '%Y-%m-%d') else strftime({local}, '%Y-%m-%d %H:%M') end"
    return f"substr(replace(cast({value} as varchar), chr(10), ' '), 1, 60)"


def _shown(name: str) -> str:
    return f"{name[2:]} (entered)" if name.startswith("e:") else name
