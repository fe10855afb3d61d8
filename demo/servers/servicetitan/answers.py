"""What ServiceTitan's answers look like: feeds, lists, the rows of each resource, problem documents.

Amounts are text in accounting and numbers elsewhere; ids are numbers; moments are UTC; optional members are null.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from pydantic import Field, model_validator

from demo.servers.shapes import Endpoint, Instant, Number, OpenShape, Shape, Shapes, matching, one_of

_TENANT = r"/v2/tenant/\d+"
Money = matching(r"-?\d+\.\d\d")
Duration = matching(r"\d\d:\d\d:\d\d")
Item = TypeVar("Item")


class Row(OpenShape):
    """What all rows have. ``active`` False: deleted or switched off."""

    id: int
    active: bool
    createdOn: Instant
    modifiedOn: Instant

    @model_validator(mode="after")
    def _are_links(self) -> Row:
        for name, value in (self.model_extra or {}).items():
            if name.endswith("Id") and value is not None and (not isinstance(value, int) or isinstance(value, bool)):
                raise ValueError(f"{name} is {value!r}; ids are numbers")
        return self


class Named(OpenShape):
    """A link with its name."""

    id: int
    name: str | None = None


class Person(Row):
    """An employee or technician."""

    name: str
    email: str | None
    businessUnitId: int | None


class Thing(Row):
    """A business unit, job type or reason: a name."""

    name: str


class Campaign(Row):
    """A campaign; its category says the channel."""

    name: str
    category: Named | None


class Lead(Row):
    """An inquiry."""

    status: one_of("Open", "Dismissed", "Converted")
    priority: str | None
    customerId: int | None
    locationId: int | None
    campaignId: int | None
    callId: int | None
    bookingId: int | None
    summary: str | None
    dismissingReasonId: int | None


class Booking(Row):
    """An online request."""

    source: str | None
    status: one_of("New", "Accepted", "Converted", "Dismissed")
    jobId: int | None
    summary: str | None


class Address(OpenShape):
    """Where."""

    street: str | None
    city: str | None
    state: str | None
    zip: str | None
    country: str | None


class Customer(Row):
    """A customer; ``mergedToId``: the survivor of a merge."""

    name: str | None
    type: str | None
    address: Address
    mergedToId: int | None


class Location(Row):
    """A place of a customer."""

    customerId: int
    name: str | None
    address: Address


class Contact(Row):
    """A way to reach a customer."""

    customerId: int
    type: one_of("Phone", "MobilePhone", "Email", "Fax")
    value: str
    memo: str | None


class Job(Row):
    """A job."""

    jobNumber: str
    customerId: int
    locationId: int
    jobStatus: one_of("Scheduled", "Dispatched", "InProgress", "Hold", "Completed", "Canceled")
    completedOn: Instant | None
    total: Number
    noCharge: bool
    summary: str | None

    @model_validator(mode="after")
    def _is_done_or_not(self) -> Job:
        if self.jobStatus == "Completed" and self.completedOn is None:
            raise ValueError("a completed job has completedOn")
        return self


class Step(Shape):
    """A step of a job's history."""

    id: int
    employeeId: int | None
    eventType: str
    date: Instant
    usedSchedulingTool: str


class History(OpenShape):
    """The steps of one job; no id of its own."""

    jobId: int
    history: list[Step]


class Canceled(Row):
    """Why a job was canceled."""

    jobId: int
    reasonId: int | None
    memo: str | None


class Appointment(Row):
    """An appointment of a job."""

    jobId: int
    start: Instant
    end: Instant
    status: one_of("Scheduled", "Dispatched", "Working", "Hold", "Done", "Canceled")


class Assignment(Row):
    """Who goes to an appointment."""

    technicianId: int
    technicianName: str
    appointmentId: int | None
    jobId: int
    status: one_of("Scheduled", "Dispatched", "Working", "Done")


class Status(Shape):
    """An estimate's status."""

    value: int
    name: one_of("Open", "Sold", "Dismissed")


