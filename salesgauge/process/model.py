"""What may stand in ``process.yml``: the shape of each part. Names that must exist are checked in ``checks``, ``tables`` writes it to the warehouse."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import duckdb
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from salesgauge.entities import ENTITIES
from salesgauge.names import suggest
from salesgauge.process.checks import mistakes
from salesgauge.process.expressions import alternatives, columns_of, is_day, objects_of, parse_condition, to_sql
from salesgauge.process.hours import WEEKDAYS, OpeningHours, opening_hours
from salesgauge.yaml_file import load_model

DEFINITION_VERSION = 1
PLACEHOLDERS = (
    "n/a", "na", "none", "null", "unknown", "unk", "tbd", "test", "select", "-", "--", ".", "?", "x", "xx", "xxx", "asdf", "0",
)  # fmt: skip
OBJECT_COLUMNS = {
    record: {column.name: column.type for column in ENTITIES[entity].columns}
    for record, entity in {"lead": "leads", "deal": "deals", "appointment": "appointments"}.items()
}
EXCLUSION_COLUMNS = {record: OBJECT_COLUMNS[record] for record in ("lead", "deal")}


def _timezone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("is no time zone; expected an IANA name such as America/Chicago") from error
    return value


def _currency(value: str) -> str:
    if not re.fullmatch(r"[A-Z]{3}", value):
        raise ValueError("is no currency; expected an ISO 4217 code such as USD")
    return value


def _key(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", value):
        raise ValueError("is no key; expected lower-case letters, digits and _")
    return value


def _day(value: Any) -> Any:
    if type(value) is date or (isinstance(value, str) and is_day(value)):
        return value
    raise ValueError("is no day; expected one that exists, as YYYY-MM-DD")


Timezone = Annotated[str, AfterValidator(_timezone)]
Currency = Annotated[str, AfterValidator(_currency)]
Key = Annotated[str, AfterValidator(_key)]
Day = Annotated[date, BeforeValidator(_day)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]


class _Strict(BaseModel):
    """Unknown keys are mistakes: a misspelt limit must not be silently ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Branch(_Strict):
    label: str | None = None
    timezone: Timezone | None = None
    open: dict[str, str | list[str]] = Field(default_factory=dict)
    holidays: list[Day] = Field(default_factory=list)
    on_call: str | None = None

    @field_validator("open")
    @classmethod
    def _hours_are_readable(cls, value: dict[str, str | list[str]]) -> dict[str, str | list[str]]:
        opening_hours(value)
        return value

    @property
    def hours(self) -> list[OpeningHours]:
        """The opening hours, a row per window of a weekday."""
        return opening_hours(self.open)


class CompanyProfile(_Strict):
    name: str
    currency: Currency
    timezone: Timezone
    week_starts_on: Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"] = "mon"
    fiscal_year_starts_in: int = Field(default=1, ge=1, le=12)
    holidays: list[Day] = Field(default_factory=list)
    branches: dict[Key, Branch] = Field(default_factory=dict)


class Cost(_Strict):
    amount: Decimal
    note: str | None = None


class Version(_Strict):
    key: Key
    effective_from: Day
    cost: Cost | None = None


class Limits(_Strict):
    first_touch_minutes: int | None = Field(default=None, gt=0)
    days_in_stage: Number | None = Field(default=None, gt=0)
    cadence_days: list[Annotated[int, Field(ge=0)]] = Field(default_factory=list)

    @field_validator("cadence_days")
    @classmethod
    def _touches_follow_each_other(cls, value: list[int]) -> list[int]:
        if value != sorted(value):
            raise ValueError(
                f"the days must not go back: {value}. Write the local days from the entry in order, such as [0, 1, 3, 7]"
            )
        return value


