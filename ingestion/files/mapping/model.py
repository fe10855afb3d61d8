"""``sources/<name>.yml``: how files map to canonical entities, with its checks. Reading files belongs to ``readers``, the SQL to ``sql``.

The options are the fields of the models here and in ``rules``; their descriptions and examples are what people read of them. A document is checked as
a whole (``loading``): every mistake is told with file, line and key.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator
from sqlglot import exp

from ingestion.files.mapping.rules import (
    Character,
    ColumnRule,
    Condition,
    Dates,
    Duration,
    Encoding,
    Names,
    Numbers,
    Rule,
    Stages,
    Strict,
    Text,
    as_list,
    checked_location,
)
from salesgauge.entities import ENTITIES, Entity
from salesgauge.names import suggest
from salesgauge.process.expressions import read_condition
from salesgauge.yaml_file import Place

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
_OF_FILES = {"path", "format", "encoding", "delimiter", "quote", "sheet", "skip", "member"}


class FileMapping(Strict):
    """One entry of ``files``: which files, how they are written, and what their columns are."""

    path: Annotated[list[str], BeforeValidator(as_list)] = Field(
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
        paths = as_list(value.get("path")) or [""]
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
            raise ValueError(f"is no entity; expected one of: {', '.join(ENTITIES)}{near(value, ENTITIES)}")
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
                    expected = f"expected one of: {', '.join(sorted(self._names))}{near(name, self._names)}"
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


class FileSource(Strict):
    """A whole ``sources/<name>.yml``."""

    location: Annotated[str, AfterValidator(checked_location)] | None = Field(
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


class TableSource(Strict):
    """``sources/<name>.yml`` of a database. Its address is a secret: ``connection`` of ``[sources.<name>]``."""

    tables: list[TableMapping] = Field(min_length=1, description="which tables are read, and what they hold")


def near(name: str, known: Collection[str]) -> str:
    """A hint at the one of ``known`` that ``name`` is like; empty where there is none."""
    hint = suggest(name, known)
    return hint if "did you mean" in hint else ""


def _suffix(path: str) -> str:
    """The ending that says what a file is: of ``deals.csv.gz`` that is ``.csv``."""
    name = PurePosixPath(path.lower())
    return PurePosixPath(name.stem).suffix if name.suffix in PACKED and PurePosixPath(name.stem).suffix else name.suffix
