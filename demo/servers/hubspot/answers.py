"""What HubSpot's answers look like: records with histories and links, pages, searches, batches, owners, pipelines, errors.

How the demo's records are shown is in ``shape``. Addresses that are not named here are not checked: HubSpot has many areas.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from pydantic import Field, model_validator

from demo.servers.shapes import Endpoint, Instant, OpenShape, Shape, Shapes, matching, one_of

_VERSION = r"(v3|v4|20\d\d-\d\d)"
Id = matching(r"\d+")
Item = TypeVar("Item")


def _area(name: str, rest: str = "") -> str:
    """Both styles of path: version before the area, or after it."""
    return rf"/crm/({_VERSION}/{name}|{name}/{_VERSION}){rest}"


class Version(OpenShape):
    """A value that a property had, and from when on."""

    value: str | None
    timestamp: Instant
    sourceType: str
    sourceId: str | None = None
    sourceLabel: str | None = None
    updatedByUserId: int | None = None


class Linked(Shape):
    """The records that one is linked to."""

    class Link(Shape):
        """A link."""

        id: Id
        type: str

    results: list[Link] = Field(min_length=1)
    paging: dict[str, Any] | None = None


class Record(Shape):
    """A record; every property is text or null."""

    id: Id
    properties: dict[str, str | None]
    propertiesWithHistory: dict[str, list[Version]] | None = None
    associations: dict[str, Linked] | None = None
    createdAt: Instant
    updatedAt: Instant
    archived: bool
    archivedAt: Instant | None = None
    url: str | None = None
    objectWriteTraceId: str | None = None

    @model_validator(mode="after")
    def _is_archived_or_not(self) -> Record:
        if self.archived != (self.archivedAt is not None):
            raise ValueError("archivedAt belongs to archived records, and to them only")
        return self


class Next(Shape):
    """Where the next page is."""

    class After(Shape):
        """Its cursor."""

        after: str = Field(min_length=1)
        link: str | None = None

    next: After
    prev: dict[str, str] | None = None


class Page(Shape, Generic[Item]):
    """A page of a list; without ``paging`` it is the last one."""

    results: list[Item]
    paging: Next | None = None


class Found(Page[Record]):
    """A page of a search: no histories, no links, up to 200 of 10,000."""

    total: int
    results: list[Record] = Field(max_length=200)

    @model_validator(mode="after")
    def _is_plain(self) -> Found:
        if any(one.propertiesWithHistory is not None or one.associations is not None for one in self.results):
            raise ValueError("a search gives neither histories nor links")
        if self.paging is not None and int(self.paging.next.after) > 10_000:
            raise ValueError("a search does not page past 10,000")
        return self


class Failure(OpenShape):
    """What could not be read of a batch."""

    status: matching("error")
    category: str
    message: str
    context: dict[str, list[str]] = Field(default_factory=dict)


class Batch(Shape, Generic[Item]):
    """A batch read."""

    status: one_of("PENDING", "PROCESSING", "CANCELED", "COMPLETE")
    results: list[Item]
    startedAt: Instant
    completedAt: Instant
    requestedAt: Instant | None = None
    numErrors: int | None = None
    errors: list[Failure] | None = None
    links: dict[str, str] | None = None

    @model_validator(mode="after")
    def _is_counted(self) -> Batch[Item]:
        if (self.numErrors is None) != (self.errors is None):
            raise ValueError("numErrors and errors come together")
        return self


class Links(Shape):
    """The links of one record, with their kinds. The target's id is a number here."""

    class From(Shape):
        """The record."""

        id: Id

    class To(Shape):
        """A link's end."""

        class Kind(Shape):
            """A kind of link."""

            category: str
            typeId: int
            label: str | None

        toObjectId: int
        associationTypes: list[Kind]

    from_: From = Field(alias="from")
    to: list[To]
    paging: Next | None = None


class Owner(OpenShape):
    """A person; ``id`` is text, ``userId`` a number."""

    id: Id
    email: str | None = None
    firstName: str | None
    lastName: str | None
    userId: int | None
    createdAt: Instant
    updatedAt: Instant
    archived: bool
    teams: list[dict[str, Any]] | None = None


class Stage(OpenShape):
    """A stage of a pipeline; what is in ``metadata`` is text."""

    id: str
    label: str
    displayOrder: int
    archived: bool
    metadata: dict[str, str]


class Pipeline(OpenShape):
    """A pipeline with its stages."""

    id: str
    label: str
    displayOrder: int
    archived: bool
    stages: list[Stage]


class Property(OpenShape):
    """The definition of a property."""

    name: str
    label: str
    type: str
    fieldType: str
    groupName: str


class Account(OpenShape):
    """The account."""

    portalId: int
    timeZone: str
    companyCurrency: str


class Error(OpenShape):
    """A refusal."""

    status: matching("error")
    message: str
    correlationId: str
    category: str | None = None
    errorType: str | None = None
    policyName: str | None = None


def shapes() -> Shapes:
    """The answers of HubSpot that are known."""
    return Shapes(
        "HubSpot",
        (
            Endpoint(_area("objects", r"/[\w-]+/search"), Found),
            Endpoint(_area("objects", r"/[\w-]+/batch/read"), Batch[Record]),
            Endpoint(_area("objects", r"/[\w-]+/\d+"), Record),
            Endpoint(_area("objects", r"/[\w-]+"), Page[Record]),
            Endpoint(_area("associations", r"/[\w-]+/[\w-]+/batch/read"), Batch[Links]),
            Endpoint(_area("owners"), Page[Owner]),
            Endpoint(_area("pipelines", r"/[\w-]+"), Page[Pipeline]),
            Endpoint(_area("properties", r"/[\w-]+"), Page[Property]),
            Endpoint(rf"/account-info/{_VERSION}/details", Account),
        ),
        Error,
        is_complete=False,
    )