class Estimate(Row):
    """An offer; amounts are numbers."""

    jobId: int | None
    customerId: int | None
    name: str
    status: Status
    soldOn: Instant | None
    soldBy: int | None
    subtotal: Number
    tax: Number
    items: list[dict[str, Any]]

    @model_validator(mode="after")
    def _is_sold_or_not(self) -> Estimate:
        if (self.status.name == "Sold") != (self.soldOn is not None):
            raise ValueError("soldOn belongs to sold estimates, and to them only")
        return self


class Change(Shape):
    """A change of an estimate's status."""

    id: int
    oldStatus: str
    newStatus: str
    createdOn: Instant
    createdById: int | None


class JobLink(OpenShape):
    """The job of an invoice or call."""

    id: int
    number: str


class Invoice(Row):
    """An invoice; amounts are text."""

    referenceNumber: str
    invoiceDate: Instant
    dueDate: Instant | None
    subTotal: Money
    salesTax: Money
    total: Money
    balance: Money
    job: JobLink | None
    customer: Named
    paidOn: Instant | None
    adjustmentToId: int | None


class Applied(OpenShape):
    """What of a payment went to which invoice."""

    appliedTo: int
    appliedAmount: Money
    appliedOn: Instant


class Payment(Row):
    """A payment; amounts are text."""

    date: Instant
    total: Money
    unappliedAmount: Money
    appliedTo: list[Applied]
    refundedPaymentId: int | None


class Call(Row):
    """A telephone call."""

    duration: Duration
    from_: str | None = Field(alias="from")
    to: str | None
    direction: one_of("Inbound", "Outbound")
    status: one_of("Ringing", "Answered", "Completed", "Initiated")
    type: one_of("Abandoned", "Unbooked", "Excused", "Booked", "NotLead") | None
    campaign: Named | None
    job: JobLink | None
    agent: Named | None
    lead: Named | None
    reason: Named | None


class Cost(OpenShape):
    """What a campaign cost a day of a month."""

    id: int
    campaignId: int
    year: int = Field(ge=2000, le=2100)
    month: int = Field(ge=1, le=12)
    dailyCost: Number


class Feed(Shape, Generic[Item]):
    """A page of an export feed. ``continueFrom`` is told on the last one too."""

    hasMore: bool
    continueFrom: str = Field(min_length=1)
    data: list[Item]


class List(Shape, Generic[Item]):
    """A page of a list."""

    page: int = Field(ge=1)
    pageSize: int = Field(ge=1, le=5_000)
    hasMore: bool
    totalCount: int | None
    data: list[Item]


class Token(Shape):
    """A token; there is none to refresh it with."""

    access_token: str
    expires_in: int
    token_type: matching("Bearer")
    scope: str | None = None


class Problem(OpenShape):
    """A refusal."""

    type: str
    title: str
    status: int
    traceId: str
    errors: dict[str, list[str]]


class TokenError(Shape):
    """A refusal of the token address."""

    error: str


_FEEDS: dict[str, Any] = {
    "jpm": {
        "jobs": Job, "job-history": History, "job-canceled-logs": Canceled, "appointments": Appointment,
    },
    "sales": {"estimates": Estimate},
    "settings": {"employees": Person, "technicians": Person, "business-units": Thing},
    "telecom": {"calls": Call},
    "dispatch": {"appointment-assignments": Assignment},
    "crm": {"leads": Lead, "bookings": Booking, "customers": Customer, "customers/contacts": Contact, "locations": Location},
    "accounting": {"invoices": Invoice, "payments": Payment},
}  # fmt: skip
_LISTS: dict[str, Any] = {
    "jpm/job-types": Thing, "jpm/job-cancel-reasons": Thing, "marketing/campaigns": Campaign, "marketing/costs": Cost,
}  # fmt: skip


def shapes() -> Shapes:
    """All answers of ServiceTitan."""
    feeds = [
        Endpoint(f"/{module}{_TENANT}/export/{name}", Feed[row])
        for module, rows in _FEEDS.items()
        for name, row in rows.items()
    ]
    lists = [
        Endpoint(f"/{module}{_TENANT}/{name}", List[row])
        for module, name, row in ((*path.split("/"), row) for path, row in _LISTS.items())
    ]
    changes = Endpoint(rf"/sales{_TENANT}/status/estimates/\d+/changes", list[Change])
    return Shapes("ServiceTitan", (Endpoint("/connect/token", Token), *feeds, *lists, changes), Problem | TokenError)
