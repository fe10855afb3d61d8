"""``salesgauge sources init``: a commented mapping from what real files look like. The person who knows the data only corrects it.

What files are is found out by ``sampling`` and ``profiles``, what names mean stands in ``synonyms``; the options of a mapping are those of ``mapping``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import combinations

import duckdb

from ingestion.files.mapping.model import STAGE_COLUMN
from ingestion.files.profiles import Profile, clock_form, shared_numbers, turned
from ingestion.files.proposing.stage_words import proposed_stage
from ingestion.files.sampling import Table
from ingestion.files.snapshots import form_of
from ingestion.files.synonyms import CURRENCIES, FILE_WORDS, ID_WORDS, NAMES, NOUNS, OF_ENTITY, WEIGHTS, plain
from ingestion.sql.lines import identifier
from salesgauge.entities import ENTITIES, Column, Entity
from salesgauge.process import Process
from salesgauge.process.checks import stage_word
from salesgauge.yaml_file import as_yaml

_TEXT_OF_WORDS = {"stage", "status", "type", "direction", "channel", "pipeline", "event", "branch", "field", "medium"}
_SNAPSHOTS = {"snapshot date", "snapshot", "snapshot at", "as of", "as of date", "export date", "exported at", "exported on", "extract date", "report date",
              "week", "week ending", "week of", "week start"}  # fmt: skip
_PERSONAL = {"name", "first_name", "last_name", "email", "phone", "from_number", "to_number", "agent", "comment", "transcript", "user_email", "account_id", "owner_id", "user_id"}  # fmt: skip
_DATE_WORDS = {
    "date",
    "at",
    "on",
    "time",
    "sent",
    "entered",
    "day",
    "stage",
    "became",
    "reached",
    "moved",
    "to",
    "of",
    "is",
    "when",
}
_NEVER_A_STAGE = {
    "created",
    "create",
    "close",
    "closed",
    "updated",
    "modified",
    "expected",
    "appointment",
    "start",
    "end",
    "due",
    "birth",
    "last",
    "next",
    "first",
}
_WHO = ("from_number", "to_number", "email", "phone", "user_id", "agent", "lead_id", "deal_id")
_MOST_WORDS = 60
_DURATIONS = {"duration", "talk", "wait", "length", "hold", "ring", "queue", "handle", "total"}
_KEY_SHARED, _TINY, _SOME = 0.01, 100, 5  # as in keys


@dataclass
class _Fit:
    """An entity as which a table can be read: our column → the table's."""

    entity: Entity
    columns: dict[str, Profile]
    score: float
    key: list[str] = field(default_factory=list)
    is_snapshot: bool = False
    doubts: list[str] = field(default_factory=list)

    def __getitem__(self, name: str) -> Profile | None:
        return self.columns.get(name)


def proposal(
    con: duckdb.DuckDBPyConnection, tables: Sequence[Table], problems: Sequence[str], process: Process, *, source: str
) -> str:
    """The text of ``sources/<source>.yml`` for ``tables``. ``problems``: files that could not be read."""
    fits = [(table, _ranked(con, table, process)) for table in tables]
    entities = {found[0].entity.name for _, found in fits if found}
    blocks = []
    for table, found in fits:
        if found:
            blocks.append(_Writer(con, table, found, process, source, entities).text())
        else:
            blocks.append(_unjudged(table))
    head = [
        f"# Proposed by 'salesgauge sources init' from {_listed(list(dict.fromkeys(table.path for table in tables)))}. Correct what is wrong, then: salesgauge sources preview {source}",
        "# Left of a colon stands our name, right of it the file's. All options: salesgauge sources help",
        *(f"# NOT READ: {problem}" for problem in problems),
        "files:",
    ]
    return "\n".join(head) + "\n" + "\n\n".join(blocks) + "\n"


def entities_of(con: duckdb.DuckDBPyConnection, tables: Sequence[Table], process: Process) -> list[str | None]:
    """The entity as which each table is read; None where none fits."""
    found = [_ranked(con, table, process) for table in tables]
    return [fits[0].entity.name if fits else None for fits in found]


# --- which entity, which columns --------------------------------------------------------------------------------------------------------------


def _ranked(con: duckdb.DuckDBPyConnection, table: Table, process: Process) -> list[_Fit]:
    """The entities as which a table can be read, the likeliest first."""
    found = [fit for entity in ENTITIES.values() if (fit := _fit(con, table, entity, process)) is not None]
    return sorted(found, key=lambda fit: -fit.score)


def _fit(con: duckdb.DuckDBPyConnection, table: Table, entity: Entity, process: Process) -> _Fit | None:
    columns, ranks = _assigned(table, entity)
    weights = WEIGHTS[entity.name]
    # a name far down in the list says less
    score = sum(weights.get(name, 0.5) * (1.0 if ranks[name] < 12 else 0.6) for name in columns if name != entity.key)
    words = set(re.findall(r"[a-z0-9]+", plain(table.path.rpartition(".")[0])))
    words |= set(plain(table.sheet).split()) if table.sheet else set()
    score += 4 * bool(words & set(FILE_WORDS[entity.name]))
    fit = _Fit(entity, columns, score)
    hint = bool(words & set(FILE_WORDS[entity.name]))
    if entity.name in STAGE_COLUMN:
        # dates that are called like stages
        kind = "lead" if entity.name == "leads" else "deal"
        entered = [
            stage
            for stage, _ in _named_like_stages(table, process, kind)
            if kind == "deal" or process.stage(stage).object == kind
        ]
        score += 3 * len(entered)
        hint = hint or bool(entered)
    named = columns.get(entity.key)
    if named is not None and any(plain(named.name).startswith(noun) for noun in NOUNS[entity.name][:6]):
        fit.score += 3
    if not _settle_key(con, table, fit):
        return None
    known = {*columns, *([entity.key] if fit.key else [])}
    known |= {"subject_type"} if "subject_id" in columns else set()
    lacking = [name for name in entity.required if name not in known and name != entity.key]
    if entity.name == "activities" and lacking == ["type"]:
        lacking, fit.score = [], fit.score - 3
    distinctive = sum(weights.get(name, 0) for name in columns if name != entity.key)
    if lacking or ((distinctive < 2 or (len(columns) < 2 and entity.name not in STAGE_COLUMN)) and not hint):
        return None
    return fit


