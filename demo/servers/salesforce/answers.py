"""What Salesforce's answers look like: the token, pages of a query, descriptions, bulk jobs and their CSV, errors as arrays.

Which fields an object has differs by org; what a field may hold goes by its name: ids have 18 characters, moments ``.000+0000``, dates no zone.
"""

from __future__ import annotations

import csv
import io
import re
from typing import Any

from pydantic import Field, model_validator

from demo.servers.shapes import Endpoint, OpenShape, Shape, Shapes, matching, one_of

_DATA = r"/services/data/v\d\d\.0"
_ID = re.compile(r"[0-9A-Za-z]{18}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000\+0000")
_CSV_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_DAYS = frozenset({"CloseDate", "PrevCloseDate", "ActivityDate", "ConvertedDate", "StartDate", "EndDate"})
_TEXT_IDS = frozenset({"TimeZoneSidKey"})
_NUMBERS = frozenset({
    "Amount", "PrevAmount", "ExpectedRevenue", "Probability", "DefaultProbability", "SortOrder", "CallDurationInSeconds", "DurationInMinutes",
    "ActualCost", "BudgetedCost",
})  # fmt: skip
_KEYS = ("Id", "IsDeleted", "SystemModstamp")
Moment = matching(_MOMENT.pattern)
Id = matching(_ID.pattern)


def _wrong(name: str, value: Any, moment: re.Pattern[str], is_text: bool) -> str | None:
    """What a field of this name can't hold; ``is_text``: of CSV, where all is text and nothing is empty."""
    if value is None or (is_text and value == ""):
        return "must not be empty" if name in _KEYS else None
    if name.endswith("__c"):  # custom fields hold what the org says
        return None
    good: object
    if name == "Id" or (name.endswith("Id") and name not in _TEXT_IDS):
        good, wanted = isinstance(value, str) and _ID.fullmatch(value), "an id of 18 characters"
    elif re.match(r"Is[A-Z]", name):
        good, wanted = value in ("true", "false") if is_text else isinstance(value, bool), "true or false"
    elif name in _NUMBERS:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        good, wanted = _is_number(value) if is_text else is_number, "a number"
    elif name in _DAYS:
        good, wanted = isinstance(value, str) and _DAY.fullmatch(value), "a date without a zone"
    elif name.endswith(("Date", "DateTime", "Modstamp")):
        good, wanted = isinstance(value, str) and moment.fullmatch(value), f"a moment like {moment.pattern}"
    else:
        return None
    return None if good else f"is {value!r}, not {wanted}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


class Attributes(Shape):
    """Which object a row is of."""

    type: str
    url: str | None = None


class Row(OpenShape):
    """A row of a query: ``attributes`` and the fields that were selected."""

    attributes: Attributes

    @model_validator(mode="after")
    def _fields_fit(self) -> Row:
        for name, value in (self.model_extra or {}).items():
            if problem := _wrong(name, value, _MOMENT, is_text=False):
                raise ValueError(f"{self.attributes.type}.{name} {problem}")
        return self


class Page(Shape):
    """A page of a query. Readers stop on ``done``, also where a next address is told beside it."""

    totalSize: int
    done: bool
    nextRecordsUrl: matching(rf"{_DATA}/query/01g\w+-\d+") | None = None
    records: list[Row] = Field(max_length=2_000)

    @model_validator(mode="after")
    def _goes_on(self) -> Page:
        if not self.done and self.nextRecordsUrl is None:
            raise ValueError("a page that is not the last one has a nextRecordsUrl")
        if len(self.records) > self.totalSize:
            raise ValueError("there are more records than totalSize")
        return self


class Token(Shape):
    """A session; how long it lasts is not told."""

    access_token: str
    instance_url: matching(r"https?://[^/]+")
    id: str
    token_type: matching("Bearer")
    issued_at: matching(r"\d{13}")
    signature: str
    scope: str | None = None


class Limit(OpenShape):
    """A limit of the org."""

    Max: int
    Remaining: int


class Described(OpenShape):
    """A field of an object."""

    name: str
    type: str
    label: str
    custom: bool


class Describe(OpenShape):
    """An object and its fields."""

    name: str
    queryable: bool
    fields: list[Described]


class Job(Shape):
    """A query job of Bulk API 2.0."""

    id: Id
    operation: one_of("query", "queryAll")
    object: str
    createdById: Id
    createdDate: Moment
    systemModstamp: Moment
    state: one_of("UploadComplete", "InProgress", "JobComplete", "Aborted", "Failed")
    concurrencyMode: matching("Parallel|Serial")
    contentType: matching("CSV")
    apiVersion: float
    lineEnding: matching("LF|CRLF")
    columnDelimiter: str
    jobType: str | None = None
    retries: int | None = None
    totalProcessingTime: int | None = None
    numberRecordsProcessed: int | None = None
    isPkChunkingSupported: bool | None = None
    errorMessage: str | None = None


class Error(Shape):
    """A refusal; they come as an array."""

    message: str
    errorCode: matching("[A-Z_]+")
    fields: list[str] | None = None


class TokenError(Shape):
    """A refusal of the token address."""

    error: str
    error_description: str


def results(text: str) -> None:
    """The CSV of a bulk job: a header, each row as long as it, values in their form. ValueError with what is wrong."""
    rows = csv.reader(io.StringIO(text))
    names = next(rows, None)
    if not names:
        raise ValueError("the results have no header")
    for number, row in enumerate(rows, 2):
        if len(row) != len(names):
            raise ValueError(f"line {number} has {len(row)} values, not {len(names)}")
        for name, value in zip(names, row, strict=True):
            if problem := _wrong(name, value, _CSV_MOMENT, is_text=True):
                raise ValueError(f"line {number}: {name} {problem}")


def shapes() -> Shapes:
    """All answers of Salesforce."""
    return Shapes(
        "Salesforce",
        (
            Endpoint("/services/oauth2/token", Token),
            Endpoint(f"{_DATA}/limits", dict[str, Limit]),
            Endpoint(rf"{_DATA}/sobjects/\w+/describe", Describe),
            Endpoint(f"{_DATA}/(query|queryAll|query/[^/]+)", Page),
            Endpoint(f"{_DATA}/jobs/query(/[^/]+)?", Job),
            Endpoint(f"{_DATA}/jobs/query/[^/]+/results", text=results),
        ),
        list[Error] | TokenError,
    )
