"""``sources/<name>.yml``: how files map to canonical entities, with its checks. Reading files belongs to ``readers``, the SQL to ``sql``.

The options are the fields of the models below; their descriptions and examples are what people read of them. A document is checked as a whole:
every mistake is told with file, line and key.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, TypeVar

import duckdb
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from sqlglot import exp

from ingestion.connector.buckets import check_location
from ingestion.sql.lines import quote
from salesgauge.entities import ENTITIES, Entity
from salesgauge.errors import ConfigurationError
from salesgauge.names import suggest
from salesgauge.process import Process
from salesgauge.process.checks import IGNORE
from salesgauge.process.expressions import read_condition
from salesgauge.process.model import Timezone
from salesgauge.yaml_file import Place, load_model

ALIASES = {
    "owner": "owner_id",
    "account": "account_id",
    "product": "product_id",
    "user": "user_id",
    "lead": "lead_id",
    "deal": "deal_id",
    "job": "job_id",
}
STAGE_COLUMN = {"deals": "stage", "leads": "status"}
PACKED = (".gz", ".zip")
_FORMATS = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".xlsx": "excel", ".xlsm": "excel", ".parquet": "parquet", ".jsonl": "jsonl", ".ndjson": "jsonl",
    ".xes": "xes",
}  # fmt: skip
# What an event log in XES calls the parts of an event.
_XES = {
    "columns": {
        "deal": "case:concept:name",
        "stage": "concept:name",
        "at": "time:timestamp",
        "owner": {"column": "org:resource", "optional": True},
    },
    "dates": {"format": "iso8601", "timezone": "UTC"},
}
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_OF_FILES = {"path", "format", "encoding", "delimiter", "quote", "sheet", "skip", "member"}


def _as_text(value: Any) -> Any:
    """YAML reads 1, true and 2026-01-01 as other types than text; in a mapping they are what the file's cells say."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _as_list(value: Any) -> Any:
    return value if value is None or isinstance(value, list) else [value]


def _as_name(value: Any) -> Any:
    """The name of a column of the file, as text."""
    if value is None or value == "":
        raise ValueError(
            "is empty; expected the name of a column of the file. A name that begins with # stands in quotes: in YAML # begins a comment"
        )
    return value if isinstance(value, dict | list) else _as_text(value)


def _as_rule(value: Any) -> Any:
    """A column of the file may be named alone; a list says several names."""
    return value if isinstance(value, dict | ColumnRule) else {"column": _as_list(_as_name(value))}


def _date_format(value: str) -> str:
    if value in ("iso8601", "unix", "unix_ms"):
        return value
    try:
        duckdb.execute(f"select try_strptime('', {quote(value)})")
    except duckdb.Error as error:
        raise ValueError(
            "is no date format; expected strftime codes such as %Y-%m-%d %H:%M:%S, iso8601, unix or unix_ms"
        ) from error
    if "%" not in value:
        raise ValueError("is no date format; expected strftime codes such as %Y-%m-%d, iso8601, unix or unix_ms")
    return value


def _encoding(value: str) -> str:
    try:
        codecs.lookup(value)
    except LookupError as error:
        raise ValueError("is no encoding; expected for example utf-8, utf-16 or cp1252") from error
    return value


def _one_character(value: str) -> str:
    value = "\t" if value in ("\\t", "tab") else value
    if len(value) != 1:
        raise ValueError("must be one character, or tab; signs such as | , # stand in quotes")
    return value


def _condition(value: str) -> str:
    read_condition(value)
    return value


def _location(value: str) -> str:
    check_location(value)
    return value