def _assigned(table: Table, entity: Entity) -> tuple[dict[str, Profile], dict[str, float]]:
    """Our columns with the table's that are called so and hold such values, each of the table's once."""
    offers: list[tuple[float, int, str, Profile]] = []
    for column in entity.columns:
        for profile in table.profiles:
            rank = _rank(entity, column, profile)
            if rank is not None and _holds(entity, column, profile):
                offers.append((rank, len(offers), column.name, profile))
    columns: dict[str, Profile] = {}
    ranks: dict[str, float] = {}
    used: set[str] = set()
    is_named = entity.name in ("users", "accounts", "products", "campaigns")  # by its name, where it has no id
    for rank, _, name, profile in sorted(offers, key=lambda offer: (is_named and offer[2] != entity.key, *offer[:2])):
        if name not in columns and profile.name not in used:
            columns[name], ranks[name] = profile, rank
            used.add(profile.name)
    if (
        entity.name == "calls"
        and "to_number" not in columns
        and (number := columns.get("from_number"))
        and "from" not in plain(number.name)
        and "call" not in plain(number.name)
    ):
        # the number of the customer, whoever called
        columns["to_number"], ranks["to_number"] = number, ranks["from_number"]
    if (
        is_named
        and entity.key in columns
        and "name" not in columns
        and not set(plain(columns[entity.key].name).split()) & set(ID_WORDS)
    ):
        columns["name"], ranks["name"] = columns[entity.key], ranks[entity.key]
    return columns, ranks


def _rank(entity: Entity, column: Column, profile: Profile) -> float | None:
    """How likely the name of the table's column means ours: 0 is certain; None: it does not."""
    header = re.sub("^(related|associated|linked) ", "", plain(profile.name.lstrip("$.")))
    names = _names(entity, column)
    if header in names:
        return float(names[header])
    if profile.name.startswith("$") and (last := plain(profile.name.rpartition(".")[2])) in names:
        return names[last] + 0.7
    # Amount (EUR), value in €
    bare = re.sub("( in)?( [a-z]{3})?$", "", header)
    code = header.removeprefix(bare).split()[-1:]
    if column.type == "decimal" and bare in names and (code in ([], ["in"]) or code[0].upper() in CURRENCIES):
        return names[bare] + 0.3
    for noun in NOUNS[entity.name]:
        bare = header.removeprefix(f"{noun} ").removesuffix(f" {noun}")
        if bare != header and bare in names and column.name != entity.key:
            return names[bare] + 0.5
    if column.name == "nps_score" and ("recommend" in header or re.search(r"\bnps\b", header)):
        return 30.0
    if column.name == "comment" and re.search(
        r"\b(improve|feedback|comments?|why|reason for your score|tell us)\b", header
    ):
        return 30.0
    if column.name == "csat_score" and ("satisf" in header or re.search(r"\bcsat\b", header)):
        return 30.0
    return None


def _names(entity: Entity, column: Column) -> Mapping[str, int]:
    names = [plain(column.name)]
    if column.name == entity.key:
        names += [f"{noun} {word}" for noun in NOUNS[entity.name][:6] for word in ID_WORDS]
        names += [*OF_ENTITY.get(entity.name, {}).get(column.name, ()), *NOUNS[entity.name][:2], *ID_WORDS]
        if entity.name in ("stage_events", "field_history"):
            names = [name for name in names if name not in ("activity", "activity id", "activity key", "activity code")]
    else:
        names += OF_ENTITY.get(entity.name, {}).get(column.name) or NAMES.get(column.name, ())
    return {plain(name): place for place, name in reversed(list(enumerate(names)))}


def _holds(entity: Entity, column: Column, profile: Profile) -> bool:
    """Whether the values can be those of our column."""
    if profile.filled == 0:
        return False
    if column.type in ("timestamp", "date"):
        return profile.dates is not None
    if column.name in ("nps_score", "csat_score"):
        numbers, top = profile.numbers, 10 if column.name == "nps_score" else 5
        return numbers is not None and not numbers.has_decimals and numbers.least >= 0 and numbers.most <= top
    if column.type in ("decimal", "integer"):
        return profile.numbers is not None and (column.type == "decimal" or not profile.numbers.has_decimals)
    if column.type == "float":
        return profile.numbers is not None or profile.is_clock
    if column.type == "boolean":
        return profile.is_truth
    if profile.dates is not None:
        return False
    if column.name == "email":
        return profile.is_email
    if column.name in ("from_number", "to_number", "phone"):
        return (
            profile.is_phone
            or column.name in plain(profile.name).replace(" ", "_")
            or (profile.numbers is not None and profile.distinct > profile.filled / 50)
        )
    if column.name in _TEXT_OF_WORDS:
        many = column.name == "stage" and entity.name == "stage_events"
        return (profile.distinct <= 200 if many else profile.is_words) and not (
            profile.numbers and profile.numbers.has_decimals
        )
    if column.name in ("first_name", "last_name", "name", "comment", "agent"):
        return profile.numbers is None
    if column.name in ("owner_id", "user_id"):
        return not profile.is_truth and not (profile.numbers and profile.numbers.has_decimals) and not profile.is_clock
    return not (profile.numbers and profile.numbers.has_decimals)


