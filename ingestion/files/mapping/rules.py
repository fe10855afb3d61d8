"""The parts of a mapping with their checks: rules of columns, dates, numbers, stages. A whole entry belongs to ``model``."""

from __future__ import annotations

import codecs
import re
from collections.abc import Collection
from typing import Annotated, Any, Literal

import duckdb
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from ingestion.connector.buckets import check_location
from ingestion.sql.text import quote
from salesgauge.process.expressions import read_condition
from salesgauge.process.model import Timezone


def _as_text(value: Any) -> Any:
    """YAML reads 1, true and 2026-01-01 as other types than text; in a mapping they are what the file's cells say."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def as_list(value: Any) -> Any:
    """``value`` as a list, where a single value stands for one."""
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
    return value if isinstance(value, dict | ColumnRule) else {"column": as_list(_as_name(value))}


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


def checked_location(value: str) -> str:
    """``value`` if it is the address of a place of files; ValueError."""
    check_location(value)
    return value


Text = Annotated[str, BeforeValidator(_as_text)]
Name = Annotated[str, BeforeValidator(_as_name)]
Names = Annotated[list[Name], BeforeValidator(as_list)]
DateFormat = Annotated[str, AfterValidator(_date_format)]
Encoding = Annotated[str, AfterValidator(_encoding)]
Character = Annotated[str, AfterValidator(_one_character)]
Condition = Annotated[str, AfterValidator(_condition)]
Duration = Literal["seconds", "minutes", "hours", "mm:ss", "hh:mm"]


class Strict(BaseModel):
    """A part of a mapping: an option that it does not know is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class ColumnRule(Strict):
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


class DateRule(Strict):
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


class Numbers(Strict):
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


class CurrentStage(Strict):
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


class Stages(Strict):
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