Text = Annotated[str, BeforeValidator(_as_text)]
Name = Annotated[str, BeforeValidator(_as_name)]
Names = Annotated[list[Name], BeforeValidator(_as_list)]
DateFormat = Annotated[str, AfterValidator(_date_format)]
Encoding = Annotated[str, AfterValidator(_encoding)]
Character = Annotated[str, AfterValidator(_one_character)]
Condition = Annotated[str, AfterValidator(_condition)]
Duration = Literal["seconds", "minutes", "hours", "mm:ss", "hh:mm"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class ColumnRule(_Strict):
    """A column of the file, or what several of them say together. A name alone, or a list of names, is ``column``."""

    column: Names = Field(
        default_factory=list,
        description="the file's column; of several names the first that the file has",
        examples=["Amount", ["Amount", "Deal Value"]],
    )
    join: Names = Field(
        default_factory=list,
        description="columns whose texts are put together: first and last name, or day and time",
        examples=[["First Name", "Last Name"], ["Date", "Time"]],
    )
    separator: str = Field(default=" ", description="what stands between the texts of `join`", examples=[", "])
    json_path: str | None = Field(
        default=None,
        alias="json",
        description="the place of the value in a column whose cells hold JSON",
        examples=["$.utm.campaign"],
    )
    optional: bool = Field(default=False, description="a file may lack it; then it is empty", examples=[True])

    @field_validator("json_path")
    @classmethod
    def _is_a_path(cls, value: str | None) -> str | None:
        if value is None:
            return None
        path = value if value.startswith("$") else f'$."{value}"'
        try:
            duckdb.execute(f"select json_extract_string('{{}}', {quote(path)})")
        except duckdb.Error as error:
            raise ValueError("is no place in JSON; expected for example $.utm.campaign") from error
        return path

    @model_validator(mode="after")
    def _is_one_or_the_other(self) -> ColumnRule:
        if bool(self.column) == bool(self.join):
            raise ValueError("needs either column or join")
        if self.join and self.json_path:
            raise ValueError("json belongs to column, not to join")
        return self

    @property
    def names(self) -> list[str]:
        """Every column of a file that it may read."""
        return [*self.column, *self.join]

    @property
    def is_plain(self) -> bool:
        """Whether it is the value of one column, as it stands there."""
        return bool(self.column) and self.json_path is None

    def found(self, columns: Collection[str]) -> list[str]:
        """Those of its columns that are read from a file with ``columns``."""
        there = [name for name in self.names if name in columns]
        return there if self.join else there[:1]

    def is_missing(self, columns: Collection[str]) -> bool:
        """Whether a file with ``columns`` lacks what it needs."""
        found = self.found(columns)
        return not self.optional and (len(found) < len(self.join) if self.join else not found)


Rule = Annotated[ColumnRule, BeforeValidator(_as_rule)]


class DateRule(_Strict):
    """How dates and times are written."""

    format: list[DateFormat] | None = Field(
        default=None,
        description="strftime codes, iso8601, or unix (unix_ms): seconds (milliseconds) since 1970; of several the first that fits",
        examples=["%d/%m/%Y %H:%M", ["%m/%d/%Y %I:%M %p", "%m/%d/%Y"], "iso8601", "unix_ms"],
    )
    timezone: Timezone | None = Field(
        default=None, description="the zone of times without an offset", examples=["America/Chicago", "UTC"]
    )

    @field_validator("format", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


class Dates(DateRule):
    """The rule for all columns, and rules for single ones."""

    columns: dict[str, DateRule] = Field(
        default_factory=dict,
        description="other rules for single columns, by our name or the file's",
        examples=[{"expected_close_date": {"format": "%Y%m%d"}}],
    )

    def rule(self, *names: str) -> DateRule:
        """The rule for the column that is called any of ``names``: its own, completed by the general one."""
        own = next((self.columns[name] for name in names if name in self.columns), DateRule())
        return DateRule(format=own.format or self.format, timezone=own.timezone or self.timezone)


class Numbers(_Strict):
    """How numbers in text are written."""

    decimal: Character = Field(default=".", description="the decimal mark", examples=[","])
    group: Character | None = Field(
        default=None,
        description="the mark between groups of three digits; blanks there are always read",
        examples=[".", "'"],
    )
    signs: list[Text] = Field(
        default_factory=list,
        description="signs beside the digits: units and % are left out; one of a currency is the amount's currency, unless a column names it",
        examples=[["$"], ["€", "EUR"]],
    )

    @model_validator(mode="after")
    def _marks_differ(self) -> Numbers:
        if self.decimal == self.group:
            raise ValueError("decimal and group can't be the same character")
        return self


SNAPSHOT_CODES = {
    "%Y": "[0-9]{4}",
    "%y": "[0-9]{2}",
    "%m": "[0-9]{1,2}",
    "%d": "[0-9]{1,2}",
    "%b": "[A-Za-z]{3}",
    "%B": "[A-Za-z]+",
    "%H": "[0-9]{1,2}",
    "%M": "[0-9]{2}",
    "%S": "[0-9]{2}",
}  # of a date in a file's name


class CurrentStage(_Strict):
    """The column that holds today's stage."""

    column: Names = Field(
        description="the file's column; of several names the first that the file has", examples=["Stage"]
    )
    map: dict[Text, str] = Field(
        default_factory=dict,
        description="what its values mean in stages of process.yml, or `ignore`; case is of no matter; values that it lacks stay as they are",
        examples=[{"Closed Won": "won", "Closed Lost": "lost"}],
    )
    optional: bool = Field(default=False, description="a file may lack it", examples=[True])


class Stages(_Strict):
    """The stage of deals or leads, and when they entered stages."""

    current: CurrentStage | None = Field(default=None, description="today's stage", examples=[{"column": "Stage"}])
    entered: dict[str, Rule] = Field(
        default_factory=dict,
        description="stage → the column with the date on which it was entered. No date, no event",
        examples=[{"proposal": "Created", "won": "Closed", "lost": "Closed"}],
    )
    snapshot: Text | None = Field(
        default=None,
        description="how the day of an export stands in its file's name: each file tells where its records stood then, and all of them when they moved",
        examples=["%Y-%m-%d", "deals %d.%m.%Y"],
    )

    @field_validator("snapshot")
    @classmethod
    def _names_a_day(cls, value: str | None) -> str | None:
        codes = set(re.findall("%.?", value or ""))
        if value is not None and (
            not codes <= set(SNAPSHOT_CODES)
            or not all(codes & set(one) for one in (("%Y", "%y"), ("%m", "%b", "%B"), ("%d",)))
        ):
            raise ValueError(f"must name a day by codes such as %Y-%m-%d; known are {', '.join(SNAPSHOT_CODES)}")
        return value


class FileMapping(_Strict):
    """One entry of ``files``: which files, how they are written, and what their columns are."""

    path: Annotated[list[str], BeforeValidator(_as_list)] = Field(
        min_length=1,
        description="the file, or a pattern, or a list of both, below the data directory or the location; .gz and .zip are unpacked",
        examples=["deals.csv", "exports/deals_*.csv.gz", ["old/deals.csv", "new/deals_*.csv"]],
    )
    entity: str = Field(description="what a row is", examples=["deals"])
    format: Literal["csv", "excel", "parquet", "jsonl", "xes"] | None = Field(
        default=None, description="what kind of file it is, where its ending does not say so", examples=["csv"]
    )
    encoding: Encoding | None = Field(
        default=None,
        description="what its text is written in; found out where it is UTF-8, UTF-16 or cp1252",
        examples=["cp1252", "utf-16"],
    )
    delimiter: Character | None = Field(
        default=None, description="what stands between fields: a comma, in .tsv a tab", examples=[";", "tab", "|"]
    )
    quote: Character = Field(default='"', description="what stands around fields", examples=["'"])
    sheet: str | int = Field(default=1, description="the sheet of a workbook, by name or number", examples=["Deals", 2])
    skip: int = Field(default=0, ge=0, description="lines above the header", examples=[2])
    member: str | None = Field(
        default=None, description="which file of a .zip, where it holds several", examples=["deals*.csv"]
    )
    where: Condition | None = Field(
        default=None,
        description="which rows are read, in terms of the file's columns; the others are counted and left out",
        examples=["\"Record Type\" = 'Deal' and Amount > 0", "status not in ('Spam', 'Test')"],
    )
    key: Names | None = Field(
        default=None,
        description="the file's column, or columns together, that identify a record",
        examples=["Deal ID", ["Case", "Event No"]],
    )
    columns: dict[str, Rule] = Field(
        default_factory=dict,
        description="our column → the file's",
        examples=[{"amount": "Amount", "created_at": {"join": ["Date", "Time"]}, "owner": ["Owner", "Rep"]}],
    )
    constants: dict[str, Text] = Field(
        default_factory=dict, description="our column → one value for all rows", examples=[{"currency": "EUR"}]
    )
    values: dict[str, dict[Text, Text]] = Field(
        default_factory=dict,
        description="our column → what values of the file mean; case is of no matter; values that it lacks stay as they are",
        examples=[{"branch": {"Main St.": "main"}}],
    )
    nulls: list[Text] = Field(
        default_factory=lambda: [""], description="words that mean nothing", examples=[["", "n/a", "-"]]
    )
    dates: Dates = Field(
        default_factory=Dates,
        description="how dates and times are written; needed where there are any, except in Parquet",
        examples=[{"format": "%m/%d/%Y", "timezone": "America/Chicago"}],
    )
    numbers: Numbers = Field(
        default_factory=Numbers,
        description="how numbers in text are written; without it amounts have a . before at most two decimals",
        examples=[{"decimal": ",", "group": ".", "signs": ["€"]}],
    )
    durations: Duration = Field(
        default="seconds",
        description="what a plain number, or 12:30, is in columns of seconds; 0:12:30 and 12m 30s are always read",
        examples=["minutes", "mm:ss"],
    )
    stages: Stages | None = Field(
        default=None,
        description="today's stage of deals or leads, and the dates on which they entered stages",
        examples=[{"current": {"column": "Stage", "map": {"Won": "won"}}, "entered": {"won": "Closed"}}],
    )
    order: str | None = Field(
        default=None,
        description="what comes first where times of events are equal: `file` (the lines), or a column",
        examples=["file", "Event No"],
    )
    optional: bool = Field(default=False, description="no mistake where no file is there", examples=[True])

    @model_validator(mode="before")
    @classmethod
    def _of_xes(cls, value: Any) -> Any:
        """An event log in XES says itself what its parts are."""
        if not isinstance(value, dict) or value.get("entity") != "stage_events" or "columns" in value:
            return value
        paths = _as_list(value.get("path")) or [""]
        kinds = {value.get("format") or _FORMATS.get(_suffix(str(path))) for path in paths}
        return {**_XES, **value} if kinds == {"xes"} else value

    @field_validator("sheet")
    @classmethod
    def _sheets_count_from_one(cls, value: str | int) -> str | int:
        if isinstance(value, int) and value < 1:
            raise ValueError("must be the sheet's name, or its number from 1")
        return value

    @field_validator("path")
    @classmethod
    def _paths_stay_inside(cls, value: list[str]) -> list[str]:
        for path in value:
            if not path.strip() or Path(path).is_absolute() or ".." in Path(path).parts:
                raise ValueError("must be a path inside the data directory, relative to it")
        return value

    @field_validator("entity")
    @classmethod
    def _entity_exists(cls, value: str) -> str:
        if value not in ENTITIES:
            raise ValueError(f"is no entity; expected one of: {', '.join(ENTITIES)}{_near(value, ENTITIES)}")
        return value

    @property
    def words(self) -> str:
        """The paths, as they are said to people."""
        return "', '".join(self.path)

    @property
    def definition(self) -> Entity:
        return ENTITIES[self.entity]

    @property
    def kinds(self) -> set[str | None]:
        """The formats of the files; None where it can't be told."""
        return {self.format} if self.format else {_FORMATS.get(_suffix(path)) for path in self.path}

    @property
    def kind(self) -> str:
        """csv, excel, parquet, jsonl or xes."""
        return str(next(iter(self.kinds)))

    def delimiter_of(self, file: str) -> str:
        """What stands between the fields of ``file``."""
        return self.delimiter or ("\t" if _suffix(file) == ".tsv" else ",")

    @property
    def feeds(self) -> list[str]:
        """The entities that rows of the file become: its own, and stage events where it has dates of stages."""
        return [self.entity, *(["stage_events"] if self.has_stage_events else [])]

    @property
    def has_stage_events(self) -> bool:
        """Whether its rows tell when records entered stages."""
        return self.stages is not None and (bool(self.stages.entered) or self.stages.snapshot is not None)

    @property
    def needs_lines(self) -> bool:
        """Whether the number of a row's line is part of the row, as its key or its order, or rows are left out."""
        return self.order == "file" or not self.is_keyed or self.where is not None

    @property
    def is_keyed(self) -> bool:
        """Whether the mapping says what identifies a record; else each row is one."""
        return bool(self.key) or self.definition.key in self.given

    @property
    def given(self) -> list[str]:
        """The canonical columns that ``columns`` and ``constants`` name."""
        return [self.canonical(name) for name in (*self.columns, *self.constants)]

    @property
    def rules(self) -> dict[str, ColumnRule]:
        """Canonical column → where its value comes from."""
        return {self.canonical(name): rule for name, rule in self.columns.items()}

    @property
    def key_sources(self) -> list[str]:
        """The columns of the file that identify a record; none where a constant, or the line, does."""
        rule = self.rules.get(self.definition.key)
        return list(self.key or (rule.names if rule else ()))

    @property
    def money(self) -> set[str]:
        """The columns of the file that hold amounts."""
        return {name for column, rule in self.rules.items() if self._type(column) == "decimal" for name in rule.names}

    @property
    def provided(self) -> set[str]:
        """The canonical columns that rows of this mapping have."""
        names = set(self.given)
        if self.key or self.definition.key not in self.definition.required:
            names.add(self.definition.key)
        if any(name in ("lead", "deal") for name in self.columns) or "subject_type" in self._names:
            names.add("subject_type")
        if self.stages and self.stages.current:
            names.add(STAGE_COLUMN[self.entity])
        return names

    @property
    def sources(self) -> list[str]:
        """The columns of the file that the mapping may use, each once."""
        used = [name for rule in self.columns.values() for name in rule.names] + list(self.key or ())
        if self.stages:
            used += self.stages.current.column if self.stages.current else []
            used += [name for rule in self.stages.entered.values() for name in rule.names]
        if self.order not in (None, "file"):
            used.append(str(self.order))
        return list(dict.fromkeys([*used, *self.asked]))

    @property
    def asked(self) -> list[str]:
        """The columns that ``where`` names."""
        tree = read_condition(self.where) if self.where else None
        return list(dict.fromkeys(node.name for node in tree.find_all(exp.Column))) if tree else []

    def missing(self, columns: Collection[str]) -> list[str]:
        """The columns that the mapping needs and a file with ``columns`` lacks."""
        rules = [*self.columns.values(), *(self.stages.entered.values() if self.stages else ())]
        lacking = [name for rule in rules if rule.is_missing(columns) for name in rule.names if name not in columns]
        single = [*(self.key or ()), *([str(self.order)] if self.order not in (None, "file") else [])]
        lacking += [name for name in single if name not in columns]
        folded = {name.casefold() for name in columns}  # names in a condition know no case
        lacking += [name for name in self.asked if name.casefold() not in folded]
        current = self.stages.current if self.stages else None
        if current and not current.optional and not any(name in columns for name in current.column):
            lacking += current.column
        return list(dict.fromkeys(lacking))

    def canonical(self, name: str) -> str:
        """The canonical column that ``name`` means: ``owner`` is ``owner_id``; ``deal`` and ``lead`` in an event log are its subject."""
        if name in self._names:
            return name
        if name in ("deal", "lead") and "subject_id" in self._names:
            return "subject_id"
        return ALIASES.get(name, name)

    @property
    def _names(self) -> set[str]:
        return {column.name for column in self.definition.columns}

    def _type(self, name: str) -> str:
        return self.definition.column(self.canonical(name)).type if self.canonical(name) in self._names else "text"

    def mistakes(self) -> Iterator[tuple[set[str], Place, str]]:
        """What is wrong with it though each of its options is right: the options that it is about, the place, and the text."""
        yield from self._unknown_columns()
        named = [self.canonical(name) for name in (*self.columns, *self.constants)]
        for twice in sorted({name for name in named if named.count(name) > 1}):
            yield {"columns", "constants"}, (), f"'{twice}' is mapped twice"
        rule = self.rules.get(self.definition.key)
        if self.key and self.definition.key in named and not (rule and rule.is_plain and rule.column == self.key):
            yield {"key"}, (), f"'{self.definition.key}' is mapped twice: by key and by columns or constants"
        if self.order is not None and "source_order" not in self._names:
            yield (
                {"order"},
                ("order",),
                f"order can't stand with {self.entity}; it belongs to stage_events and field_history",
            )
        elif self.order is not None and "source_order" in named:
            yield {"order"}, ("order",), "'source_order' is mapped twice: by order and by columns or constants"
        for name in self.definition.required:
            if name not in self.provided:
                yield (
                    {"columns", "constants", "key", "stages"},
                    (),
                    f"'{name}' is required in {self.entity}, but neither columns, constants nor key give it",
                )
        if len(self.kinds) > 1:
            yield {"path"}, ("path",), "path names files of several formats; make an entry for each, or set format"
        elif None in self.kinds:
            yield (
                {"path"},
                (),
                f"the format of '{self.words}' can't be told from its ending; set format to csv, excel, parquet, jsonl or xes",
            )
        elif self.format == "xes" and "encoding" in self.model_fields_set:
            yield {"encoding"}, ("encoding",), "XES says itself what it is written in"
        yield from self._misplaced_stages()
        yield from self._unsaid_dates()

    def _unknown_columns(self) -> Iterator[tuple[set[str], Place, str]]:
        parts: tuple[tuple[str, Mapping[str, Any]], ...] = (
            ("columns", self.columns),
            ("constants", self.constants),
            ("values", self.values),
        )
        for part, names in parts:
            for name in names:
                if self.canonical(name) not in self._names:
                    expected = f"expected one of: {', '.join(sorted(self._names))}{_near(name, self._names)}"
                    yield {part}, (part, name), f"{part}.{name} is no column of {self.entity}; {expected}"

    def _misplaced_stages(self) -> Iterator[tuple[set[str], Place, str]]:
        if self.stages is None:
            return
        column = STAGE_COLUMN.get(self.entity)
        if column is None:
            yield {"stages"}, ("stages",), f"stages can't stand with {self.entity}; they belong to deals or leads"
        elif self.stages.snapshot and (self.stages.current is None or isinstance(self, TableMapping)):
            why = "a table has no file's name" if isinstance(self, TableMapping) else "snapshots need stages.current"
            yield {"stages"}, ("stages", "snapshot"), f"stages.snapshot can't stand here: {why}"
        elif self.stages.current and column in self.given:
            yield {"stages"}, (), f"'{column}' is mapped twice: by stages.current and by columns or constants"

    def _unsaid_dates(self) -> Iterator[tuple[set[str], Place, str]]:
        wanted = [
            (name, name, rule, self._type(name))
            for name, rule in self.columns.items()
            if self._type(name) in ("timestamp", "date")
        ]
        entered = self.stages.entered if self.stages else {}
        wanted += [(rule.names[0], stage, rule, "timestamp") for stage, rule in entered.items()]
        for shown, name, column, kind in wanted:
            if self.kind == "parquet" and column.is_plain:
                continue
            rule = self.dates.rule(name, self.canonical(name), *column.names)
            if rule.format is None and self.kind != "parquet":
                yield (
                    {"dates"},
                    (),
                    f"'{shown}' is a date or time: set dates.format, for example \"%Y-%m-%d\" or iso8601",
                )
            elif (
                rule.timezone is None
                and kind == "timestamp"
                and not all("%z" in text or text.startswith("unix") for text in rule.format or [""])
            ):
                yield {"dates"}, (), f"'{shown}' is a time: set dates.timezone, for example America/Chicago, or UTC"


class FileSource(_Strict):
    """A whole ``sources/<name>.yml``."""

    location: Annotated[str, AfterValidator(_location)] | None = Field(
        default=None,
        description="the bucket where the files are, where that is not the data directory",
        examples=["s3://exports/crm"],
    )
    files: list[FileMapping] = Field(min_length=1, description="which files there are, and what they hold")


class TableMapping(FileMapping):
    """One entry of ``tables``: a table or view (``schema.name``), and what its columns are. How files are written does not apply."""

    table: str = Field(description="the table or view", examples=["crm.deals"])

    @model_validator(mode="before")
    @classmethod
    def _named_by_its_table(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        of_files = sorted(_OF_FILES & set(value))
        if of_files:
            raise ValueError(f"'{of_files[0]}' says how a file is written; a table has none of it")
        return {**value, "path": str(value.get("table") or "-"), "format": "parquet"}


class TableSource(_Strict):
    """``sources/<name>.yml`` of a database. Its address is a secret: ``connection`` of ``[sources.<name>]``."""

    tables: list[TableMapping] = Field(min_length=1, description="which tables are read, and what they hold")


Source = TypeVar("Source", bound=BaseModel)


def load(path: Path, process: Process) -> FileSource:
    """Read and check ``path`` against the entities and the process. ConfigurationError lists every mistake with file, line and key."""
    return _read(path, FileSource, "files", FileMapping, process)


def load_tables(path: Path, process: Process) -> TableSource:
    """The same for tables of a database."""
    return _read(path, TableSource, "tables", TableMapping, process)


def _read(path: Path, model: type[Source], part: str, entry: type[FileMapping], process: Process) -> Source:
    if not _NAME.fullmatch(path.stem):
        raise ConfigurationError(
            f"sources/{path.name}: '{path.stem}' is no name for a source; expected lower-case letters, digits and single _ between them."
        )

    def checks(document: Any) -> Iterator[tuple[Place, str]]:
        entries = document.get(part) if isinstance(document, dict) else None
        for index, one in enumerate(entries if isinstance(entries, list) else ()):
            for place, text in _mistakes(one, entry, process):
                yield (part, index, *place), f"{part}[{index}]{text}"

    return load_model(path, model, checks)


def _mistakes(document: Any, model: type[FileMapping], process: Process) -> Iterator[tuple[Place, str]]:
    """The mistakes of an entry that no single option shows. Options that are wrong themselves, which are told anyway, are left out."""
    entry, wrong = salvaged(document, model)
    if entry is None:
        return
    for about, place, text in entry.mistakes():
        if not about & wrong:
            yield place, f": {text}"
    yield from _unknown_stages(entry, process)


def salvaged(document: Any, model: type[FileMapping]) -> tuple[FileMapping | None, set[str]]:
    """An entry without the options that are wrong, and their names; None where nothing can be made of it."""
    if not isinstance(document, dict):
        return None, set()
    wrong: set[str] = set()
    kept = dict(document)
    for _ in range(2):
        try:
            return model.model_validate(kept), wrong
        except ValidationError as error:
            places = [item["loc"] for item in error.errors() if item["loc"]]
            wrong |= {str(place[0]) for place in places if place[0] != "columns" or len(place) < 2}
            kept = {key: value for key, value in document.items() if key not in wrong}
            if isinstance(kept.get("columns"), dict):
                names = {place[1] for place in places if place[0] == "columns"}
                kept["columns"] = {name: rule for name, rule in kept["columns"].items() if name not in names}
            if "path" in wrong:
                kept["path"] = "-.csv"
    return None, wrong


def _unknown_stages(entry: FileMapping, process: Process) -> Iterator[tuple[Place, str]]:
    stages = sorted(stage.key for stage in process.process.stages)
    if entry.stages is None:
        return
    named: list[tuple[tuple[str, ...], str]] = [(("stages", "entered", stage), stage) for stage in entry.stages.entered]
    if entry.stages.current:
        words = entry.stages.current.map.items()
        named += [(("stages", "current", "map", value), stage) for value, stage in words if stage != IGNORE]
    for place, stage in named:
        if stage not in stages:
            yield (
                place,
                f".{'.'.join(place)}: '{stage}' is no stage of process.yml; expected one of: {', '.join(stages)}",
            )


def _near(name: str, known: Collection[str]) -> str:
    hint = suggest(name, known)
    return hint if "did you mean" in hint else ""


def _suffix(path: str) -> str:
    """The ending that says what a file is: of ``deals.csv.gz`` that is ``.csv``."""
    name = PurePosixPath(path.lower())
    return PurePosixPath(name.stem).suffix if name.suffix in PACKED and PurePosixPath(name.stem).suffix else name.suffix