def _named_like_stages(table: Table, process: Process, kind: str) -> Iterator[tuple[str, Profile]]:
    """The columns with dates whose names are those of stages, by stage."""
    stages = {stage.key: stage for stage in process.process.stages}
    found = set()
    for profile in table.profiles:
        words = [word for word in plain(profile.name).split() if word not in _DATE_WORDS]
        if profile.dates is None or not words or set(words) & _NEVER_A_STAGE:
            continue
        stage = proposed_stage(" ".join(words), process, kind)
        if (
            stage is not None
            and stage not in found
            and (stages[stage].object == kind or stages[stage].kind in ("won", "lost", "disqualified"))
        ):
            found.add(stage)
            yield stage, profile


def _settle_key(con: duckdb.DuckDBPyConnection, table: Table, fit: _Fit) -> bool:
    """Find what identifies a record; False where the rows can't be of this entity."""
    entity, columns = fit.entity, fit.columns
    named = columns.pop(entity.key, None)
    if entity.name in ("stage_events", "field_history"):
        subject = columns.get("subject_id")
        if subject is None or table.rows < 2 or subject.filled < 0.9 * table.rows:
            return False
        if _repeats(con, table, subject.name) < 1.3:
            return False
        if entity.name == "stage_events":
            fit.score += 4
        if named is not None and named.is_unique and named.name != subject.name:
            fit.key = [named.name]
        return True
    if named is not None and named.filled and (named.is_unique or _is_nearly_unique(con, table, named)):
        fit.key = [named.name]
        if not named.is_unique:
            fit.doubts.append(
                f"'{named.name}' is not filled, or not unique, in all rows: identical rows are left out, others are versions of a record"
            )
        return True
    snapshot = columns.get("updated_at")
    if (
        named is not None
        and snapshot is not None
        and len(table.files) == 1
        and _are_unique(con, table, [named.name, snapshot.name])
    ):
        fit.key, fit.is_snapshot = [named.name], True
        fit.score += 5
        return True
    if named is not None and len(table.files) > 1:
        # the same record may stand in each of the files
        fit.key = [named.name]
        return True
    if entity.key not in entity.required:
        return True
    other = _other_key(con, table, fit, named)
    if other:
        fit.key = other
        fit.score -= 3 if named is not None else 1.5
        if named is not None:
            fit.doubts.append(f"'{named.name}' alone is no key: rows share its values")
        else:
            fit.doubts.append(
                f"CHECK: no column is called an id; {'this one is' if len(other) == 1 else 'these are together'} unique"
            )
        return True
    return False


def _repeats(con: duckdb.DuckDBPyConnection, table: Table, name: str) -> float:
    """How many rows of one file a value has."""
    row = con.execute(
        f"select count(*) / greatest(count(distinct (_file, {identifier(f's:{name}')})), 1) from {table.name}"
    ).fetchone()
    return float(row[0]) if row else 0.0


def _is_nearly_unique(con: duckdb.DuckDBPyConnection, table: Table, profile: Profile) -> bool:
    """Whether so few different rows share a value that they are versions of a record, as ``keys`` judges when the file is loaded."""
    key = identifier(f"s:{profile.name}")
    listed = ", ".join(identifier(f"s:{one.name}") for one in table.profiles)
    row = con.execute(
        f"select count(distinct ({listed})) - count(distinct {key}) from {table.name} where {key} is not null"
    ).fetchone()
    colliding = int(row[0]) if row else 0
    return profile.filled >= 0.9 * profile.rows and (
        colliding <= _KEY_SHARED * profile.filled
        or (profile.filled < _TINY and colliding < _SOME and profile.distinct > 1)
    )


def _are_unique(con: duckdb.DuckDBPyConnection, table: Table, names: Sequence[str]) -> bool:
    listed = ", ".join(identifier(f"s:{name}") for name in names)
    row = con.execute(f"select count(*) from (select distinct {listed} from {table.name})").fetchone()
    return bool(row and row[0] == table.rows)


def _other_key(con: duckdb.DuckDBPyConnection, table: Table, fit: _Fit, named: Profile | None) -> list[str]:
    """The column called a key with another one, else a column that is unique and looks like an id, else two that are unique together."""
    measured = {one.name for name, one in fit.columns.items() if fit.entity.column(name).type in ("decimal", "float")}
    usable = [
        one
        for one in table.profiles
        if one.filled == one.rows and one.name not in measured and not (one.numbers and one.numbers.has_decimals)
    ]
    id_words = {"id", "number", "key", "code", "uuid", "email", "name"}
    if named is None:
        may_come_again = fit.entity.name not in ("leads", "contacts", "accounts")
        single = [
            one
            for one in usable
            if one.is_unique and one.dates is None and not (may_come_again and (one.is_phone or one.is_email))
        ]
        for one in sorted(single, key=lambda profile: not set(plain(profile.name).split()) & id_words):
            if one.rows > 20 or set(plain(one.name).split()) & id_words:
                return [one.name]
    moment = fit.columns.get("at") or fit.columns.get("starts_at")
    if named is None and may_come_again and moment is not None and moment in usable:
        # an event is told by its moment and who took part in it
        clocks = [one for one in usable if one.is_clock and not set(plain(one.name).split()) & _DURATIONS]
        people = [one for one in map(fit.columns.get, _WHO) if one is not None and one in usable]
        parts: list[str] = []
        for one in [moment, *clocks, *people]:
            parts += [one.name] if one.name not in parts else []
            if one in people and _are_unique(con, table, parts):
                return parts
    first = [named] if named in usable else [one for one in usable if one.distinct > 0.3 * table.rows][:4]
    for one in first:
        # a number within the record has few values
        for other in sorted(usable, key=lambda profile: (profile.is_truth, profile.distinct))[:12]:
            if other.name != one.name and _are_unique(con, table, [one.name, other.name]):
                return [one.name, other.name]
    for three in combinations(sorted(usable, key=lambda profile: -profile.distinct)[:6], 3):
        if _are_unique(con, table, [one.name for one in three]):
            return [one.name for one in three]
    return []