class Stage(_Strict):
    key: Key
    label: str | None = None
    kind: Literal["open", "won", "lost", "disqualified", "post_sale"] = "open"
    object: Literal["lead", "deal"] = "deal"
    owner_role: str | None = None
    tools: list[str] = Field(default_factory=list)
    limits: Limits = Field(default_factory=Limits)
    required: dict[str, Number] = Field(default_factory=dict)
    exit: dict[Key, str] = Field(default_factory=dict)
    reasons: list[str] = Field(default_factory=list)
    playbook: str | None = None

    @field_validator("exit")
    @classmethod
    def _criteria_are_conditions(cls, value: dict[str, str]) -> dict[str, str]:
        problems = []
        for criterion, text in value.items():
            try:
                parse_condition(text, OBJECT_COLUMNS)
            except ValueError as error:
                problems.append(f"criterion '{criterion}': {error}")
        if problems:
            raise ValueError("; ".join(problems))
        return value

    @model_validator(mode="after")
    def _required_fields_exist(self) -> Stage:
        problems = []
        for field, weight in self.required.items():
            if field not in OBJECT_COLUMNS[self.object]:
                problems.append(
                    f"required field '{field}' is no column of a {self.object}{suggest(field, OBJECT_COLUMNS[self.object])}"
                )
            if weight <= 0:
                problems.append(f"the weight of required field '{field}' must be above 0 (found {weight})")
        if problems:
            raise ValueError("; ".join(problems))
        return self


class ProcessMap(_Strict):
    versions: list[Version] = Field(min_length=1)
    stages: list[Stage] = Field(min_length=2)

    @field_validator("versions")
    @classmethod
    def _versions_in_order(cls, value: list[Version]) -> list[Version]:
        _unique("version", [version.key for version in value])
        starts = [version.effective_from for version in value]
        if starts != sorted(set(starts)):
            raise ValueError("versions must stand in the order of effective_from, each on another day")
        return value

    @field_validator("stages")
    @classmethod
    def _stages_make_a_process(cls, value: list[Stage]) -> list[Stage]:
        _unique("stage", [stage.key for stage in value])
        kinds = [stage.kind for stage in value]
        if kinds[0] != "open":
            raise ValueError("the first stage must be of kind open")
        if kinds.count("won") > 1:
            raise ValueError("there can be only one stage of kind won")
        open_or_won = [stage for stage in value if stage.kind in ("open", "won")]
        if any(stage.kind == "won" for stage in open_or_won[:-1]):
            raise ValueError("the stage of kind won must come after all open ones")
        objects = [stage.object for stage in value if stage.kind == "open"]
        if objects != sorted(objects, key=lambda name: name == "deal"):
            raise ValueError("open stages of leads must come before those of deals")
        return value


class Target(_Strict):
    kpi: Key
    target: Number
    before: Number | None = None
    from_stage: str | None = Field(default=None, alias="from")
    to_stage: str | None = Field(default=None, alias="to")
    segment_type: str | None = None
    segment: str | None = None
    direction: Literal["up", "down"] | None = None
    effective_from: Day | None = None


