"""``sources/<name>.yml``: how files map to canonical entities, with its checks. Reading files belongs to ``tabular``, the SQL to ``mapping_sql``.

``location`` names a bucket (``s3://bucket/prefix``); without it files are below the data directory. An entry names the files (``path``, a glob), how they are written (``format, encoding, delimiter, quote, sheet, skip, nulls,
dates, numbers``), and what they hold: ``entity``, ``columns`` (canonical column: the file's column), ``constants``, ``values`` (canonical column:
{value in the file: value}), ``key`` (the file's columns that identify a record), ``stages`` (stage and stage events of deals or leads), ``order``
(``file``, or a column: what comes first where times are equal).
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import duckdb
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from ingestion.buckets import check_location
from salesgauge.entities import ENTITIES, Entity
from salesgauge.errors import ConfigurationError
from salesgauge.process import Process
from salesgauge.process.model import Timezone
from salesgauge.yaml_file import line_of, load_model, load_yaml

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
_FORMATS = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".xlsx": "excel", ".xlsm": "excel", ".parquet": "parquet", ".jsonl": "jsonl", ".ndjson": "jsonl",
}  # fmt: skip
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def _as_text(value: Any) -> Any:
    """YAML reads 1, true and 2026-01-01 as other types than text; in a mapping they are what the file's cells say."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _date_format(value: str) -> str:
    if value == "iso8601":
        return value
    try:
        duckdb.execute("select try_strptime('', $1)", [value])
    except duckdb.Error as error:
        raise ValueError("is no date format; expected strftime codes such as %Y-%m-%d %H:%M:%S, or iso8601") from error
    if "%" not in value:
        raise ValueError("is no date format; expected strftime codes such as %Y-%m-%d, or iso8601")
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
        raise ValueError("must be one character, or tab")
    return value


def _location(value: str) -> str:
    check_location(value)
    return value