# --- the text -------------------------------------------------------------------------------------------------------------------------------


class _Writer:
    """One entry of ``files`` (two where a table also tells of stages), as text with its comments."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        table: Table,
        fits: list[_Fit],
        process: Process,
        source: str,
        entities: set[str],
    ) -> None:
        self.con, self.table, self.fit, self.others = con, table, fits[0], fits[1:]
        self.process, self.source, self.entities = process, source, entities
        self.entity = self.fit.entity
        self.stage = (
            self.fit.columns.pop(STAGE_COLUMN[self.entity.name], None) if self.entity.name in STAGE_COLUMN else None
        )
        self._plans()
        self.entered = dict(self._entered()) if self.entity.name in STAGE_COLUMN else {}
        self.times = dict(self._times())

    def text(self) -> str:
        """The entry, and the one of the stages that snapshots show."""
        text = "\n".join(self._lines())
        if self.fit.is_snapshot and self.stage is not None:
            text += "\n\n" + "\n".join(self._snapshots())
        if self.entity.name == "stage_events" and (cases := "\n".join(self._cases())):
            text += f"\n\n{cases}"
        return text

    def _lines(self) -> Iterator[str]:
        yield from self._top()
        yield f"    entity: {self.entity.name:<30} # {ENTITIES[self.entity.name].meaning}{self._instead()}"
        yield from self._key()
        yield from self._columns()
        yield from self._constants()
        yield from self._values()
        yield from self._nulls()
        yield from self._numbers()
        yield from self._dates()
        yield from self._stages()
        if self.entity.name == "stage_events" and "source_order" not in self.fit.columns:
            yield "    order: file                    # events of one moment keep the order of the file"
        yield from self._unmapped()

    def _top(self) -> Iterator[str]:
        table = self.table
        many = f"{len(table.files)} files: {_listed(table.files)}; " if len(table.files) > 1 else ""
        more = "" if table.is_whole else "the first "
        yield f"  - path: {_path(table.path)}  # {many}{more}{table.rows:,} rows were looked at"
        if not table.names_its_format:
            yield f"    format: {table.kind}"
        if table.encoding:
            guess = (
                "  # a guess: nothing in the file tells. Check names with accents in the preview"
                if table.guessed
                else "  # told by its bytes"
            )
            yield f"    encoding: {table.encoding}{guess}"
        if table.kind == "csv" and table.delimiter != ("\t" if table.path.lower().endswith(".tsv") else ","):
            yield f"    delimiter: {'tab' if table.delimiter == chr(9) else as_yaml(table.delimiter)}"
        if table.sheet is not None:
            yield f"    sheet: {as_yaml(table.sheet)}"
        if table.skip:
            yield f"    skip: {table.skip}                        # lines above the header"
        for text in table.bad:
            yield f"    # will be quarantined: {text}"

    def _instead(self) -> str:
        near = [fit.entity.name for fit in self.others if fit.score > 0.7 * self.fit.score][:2]
        return f"; or is it {' or '.join(near)}?" if near else ""

    def _key(self) -> Iterator[str]:
        fit, named = self.fit, self.fit.key
        if not named:
            yield "    # no column is unique: each row is a record of its own"
            return
        text = as_yaml(named[0]) if len(named) == 1 else f"[{', '.join(map(as_yaml, named))}]"
        where = f"the {self.table.rows:,} rows" if self.table.is_whole else f"the first {self.table.rows:,} rows"
        why = (
            f"unique in {where}"
            if len(self.table.files) == 1
            else "what identifies a record; its newest version counts"
        )
        if fit.is_snapshot:
            why = "each export has the record again: its newest version counts"
        elif fit.doubts:
            why = fit.doubts[0]
        yield f"    key: {text}  # {why}"

    def _columns(self) -> Iterator[str]:
        if not self.fit.columns:
            return
        yield "    columns:"
        width = max(len(f"{self._ours(name)}: {self._theirs(name, one)}") for name, one in self.fit.columns.items())
        for column in self.entity.columns:
            profile = self.fit[column.name]
            if profile is not None:
                line = f"{self._ours(column.name)}: {self._theirs(column.name, profile)}"
                comment = self._about(column, profile)
                yield f"      {line:<{width}}  # {comment}" if comment else f"      {line}"

    def _theirs(self, name: str, profile: Profile) -> str:
        time = self.times.get(name)
        return f"{{join: [{as_yaml(profile.name)}, {as_yaml(time.name)}]}}" if time else as_yaml(profile.name)

    def _plans(self) -> None:
        """Where open deals have a date of closing too, it is when they are expected to close."""
        closed = self.fit["closed_at"]
        if (
            self.entity.name != "deals"
            or self.stage is None
            or closed is None
            or self.fit["expected_close_date"] is not None
        ):
            return
        kinds = {stage.key: stage.kind for stage in self.process.process.stages}
        is_open = [
            word
            for word in self.stage.words
            if kinds.get(proposed_stage(word, self.process, "deal") or "", "open") == "open"
        ]
        stage, date = identifier(f"s:{self.stage.name}"), identifier(f"s:{closed.name}")
        row = self.con.execute(
            f"select count(nullif(trim(cast({date} as varchar)), '')), count(*) from {self.table.name} where list_contains($1, trim({stage}))",
            [is_open],
        ).fetchone()
        if row and row[0] > row[1] / 5:
            self.fit.columns["expected_close_date"] = closed

    def _times(self) -> Iterator[tuple[str, Profile]]:
        """Columns with a time of day that stand beside one with the day only, by our column."""
        used = {profile.name for profile in self.fit.columns.values()}
        begin = self.fit["starts_at"]
        if begin is not None and begin.dates and begin.dates.days_only and len(begin.dates.formats) == 1:
            for name in ("starts_at", "ends_at"):
                ranked = [
                    (rank, one)
                    for one in self.table.profiles
                    if one.is_clock and (rank := _rank(self.entity, self.entity.column(name), one)) is not None
                ]
                if ranked and (name == "starts_at" or self.fit["ends_at"] is None):
                    self.fit.columns[name] = begin
                    yield name, min(ranked, key=lambda one: one[0])[1]
            return
        free = [
            one
            for one in self.table.profiles
            if one.is_clock and one.name not in used and not set(plain(one.name).split()) & _DURATIONS
        ]
        for name, profile in self.fit.columns.items():
            if (
                self.entity.column(name).type == "timestamp"
                and profile.dates
                and profile.dates.days_only
                and len(profile.dates.formats) == 1
            ):
                day = {word for word in plain(profile.name).split() if word not in ("date", "day")}
                fitting = [
                    one
                    for one in free
                    if {word for word in plain(one.name).split() if word not in ("time", "at")} == day
                ]
                if fitting:
                    free.remove(fitting[0])
                    yield name, fitting[0]

    def _ours(self, name: str) -> str:
        if name == "subject_id":
            return self._subject
        return name

    @property
    def _subject(self) -> str:
        """Whether an event log is one of leads or of deals."""
        profile = self.fit["subject_id"]
        header = plain(profile.name) if profile else ""
        return "lead" if re.search(r"\b(lead|prospect|inquiry|enquiry|contact)\b", header) else "deal"

    def _about(self, column: Column, profile: Profile) -> str:
        notes = []
        empty = profile.rows - profile.filled
        if empty:
            notes.append(f"empty in {empty:,} of {profile.rows:,} rows")
        if profile.dates and profile.dates.misses:
            notes.append(
                f"{profile.dates.misses:,} are no dates, such as {_quoted(profile.dates.unread)}: these rows will be quarantined"
            )
        if profile.numbers and column.type in ("decimal", "integer", "float") and profile.numbers.misses:
            notes.append(
                f"{profile.numbers.misses:,} are no numbers, such as {_quoted(profile.numbers.unread)}: these rows will be quarantined"
            )
        if (
            not notes
            and column.name not in _PERSONAL
            and column.name != "subject_id"
            and profile.words
            and profile.is_words
            and not column.refers_to
        ):
            notes.append(f"{_listed(list(profile.words), 4)}")
        if column.name == "expected_close_date" and profile is self.fit["closed_at"]:
            notes.insert(0, "open deals have it too: it is their plan")
        if column.refers_to == "users" and profile.distinct:
            notes.insert(0, f"{profile.distinct:,} people")
        return "; ".join(notes)

    def _constants(self) -> Iterator[str]:
        if self.entity.name == "activities" and "type" not in self.fit.columns:
            yield "    constants: {type: call}        # call, email, text, meeting, task or note: what are these?"
        elif currency := self._currency():
            yield f"    constants: {{currency: {_text(currency)}}}  # the header of the amounts says so"

    def _currency(self) -> str | None:
        """The currency that the header of the amounts names: ``Amount (EUR)``, ``Betrag in €``."""
        profile = self.fit["amount"]
        if (
            profile is None
            or "currency" in self.fit.columns
            or "currency" not in {column.name for column in self.entity.columns}
        ):
            return None
        symbol = next((sign for sign in profile.name if unicodedata.category(sign) == "Sc"), None)
        return symbol or next(
            (word for word in map(str.upper, plain(profile.name).split()[1:]) if word in CURRENCIES), None
        )

    def _values(self) -> Iterator[str]:
        parts = []
        if (branch := self.fit["branch"]) is not None:
            parts.append(self._branches(branch))
        if self.entity.name == "stage_events" and (stage := self.fit["stage"]) is not None:
            parts.append(self._activities(stage))
        if any(found for _, found, _ in parts):
            yield "    values:"
        elif any(unknown for *_, unknown in parts):
            yield "    # values:"
        for title, found, unknown in parts:
            if found or unknown:
                yield f"      {title}" if found else f"    #   {title}"
                yield from (f"        {line}" for line in found)
                yield from (f"        # {line}" if found else f"    #     {line}" for line in unknown)

    def _branches(self, profile: Profile) -> tuple[str, list[str], list[str]]:
        branches = self.process.company.branches
        names = {plain(name): key for key, branch in branches.items() for name in (key, branch.label or key)}
        found, unknown = [], []
        missing: dict[str, str] = {}
        # words that differ in case and blanks only are one
        alike: dict[str, list[str]] = {}
        for word in list(profile.words)[:_MOST_WORDS]:
            alike.setdefault(" ".join(word.split()).casefold(), []).append(word)
        for words in alike.values():
            word, rows = words[0], sum(profile.words[one] for one in words)
            key = names.get(plain(word)) or _within(plain(word), names)
            if key is None:
                unknown.append(f"{as_yaml(word)}: ???  # {_rows(rows)}; process.yml has no such branch")
                missing.setdefault(plain(word).replace(" ", "_"), as_yaml(word))
            elif word.strip().casefold() != key:
                found.append(f"{as_yaml(word)}: {key}")
        if missing:
            listed = ", ".join(f"{key}: {{label: {label}}}" for key, label in list(missing.items())[:20])
            unknown.append(f"to have them as branches, in process.yml below company: branches: {{{listed}}}")
        return f"branch:  # the branches of process.yml: {', '.join(branches) or 'none yet'}", found, unknown

    def _activities(self, profile: Profile) -> tuple[str, list[str], list[str]]:
        """What the activities of an event log are; those that ``process.yml`` maps for this source need no word."""
        known = self.process.stage_mapping.get(self.source, {})
        mapped = {stage_word(str(word)) for table in known.values() for word in table}
        found, unknown = [], []
        for word, rows in list(profile.words.items())[:_MOST_WORDS]:
            stage = proposed_stage(word, self.process, "lead" if self._subject == "lead" else "any")
            if stage_word(word) in mapped or plain(word).replace(" ", "_") == stage:
                continue
            if stage is None:
                unknown.append(f"{as_yaml(word)}: ignore  # {_rows(rows)}; ??? name its stage, or ignore it")
            else:
                found.append(f"{as_yaml(word)}: {stage}  # {_rows(rows)}")
        stages = ", ".join(stage.key for stage in self.process.process.stages)
        return (
            f"stage:  # stages of process.yml: {stages}; stage_mapping there keeps the activities' own names in the process map",
            found,
            unknown,
        )

    def _nulls(self) -> Iterator[str]:
        words = sorted({word for profile in self._used() for word in profile.nulls})
        if words:
            yield f'    nulls: ["", {", ".join(map(_text, words))}]  # words that mean nothing'

    def _used(self) -> list[Profile]:
        found = [
            *self.fit.columns.values(),
            *self.times.values(),
            *self.entered.values(),
            *([self.stage] if self.stage else []),
        ]
        return list({profile.name: profile for profile in found}.values())

    def _numbers(self) -> Iterator[str]:
        read = {
            name: one
            for name, one in self.fit.columns.items()
            if self.entity.column(name).type in ("decimal", "integer", "float")
        }
        # only amounts are refused where nobody says how they are written
        numeric = [
            one
            for name, one in read.items()
            if self.entity.column(name).type == "decimal"
            or (one.numbers and (one.numbers.group or one.numbers.decimal != "."))
        ]
        numbers, others = shared_numbers(numeric)
        if numbers is None:
            return
        if not numbers.is_plain:
            parts = [f"decimal: {_text(numbers.decimal)}"]
            parts += [f"group: {_text(numbers.group)}"] if numbers.group.strip() else []
            parts += [f"signs: [{', '.join(map(_text, numbers.signs))}]"] if numbers.signs else []
            text = f"numbers: {{{', '.join(parts)}}}"
            if numbers.is_open:
                yield f"    # {text}  # CHECK: the values don't tell whether 1.234 is a thousand or one and a bit; until it is said, such amounts are quarantined"
            else:
                yield f"    {text}"
        for name in others:
            yield f"    # CHECK: '{name}' is written in another way than the other numbers; its rows will be quarantined"

    def _dates(self) -> Iterator[str]:
        dated = self._dated()
        if not dated or (self.table.kind == "parquet" and all(profile.type != "varchar" for _, profile in dated)):
            if dated:
                yield f"    dates: {{timezone: {self.process.company.timezone}}}"
            return
        forms = {name: self._forms(profile, self.table.profiles) for name, profile in dated}
        for name, time in {self.fit.columns[name].name: (name, time) for name, time in self.times.items()}.values():
            profile = self.fit.columns[name]
            form, note = forms[profile.name]
            clock = clock_form(next(iter(time.words), ""))
            # where the time of day is missing the day stands alone
            forms[profile.name] = (
                tuple(one if one == "iso8601" else f"{one} {clock}" for one in form)
                + tuple(one for one in form if one != "iso8601"),
                note,
            )
        general = max(forms.values(), key=lambda one: sum(other == one for other in forms.values()))
        yield "    dates:"
        yield f"      format: {_formats(general[0])}{self._example(dated, forms, general)}"
        zone = self.process.company.timezone
        yield (
            f"      timezone: {zone:<20} # the company's, from process.yml" if zone != "UTC" else "      timezone: UTC"
        )
        special = {
            name: (f"format: {_formats(form)}", note) for name, (form, note) in forms.items() if form != general[0]
        }
        for name in forms:
            if set(plain(name).split()) & {"utc", "gmt"} and zone != "UTC":
                rule, note = special.get(name, ("", ""))
                special[name] = (", ".join(part for part in (rule, "timezone: UTC") if part), note)
        if special:
            yield "      columns:"
            for name, (rule, note) in special.items():
                yield f"        {as_yaml(name)}: {{{rule}}}{f'  # {note}' if note else ''}"
        for note in dict.fromkeys(note for form, note in forms.values() if note and form == general[0]):
            yield f"      # {note}"

    def _example(
        self, dated: Sequence[tuple[str, Profile]], forms: Mapping[str, tuple[tuple[str, ...], str]], general: object
    ) -> str:
        profile = next(profile for name, profile in dated if forms[name] == general)
        first, last = (profile.dates.first, profile.dates.last) if profile.dates else (None, None)
        return f"  # '{profile.name}': {first:%d %b %Y} to {last:%d %b %Y}" if first and last else ""

    def _dated(self) -> list[tuple[str, Profile]]:
        # by the file's name: a date may be that of a column of ours and of a stage
        found = [
            (one.name, one)
            for name, one in self.fit.columns.items()
            if self.entity.column(name).type in ("timestamp", "date")
        ]
        known = {profile.name for _, profile in found}
        found += [
            (profile.name, profile)
            for profile in {one.name: one for one in self.entered.values()}.values()
            if profile.name not in known
        ]
        return [(name, profile) for name, profile in found if profile.dates]

    def _forms(self, profile: Profile, others: Iterable[Profile]) -> tuple[tuple[str, ...], str]:
        """The formats of a column; where its values allow two readings, by those of other columns, by what lies ahead, else by the company's place."""
        dates = profile.dates
        assert dates is not None
        if not dates.other:
            return dates.formats, ""
        decided = [
            form
            for other in others
            if other.dates and not other.dates.other
            for form in other.dates.formats
            if _has_order(form)
        ]
        if decided:
            day_first = _is_day_first(decided[0])
            chosen = dates.formats if _is_day_first(dates.formats[0]) == day_first else dates.other
            return (
                chosen,
                f"'{profile.name}' could be read with day and month changed; another column of the file decides",
            )
        if dates.last and dates.last > datetime.now(UTC).replace(tzinfo=None):
            later = {form: self._last(profile, form) for form in (dates.formats[0], dates.other[0])}
            past = [
                form
                for form, last in later.items()
                if last is not None and last <= datetime.now(UTC).replace(tzinfo=None)
            ]
            if len(past) == 1:
                chosen = dates.formats if past[0] == dates.formats[0] else dates.other
                return chosen, f"'{profile.name}': with day and month changed some of its dates would lie in the future"
        american = str(self.process.company.timezone).startswith(("America/", "US/")) and "." not in dates.formats[0]
        chosen = dates.formats if _is_day_first(dates.formats[0]) != american else dates.other
        first = "day" if _is_day_first(chosen[0]) else "month"
        return (
            chosen,
            f"CHECK: no value of '{profile.name}' tells day and month apart; the {first} is taken to come first. If not: {_formats(tuple(map(turned, chosen)))}",
        )

    def _last(self, profile: Profile, form: str) -> datetime | None:
        row = self.con.execute(
            f"select max(try_strptime(trim({identifier(f's:{profile.name}')}), $1)) from {self.table.name}", [form]
        ).fetchone()
        return row[0] if row else None

    # --- stages ---

    def _entered(self) -> Iterator[tuple[str, Profile]]:
        """Stage → the column with the date on which it was entered."""
        kind = "lead" if self.entity.name == "leads" else "deal"
        closed = self.fit["closed_at"]
        used = {profile.name for profile in self.fit.columns.values() if profile is not closed}
        found = {
            stage: one for stage, one in _named_like_stages(self.table, self.process, kind) if one.name not in used
        }
        if self.stage is not None and kind == "deal":
            present = [proposed_stage(word, self.process, kind) for word in self.stage.words]
            created = self.fit["created_at"]
            if closed is not None:
                is_of_wins = bool(set(plain(closed.name).split()) & {"won", "sold"})
                for stage in ("won",) if is_of_wins else ("won", "lost"):
                    for one in self.process.process.stages:
                        if one.kind == stage and one.key in present:
                            found.setdefault(one.key, closed)
            open_ones = [
                stage.key for stage in self.process.process.stages if stage.kind == "open" and stage.object == "deal"
            ]
            if (
                created is not None
                and open_ones
                and open_ones[0] in present
                and not set(found) & set(open_ones)
                and not self.fit.is_snapshot
            ):
                found[open_ones[0]] = created
        order = [stage.key for stage in self.process.process.stages]
        yield from sorted(found.items(), key=lambda item: order.index(item[0]))

    def _stages(self) -> Iterator[str]:
        if self.entity.name not in STAGE_COLUMN:
            return
        if self.stage is None and not self.entered and self.entity.name == "deals":
            yield "    # ??? no column tells in which stage a deal is. If all are in one: constants: {stage: won}"
        if self.stage is None and not self.entered:
            return
        yield "    stages:"
        if self.stage is not None:
            yield "      current:                     # the stage in which a record is now"
            yield f"        column: {as_yaml(self.stage.name)}"
            yield from self._words(self.stage)
            if (form := self._snapshot_form()) is not None:
                yield f"      snapshot: {_text(form)}       # how the day of the export stands in the file's name: a move is of the first day that shows it"
        if self.entered:
            yield "      entered:                     # stage: the date on which it was entered; no date, no event"
            for stage, profile in self.entered.items():
                yield f"        {stage}: {as_yaml(profile.name)}{self._why_entered(stage, profile)}"

    def _snapshot_form(self) -> str | None:
        """How the day of an export stands in the names of files that have the same records again and again, and no time of their changes."""
        if len(self.table.files) < 2 or self.fit["updated_at"] is not None or len(self.fit.key) != 1:
            return None
        row = self.con.execute(
            f"select count(distinct {identifier(f's:{self.fit.key[0]}')}) from {self.table.name}"
        ).fetchone()
        return form_of(self.table.files) if row and 4 * row[0] <= 3 * self.table.rows else None

    def _why_entered(self, stage: str, profile: Profile) -> str:
        if profile is self.fit["created_at"]:
            return "  # taken to begin in this stage; take the line out if that is not so"
        if self.stage and self.process.stage(stage).kind in ("won", "lost") and profile is self.fit["closed_at"]:
            return "  # counts where the present stage says so"
        return ""

    def _words(self, profile: Profile) -> Iterator[str]:
        kind = "lead" if self.entity.name == "leads" else "deal"
        converts = bool(self.entities & {"deals", "stage_events"})
        stages = ", ".join(stage.key for stage in self.process.process.stages)
        found, unknown = [], []
        for word, rows in list(profile.words.items())[:_MOST_WORDS]:
            stage = proposed_stage(word, self.process, kind, converts=converts)
            if stage is None:
                unknown.append(f"{as_yaml(word)}: ???  # {_rows(rows)}; which stage is it?")
            else:
                found.append(f"{as_yaml(word)}: {stage}  # {_rows(rows)}")
        if found:
            yield f"        map:                       # stages of process.yml: {stages}"
            yield from (f"          {line}" for line in found)
        else:
            yield f"        # map:                     # stages of process.yml: {stages}"
        yield from (f"          # {line}" for line in unknown)

    def _snapshots(self) -> Iterator[str]:
        """The entry that reads what snapshots show as entries into stages."""
        stage, at = self.stage, self.fit["updated_at"]
        assert stage is not None and at is not None and at.dates is not None
        kind = "lead" if self.entity.name == "leads" else "deal"
        top = list(self._top())
        yield f"{top[0].partition('  #')[0]}  # once more: what a snapshot shows is a stage that was entered by its day"
        yield from (line for line in top[1:] if not line.lstrip().startswith("#"))
        yield "    entity: stage_events"
        yield "    columns:"
        yield f"      {kind}: {as_yaml(self.fit.key[0])}"
        yield f"      stage: {as_yaml(stage.name)}"
        yield f"      at: {as_yaml(at.name)}"
        found = {word: proposed_stage(word, self.process, kind) for word in stage.words}
        mapped = {word: key for word, key in found.items() if key is not None}
        if mapped:
            yield "    values:"
            yield "      stage:"
            yield from (f"        {as_yaml(word)}: {key}" for word, key in mapped.items())
        forms, _ = self._forms(at, [])
        yield f"    dates: {{format: {_formats(forms)}, timezone: {self.process.company.timezone}}}"

    def _cases(self) -> Iterator[str]:
        """The entry for what an event log says of its cases: columns with one value a case."""
        subject, at = self.fit["subject_id"], self.fit["at"]
        assert subject is not None and at is not None
        entity = ENTITIES["leads" if self._subject == "lead" else "deals"]
        if entity.name in self.entities:
            return
        events = {profile.name for profile in self.fit.columns.values()} | set(self.fit.key)
        columns, _ = _assigned(
            replace(self.table, profiles=tuple(one for one in self.table.profiles if one.name not in events)), entity
        )
        columns = {
            name: one
            for name, one in columns.items()
            if name not in (entity.key, "updated_at", STAGE_COLUMN[entity.name]) and self._is_of_case(subject, one)
        }
        if not columns:
            return
        fit = _Fit(entity, {**columns, "updated_at": at}, 0, key=[subject.name], is_snapshot=True)
        writer = _Writer(self.con, self.table, [fit], self.process, self.source, self.entities)
        writer.entered = {}
        yield from writer.lines_of_cases()

    def _is_of_case(self, subject: Profile, profile: Profile) -> bool:
        case, value = identifier(f"s:{subject.name}"), identifier(f"s:{profile.name}")
        row = self.con.execute(
            f"select count(distinct ({case}, {value})), count(distinct {case}) from {self.table.name}"
        ).fetchone()
        return bool(row and row[0] == row[1])

    def lines_of_cases(self) -> Iterator[str]:
        """The entry of the cases of an event log: a row for each event, of which the newest counts."""
        top = list(self._top())
        yield f"{top[0].partition('  #')[0]}  # once more: what the rows say of the {self.entity.name} themselves"
        yield from (line for line in top[1:] if not line.lstrip().startswith("#"))
        yield f"    entity: {self.entity.name}"
        yield f"    key: {as_yaml(self.fit.key[0])}  # a row for each event: the newest counts"
        yield from self._columns()
        yield from self._values()
        yield from self._nulls()
        yield from self._numbers()
        yield from self._dates()

    def _unmapped(self) -> Iterator[str]:
        used = {profile.name for profile in self._used()} | set(self.fit.key)
        free = [
            column.name
            for column in self.entity.columns
            if column.name not in self.fit.columns and column.name != self.entity.key
        ]
        rest = [profile for profile in self.table.profiles if profile.name not in used]
        dates = [profile.name for profile in rest if profile.dates]
        empty = [profile.name for profile in rest if not profile.filled]
        others = [profile.name for profile in rest if profile.filled and not profile.dates]
        for words, names in (("with dates", dates), ("", others), ("without any value", empty)):
            if names:
                yield f"    # not mapped{f', {words}' if words else ''}: {_listed(names, 30)}"
        if rest:
            yield f"    # {self.entity.name} could also have: {', '.join(free)}"