class Question(_Strict):
    """A question to the metrics that has a name: ``salesgauge query NAME``, and a table of each published version."""

    name: Key
    metrics: list[str] = Field(min_length=1)
    by: list[str] = Field(default_factory=list)
    grain: Literal["day", "week", "month", "quarter", "year"] | None = None
    where: str | None = None
    compare: Literal["previous_period", "previous_year", "before", "target"] | None = None
    sort: list[str] = Field(default_factory=list)
    limit: int | None = Field(default=None, gt=0)
    description: str | None = None

    @field_validator("metrics", "by", "sort", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @property
    def definition(self) -> dict[str, Any]:
        """The question without its name, and without what it does not say."""
        return self.model_dump(exclude={"name"}, exclude_defaults=True)


class ExchangeRate(_Strict):
    currency: Currency
    date: Day
    rate: Decimal = Field(gt=0)


class Qualification(_Strict):
    """``met``: name of a criterion → the condition over a deal and its lead under which it is met. ``after``: the open stage by whose end all should be."""

    method: Literal["bant"] = "bant"
    after: Key | None = None
    met: dict[Key, str] = Field(default_factory=dict)


class IdentityPair(_Strict):
    """A record (a call, an appointment, a form or a contact) and a lead, both as ``<source>:<id>``.

    ``entity``: what the record is, where records of several kinds have the same id (a file may number both its calls and its contacts from 1).
    """

    entity: Literal["call", "appointment", "form_submission", "contact"] | None = None
    record: str = Field(pattern=r"^[a-z0-9_]+:.+$")
    lead: str = Field(pattern=r"^[a-z0-9_]+:.+$")


class Identity(_Strict):
    """What people know better than the rules that match records of one system to leads of another."""

    same: list[IdentityPair] = Field(default_factory=list)
    different: list[IdentityPair] = Field(default_factory=list)


class Process(_Strict):
    """``process.yml``: the company, its process, and how the sources' words map to it."""

    company: CompanyProfile
    process: ProcessMap
    qualification: Qualification | None = None
    stage_mapping: dict[str, dict[str, dict[str, str]]] = Field(default_factory=dict)
    exclusions: dict[Key, str] = Field(default_factory=dict)
    placeholders: list[str] = Field(default_factory=lambda: list(PLACEHOLDERS))
    targets: list[Target] = Field(default_factory=list)
    questions: list[Question] = Field(default_factory=list)
    activity_classes: dict[Key, Literal["selling", "non_selling", "travel", "admin"]] = Field(default_factory=dict)
    gross_margin: dict[str, Share] = Field(default_factory=dict)
    channels: list[str] = Field(default_factory=list)
    exchange_rates: list[ExchangeRate] = Field(default_factory=list)
    identity: Identity = Field(default_factory=Identity)

    @classmethod
    def load(cls, path: Path) -> Process:
        """Read and check ``path``; ConfigurationError lists every mistake with file, line, key and what was expected."""
        return load_model(path, cls, lambda document: mistakes(document, EXCLUSION_COLUMNS, OBJECT_COLUMNS))

    @field_validator("placeholders", mode="before")
    @classmethod
    def _placeholders_are_text(cls, value: Any) -> Any:
        return [str(item) for item in value] if isinstance(value, list) else value

    def stage(self, key: str) -> Stage:
        """The stage called ``key``; KeyError if there is none."""
        return next(stage for stage in self.process.stages if stage.key == key)

    def calendar_vars(self) -> dict[str, Any]:
        """What of the calendar differs from ISO weeks and calendar years, as the models are told it."""
        first_day, first_month = WEEKDAYS.index(self.company.week_starts_on) + 1, self.company.fiscal_year_starts_in
        told = {"week_starts_on": first_day, "fiscal_year_starts_in": first_month}
        return {name: value for name, value in told.items() if value != 1}

    def exclusion_rules(self) -> list[dict[str, str]]:
        """The exclusions of leads as ``{reason, sql}``, the SQL over a lead's unqualified columns, in the order of the file.

        Of a rule whose parts are joined by ``or`` those that name only a lead are the lead's.
        """
        return self._rules(lambda part: "deal" not in objects_of(part), with_objects=False)

    def deal_exclusion_rules(self) -> list[dict[str, str]]:
        """The exclusions of deals as ``{reason, sql}``: the parts that name a deal, the SQL over ``deal`` and its ``lead``."""
        return self._rules(lambda part: "deal" in objects_of(part), with_objects=True)

    def _rules(self, is_wanted: Callable[[Any], bool], *, with_objects: bool) -> list[dict[str, str]]:
        rules = []
        for reason, text in self.exclusions.items():
            parts = [part for part in alternatives(parse_condition(text, EXCLUSION_COLUMNS)) if is_wanted(part)]
            if parts:
                rules.append(
                    {"reason": reason, "sql": " or ".join(to_sql(part, with_objects=with_objects) for part in parts)}
                )
        return rules

    def qualification_rules(self) -> dict[str, Any]:
        """The criteria of ``qualification`` as ``{criterion, sql}``, the SQL over ``deal`` and its ``lead``, and which columns of these they name:
        ``{name, is_text}`` by object. Nothing where there is none."""
        met = self.qualification.met if self.qualification else {}
        trees = {criterion: parse_condition(text, EXCLUSION_COLUMNS) for criterion, text in met.items()}
        named = sorted({column for tree in trees.values() for column in columns_of(tree)})
        if not trees:
            return {}
        return {
            "criteria": [
                {"criterion": criterion, "sql": to_sql(tree, with_objects=True)} for criterion, tree in trees.items()
            ],
            "columns": {
                record: [{"name": name, "is_text": columns[name] == "text"} for table, name in named if table == record]
                for record, columns in EXCLUSION_COLUMNS.items()
            },
        }

    def write_tables(self, con: duckdb.DuckDBPyConnection, as_of: Any) -> None:
        """(Re)create the schema ``process`` in ``con``. ``as_of``: UTC, naive."""
        from salesgauge.process.tables import write_tables

        write_tables(self, con, as_of)


def _unique(what: str, keys: Iterable[str]) -> None:
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            raise ValueError(f"the {what} '{key}' stands there twice")
        seen.add(key)