Text = Annotated[str, BeforeValidator(_as_text)]
DateFormat = Annotated[str, AfterValidator(_date_format)]
Encoding = Annotated[str, AfterValidator(_encoding)]
Character = Annotated[str, AfterValidator(_one_character)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class DateRule(_Strict):
    """How dates and times are written. ``timezone`` is that of times without an offset."""

    format: list[DateFormat] | None = None
    timezone: Timezone | None = None

    @field_validator("format", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


class Dates(DateRule):
    """The rule for all columns, and rules for single ones (by canonical name, or by the source's name for columns of ``stages.entered``)."""

    columns: dict[str, DateRule] = Field(default_factory=dict)

    def rule(self, *names: str) -> DateRule:
        """The rule for the column that is called any of ``names``: its own, completed by the general one."""
        own = next((self.columns[name] for name in names if name in self.columns), DateRule())
        return DateRule(format=own.format or self.format, timezone=own.timezone or self.timezone)


class Numbers(_Strict):
    """How numbers are written: the decimal mark, the mark between groups of three digits, and signs to leave out (currencies, units, %)."""

    decimal: Character = "."
    group: Character | None = None
    signs: list[Text] = Field(default_factory=list)

    @model_validator(mode="after")
    def _marks_differ(self) -> Numbers:
        if self.decimal == self.group:
            raise ValueError("decimal and group can't be the same character")
        return self


class CurrentStage(_Strict):
    """The column that holds today's stage, and what its values mean in stages of ``process.yml``; values that it lacks stay as they are."""

    column: str
    map: dict[Text, str] = Field(default_factory=dict)


class Stages(_Strict):
    """``entered``: stage → column with the date on which it was entered. No date, no event."""

    current: CurrentStage | None = None
    entered: dict[str, str] = Field(default_factory=dict)


class FileMapping(_Strict):
    """One entry of ``files``: which files, how they are written, and what their columns are."""

    path: str
    entity: str
    format: Literal["csv", "excel", "parquet", "jsonl"] | None = None
    encoding: Encoding | None = None
    delimiter: Character | None = None
    quote: Character = '"'
    sheet: str | int = 1
    skip: int = Field(default=0, ge=0)
    key: list[str] | None = None
    columns: dict[str, str] = Field(default_factory=dict)
    constants: dict[str, Text] = Field(default_factory=dict)
    values: dict[str, dict[Text, Text]] = Field(default_factory=dict)
    nulls: list[Text] = Field(default_factory=lambda: [""])
    dates: Dates = Field(default_factory=Dates)
    numbers: Numbers = Field(default_factory=Numbers)
    stages: Stages | None = None
    order: str | None = None
    optional: bool = False

    @field_validator("key", mode="before")
    @classmethod
    def _key_as_list(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @field_validator("sheet")
    @classmethod
    def _sheets_count_from_one(cls, value: str | int) -> str | int:
        if isinstance(value, int) and value < 1:
            raise ValueError("must be the sheet's name, or its number from 1")
        return value

    @field_validator("path")
    @classmethod
    def _path_stays_inside(cls, value: str) -> str:
        if not value.strip() or Path(value).is_absolute() or ".." in Path(value).parts:
            raise ValueError("must be a path inside the data directory, relative to it")
        return value

    @field_validator("entity")
    @classmethod
    def _entity_exists(cls, value: str) -> str:
        if value not in ENTITIES:
            raise ValueError(f"is no entity; expected one of: {', '.join(ENTITIES)}")
        return value

    @model_validator(mode="after")
    def _columns_fit_the_entity(self) -> FileMapping:
        known = {column.name for column in self.definition.columns}
        for part, names in (("columns", self.columns), ("constants", self.constants), ("values", self.values)):
            for name in names:
                if self.canonical(name) not in known:
                    raise ValueError(
                        f"{part}.{name} is no column of {self.entity}; expected one of: {', '.join(sorted(known))}"
                    )
        given = [self.canonical(name) for name in (*self.columns, *self.constants)]
        twice = sorted({name for name in given if given.count(name) > 1})
        if twice:
            raise ValueError(f"'{twice[0]}' is mapped twice")
        named = [source for name, source in self.columns.items() if self.canonical(name) == self.definition.key]
        if self.key and self.definition.key in given and named != self.key:
            raise ValueError(f"'{self.definition.key}' is mapped twice: by key and by columns or constants")
        if self.order is not None and "source_order" not in known:
            raise ValueError(f"order can't stand with {self.entity}; it belongs to stage_events and field_history")
        if self.order is not None and "source_order" in given:
            raise ValueError("'source_order' is mapped twice: by order and by columns or constants")
        missing = [name for name in self.definition.required if name not in self.provided]
        if missing:
            raise ValueError(
                f"'{missing[0]}' is required in {self.entity}, but neither columns, constants nor key give it"
            )
        return self

    @model_validator(mode="after")
    def _format_is_known(self) -> FileMapping:
        if self.format is None and Path(self.path).suffix.lower() not in _FORMATS:
            raise ValueError(
                f"the format of '{self.path}' can't be told from its ending; set format to csv, excel, parquet or jsonl"
            )
        return self

    @model_validator(mode="after")
    def _stages_belong_to_records(self) -> FileMapping:
        if self.stages is None:
            return self
        column = STAGE_COLUMN.get(self.entity)
        if column is None:
            raise ValueError(f"stages can't stand with {self.entity}; they belong to deals or leads")
        if self.stages.current and column in (self.canonical(name) for name in (*self.columns, *self.constants)):
            raise ValueError(f"'{column}' is mapped twice: by stages.current and by columns or constants")
        return self

    @model_validator(mode="after")
    def _dates_are_explicit(self) -> FileMapping:
        if self.kind == "parquet":
            return self
        wanted = [(name, source) for name, source in self.columns.items() if self._type(name) in ("timestamp", "date")]
        wanted += [(source, source) for source in (self.stages.entered.values() if self.stages else ())]
        for name, source in wanted:
            rule = self.dates.rule(name, self.canonical(name), source)
            if rule.format is None:
                raise ValueError(f"'{name}' is a date or time: set dates.format, for example \"%Y-%m-%d\" or iso8601")
            has_offset = all("%z" in text for text in rule.format)
            if rule.timezone is None and not has_offset and (name == source or self._type(name) == "timestamp"):
                raise ValueError(f"'{name}' is a time: set dates.timezone, for example America/Chicago, or UTC")
        return self

    @property
    def definition(self) -> Entity:
        return ENTITIES[self.entity]

    @property
    def kind(self) -> str:
        """csv, excel, parquet or jsonl."""
        return self.format or _FORMATS[Path(self.path).suffix.lower()]

    @property
    def field_delimiter(self) -> str:
        return self.delimiter or ("\t" if self.path.lower().endswith(".tsv") else ",")

    @property
    def feeds(self) -> list[str]:
        """The entities that rows of the file become: its own, and stage events where it has dates of stages."""
        return [self.entity, *(["stage_events"] if self.stages and self.stages.entered else [])]

    @property
    def needs_lines(self) -> bool:
        """Whether the number of a row's line is part of the row: as its key, or as its order."""
        return self.order == "file" or not self.is_keyed

    @property
    def is_keyed(self) -> bool:
        """Whether the mapping says what identifies a record; else each row is one."""
        given = {self.canonical(name) for name in (*self.columns, *self.constants)}
        return bool(self.key) or self.definition.key in given

    @property
    def money(self) -> dict[str, str]:
        """The columns of the file that hold amounts, by canonical column."""
        return {self.canonical(name): source for name, source in self.columns.items() if self._type(name) == "decimal"}

    @property
    def key_sources(self) -> list[str]:
        """The columns of the file that identify a record; none where a constant, or the line, does."""
        named = [source for name, source in self.columns.items() if self.canonical(name) == self.definition.key]
        return list(self.key or named)

    @property
    def provided(self) -> set[str]:
        """The canonical columns that rows of this mapping have."""
        names = {self.canonical(name) for name in (*self.columns, *self.constants)}
        if self.key or self.definition.key not in self.definition.required:
            names.add(self.definition.key)
        if any(name in ("lead", "deal") for name in self.columns) or "subject_type" in self._names:
            names.add("subject_type")
        if self.stages and self.stages.current:
            names.add(STAGE_COLUMN[self.entity])
        return names

    @property
    def sources(self) -> list[str]:
        """The columns of the file that the mapping uses, each once."""
        used = [*self.columns.values(), *(self.key or ())]
        if self.stages:
            used += [self.stages.current.column] if self.stages.current else []
            used += self.stages.entered.values()
        if self.order not in (None, "file"):
            used.append(str(self.order))
        return list(dict.fromkeys(used))

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
        return self.definition.column(self.canonical(name)).type


class FileSource(_Strict):
    """A whole ``sources/<name>.yml``. ``location``: the bucket where the files are, and not the data directory."""

    location: Annotated[str, AfterValidator(_location)] | None = None
    files: list[FileMapping] = Field(min_length=1)


class TableMapping(FileMapping):
    """One entry of ``tables``: a table or view (``schema.name``), and what its columns are. How files are written does not apply."""

    table: str

    @model_validator(mode="before")
    @classmethod
    def _named_by_its_table(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        of_files = sorted({"path", "format", "encoding", "delimiter", "quote", "sheet", "skip"} & set(value))
        if of_files:
            raise ValueError(f"'{of_files[0]}' says how a file is written; a table has none of it")
        return {**value, "path": str(value.get("table") or ""), "format": "parquet"}


class TableSource(_Strict):
    """``sources/<name>.yml`` of a database. Its address is a secret: ``connection`` of ``[sources.<name>]``."""

    tables: list[TableMapping] = Field(min_length=1)


Source = TypeVar("Source", bound=BaseModel)


def load(path: Path, process: Process) -> FileSource:
    """Read and check ``path`` against the entities and the process. ConfigurationError lists every mistake with file, line and key."""
    source = _read(path, FileSource)
    _check_stages(path, process, "files", source.files)
    return source


def load_tables(path: Path, process: Process) -> TableSource:
    """The same for tables of a database."""
    source = _read(path, TableSource)
    _check_stages(path, process, "tables", source.tables)
    return source


def _read(path: Path, model: type[Source]) -> Source:
    if not _NAME.fullmatch(path.stem):
        raise ConfigurationError(
            f"sources/{path.name}: '{path.stem}' is no name for a source; expected lower-case letters, digits and single _ between them."
        )
    return load_model(path, model)


def _check_stages(path: Path, process: Process, part: str, entries: Sequence[FileMapping]) -> None:
    document = load_yaml(path)
    stages = {stage.key for stage in process.process.stages}
    problems = []
    for index, entry in enumerate(entries):
        if entry.stages is None:
            continue
        named = [(("stages", "entered", stage), stage) for stage in entry.stages.entered]
        if entry.stages.current:
            named += [(("stages", "current", "map", value), stage) for value, stage in entry.stages.current.map.items()]
        for location, stage in named:
            if stage not in stages:
                line = line_of(document, (part, index, *location))
                problems.append(
                    f"{path.name}:{line}: {part}[{index}].{'.'.join(location)}: '{stage}' is no stage of process.yml; "
                    f"expected one of: {', '.join(sorted(stages))}"
                )
    if problems:
        raise ConfigurationError("\n".join(problems))