def _unjudged(table: Table) -> str:
    columns = _listed([profile.name for profile in table.profiles], 40)
    return (
        f"  # {table.path}: ??? what its rows are can't be told by its columns: {columns}\n"
        f"  # - path: {_path(table.path)}\n"
        "  #   entity: deals                # or another; all are listed by: salesgauge sources help\n"
        "  #   key: the column that identifies a record\n"
        "  #   columns: {}"
    )


def _path(path: str) -> str:
    return path if re.fullmatch(r"\w[\w./*-]*", path) else as_yaml(path)


def _within(text: str, names: Mapping[str, str]) -> str | None:
    """The only branch whose name is part of ``text``, or has it as a part."""
    found = {
        key
        for name, key in names.items()
        if set(name.split()) <= set(text.split()) or set(text.split()) <= set(name.split())
    }
    return found.pop() if len(found) == 1 else None


def _has_order(form: str) -> bool:
    return "%d" in form and "%m" in form and not form.startswith("%Y")


def _is_day_first(form: str) -> bool:
    return "%d" in form and form.index("%d") < form.index("%m") if "%m" in form else True


def _formats(forms: Sequence[str]) -> str:
    listed = ["iso8601" if form == "iso8601" else _text(form) for form in forms]
    return listed[0] if len(listed) == 1 else f"[{', '.join(listed)}]"


def _text(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _quoted(texts: Sequence[str]) -> str:
    return ", ".join(f"'{' '.join(text.split())[:30]}'" for text in texts)


def _listed(names: Sequence[str], most: int = 5) -> str:
    shown = ", ".join(" ".join(name.split())[:40] for name in names[:most])
    return shown + (f" and {len(names) - most:,} more" if len(names) > most else "")


def _rows(count: int) -> str:
    return f"{count:,} row{'s' * (count != 1)}"
