"""What is read from Jobber: the listings of its GraphQL API, their fields and raw tables. How they are read is in ``run``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ingestion.landing.changes import absences_table
from ingestion.rawlog.declarations import RawColumn, RawTable

SOURCE = "jobber"
Selection = Mapping[str, "Selection | None"]  # field -> its own fields, None for a value

_ID: Selection = {"id": None}


def _fields(*names: str, **nested: Selection) -> Selection:
    return {**dict.fromkeys(names), **nested}


@dataclass(frozen=True)
class Listing:
    """A listing. ``reading``: ``changed`` has a filter on ``updatedAt``; ``newest_first`` is sorted by it and read down to the cursor; ``around``
    is read again for a time around now; ``recent`` back from now; ``whole`` each time. ``fields`` that a version of the API lacks are left out, unless they are ``needed``.
    """

    name: str
    type: str
    table_name: str
    filter: str | None
    reading: Literal["changed", "newest_first", "around", "recent", "whole"]
    fields: Selection
    created: str | None = "createdAt"
    updated: str | None = "updatedAt"

    @property
    def needed(self) -> frozenset[str]:
        """Fields without which nothing can be read."""
        return frozenset(name for name in ("id", self.created, self.updated) if name)

    @property
    def table(self) -> RawTable:
        """The raw table of this listing."""
        columns = [RawColumn("id", "varchar", "$.id")]
        columns += [RawColumn("created_at", "timestamp", f"$.{self.created}", required=True)] if self.created else []
        columns += [RawColumn("modified_at", "timestamp", f"$.{self.updated}", required=True)] if self.updated else []
        return RawTable(SOURCE, self.table_name, tuple(columns), ("id",))


_CLIENT = _fields(
    "id", "firstName", "lastName", "companyName", "isCompany", "isLead", "isArchived", "createdAt", "updatedAt",
    emails=_fields("address", "primary"), phones=_fields("number", "primary"),
    billingAddress=_fields("city", "province", "postalCode", "country"), sourceAttribution=_fields("sourceText"),
)  # fmt: skip
_REQUEST = _fields(
    "id", "title", "source", "requestStatus", "companyName", "contactName", "email", "phone", "createdAt", "updatedAt",
    client=_ID, assessment=_fields("startAt", "completedAt", "isComplete"),
)  # fmt: skip
_QUOTE = _fields(
    "id", "quoteNumber", "title", "quoteStatus", "sentAt", "transitionedAt", "createdAt", "updatedAt",
    lastTransitioned=_fields("approvedAt", "changesRequestedAt", "convertedAt"),
    amounts=_fields("subtotal", "discountAmount", "taxAmount", "total"), salesperson=_ID, request=_ID, client=_ID,
)  # fmt: skip
_JOB = _fields(
    "id", "jobNumber", "jobStatus", "jobType", "title", "startAt", "endAt", "completedAt", "total", "invoicedTotal", "createdAt",
    "updatedAt", quote=_ID, request=_ID, client=_ID,
)  # fmt: skip
_VISIT = _fields("id", "title", "visitStatus", "startAt", "endAt", "completedAt", "createdAt", job=_ID, client=_ID)
_INVOICE = _fields(
    "id", "invoiceNumber", "invoiceStatus", "issuedDate", "dueDate", "receivedDate", "createdAt", "updatedAt", client=_ID,
    amounts=_fields("total", "invoiceBalance", "paymentsTotal"), jobs={"nodes": _ID},
)  # fmt: skip
_PAYMENT = _fields("__typename", "id", "amount", "entryDate", "adjustmentType", "paymentType", invoice=_ID, client=_ID)
_USER = _fields("id", "status", "isAccountOwner", name=_fields("first", "last", "full"), email=_fields("raw"))

LISTINGS: tuple[Listing, ...] = (
    Listing("users", "User", "users", None, "whole", _USER, None, None),
    Listing("clients", "Client", "clients", "ClientFilterAttributes", "changed", _CLIENT),
    Listing("requests", "Request", "requests", "RequestFilterAttributes", "changed", _REQUEST),
    Listing("quotes", "Quote", "quotes", "QuoteFilterAttributes", "changed", _QUOTE),
    Listing("jobs", "Job", "jobs", None, "newest_first", _JOB),
    Listing("visits", "Visit", "visits", "VisitFilterAttributes", "around", _VISIT, updated=None),
    Listing("invoices", "Invoice", "invoices", "InvoiceFilterAttributes", "changed", _INVOICE),
    Listing("paymentRecords", "PaymentRecord", "payments", "PaymentRecordFilterAttributes", "recent", _PAYMENT, "entryDate", None),
)  # fmt: skip

TABLES: tuple[RawTable, ...] = (*(listing.table for listing in LISTINGS), absences_table(SOURCE))


def text(selection: Selection) -> str:
    """A selection as GraphQL."""
    return " ".join(name if nested is None else f"{name} {{ {text(nested)} }}" for name, nested in selection.items())


def offered(selection: Selection, type_name: str, types: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """What of ``selection`` the type has. ``types``: type → field → the type of its values."""
    fields = types.get(type_name, {})
    kept: dict[str, Any] = {}
    for name, nested in selection.items():
        if name == "__typename":
            kept[name] = None
        elif name in fields:
            inner = None if nested is None else offered(nested, fields[name], types)
            if inner is None or inner:
                kept[name] = inner
    return kept
