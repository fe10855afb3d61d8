"""What Jobber would hold of the company: clients, requests, quotes, jobs, visits, invoices and payments as they stand. A function of the log.

GraphQL and HTTP belong to ``jobber``, what the log loses on the way to Jobber to ``demo.crms.jobber``. A quote that was approved has a job from then on.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from demo.log import CompanyLog
from demo.servers.outline import Inquiry, Outline, Sale, Work, outline

Row = dict[str, Any]
# base64 of gid://Jobber/<type>/, padded with digits: opaque, and in the order of the log's ids
_OPAQUE = {
    "User": "Z2lkOi8vSm9iYmVyL1VzZXIv", "Client": "Z2lkOi8vSm9iYmVyL0NsaWVudC8", "Request": "Z2lkOi8vSm9iYmVyL1JlcXVlc3Qv",
    "Quote": "Z2lkOi8vSm9iYmVyL1F1b3RlLw", "Job": "Z2lkOi8vSm9iYmVyL0pvYi8v", "Visit": "Z2lkOi8vSm9iYmVyL1Zpc2l0Lw",
    "Invoice": "Z2lkOi8vSm9iYmVyL0ludm9pY2Uv", "PaymentRecord": "Z2lkOi8vSm9iYmVyL1BheW1lbnRS",
}  # fmt: skip


def encoded_id(kind: str, log_id: str) -> str:
    """The opaque id by which Jobber names a record of the log."""
    return f"{_OPAQUE[kind]}{log_id.zfill(12)}"


def stamp(at: datetime | None) -> str | None:
    """A UTC moment as Jobber writes it: to the second."""
    return None if at is None else f"{at.isoformat(timespec='seconds')}Z"


def last_meeting(sale: Sale) -> datetime | None:
    """When the consultation was to be: a request has one assessment, and a new date takes the place of the old one."""
    return max((meeting.starts for meeting in sale.meetings), default=sale.held)


class JobberState:
    """All records by the name of their listing, oldest first."""

    def __init__(self, log: CompanyLog) -> None:
        self.as_of = log.as_of
        self.outline: Outline = outline(log)
        names = ("users", "clients", "requests", "quotes", "jobs", "visits", "invoices", "paymentRecords")
        self.rows: dict[str, list[Row]] = {name: [] for name in names}
        self._users = {rep.rep_id: self._user(rep) for rep in log.reps.sort_values("rep_id").itertuples()}
        requests = {one.id: self._request(one) for one in self.outline.inquiries.values()}
        for sale in self.outline.sales.values():
            if sale.quoted is not None:
                self._sold(sale, requests.get(sale.lead or "") if sale.is_first else None)
        for rows in self.rows.values():
            rows.sort(key=lambda row: (row.get("createdAt") or row.get("entryDate") or "", row["id"]))

    def _add(self, listing: str, kind: str, log_id: str, **values: Any) -> Row:
        row = {"id": encoded_id(kind, log_id), "__typename": kind, **values}
        self.rows[listing].append(row)
        return row

    def _user(self, rep: Any) -> Row:
        return self._add(
            "users", "User", rep.rep_id, name={"first": rep.first_name, "last": rep.last_name, "full": rep.name}, email={"raw": rep.email},
            status="ACTIVATED" if rep.is_active else "DEACTIVATED", isAccountOwner=False,
        )  # fmt: skip

    def _client(self, one: str, values: Row, created: datetime, modified: datetime) -> Row:
        email, phone = values.get("email"), values.get("phone")
        return self._add(
            "clients", "Client", one, firstName=values.get("first_name") or "", lastName=values.get("last_name") or "",
            companyName=values.get("company"), isCompany=bool(values.get("company")), isLead=False, isArchived=False,
            emails=[{"address": email, "primary": True}] if email else [], phones=[{"number": phone, "primary": True}] if phone else [],
            billingAddress={"street": None, "city": None, "province": None, "postalCode": values.get("postcode"), "country": None},
            sourceAttribution={"sourceText": values.get("channel")}, createdAt=stamp(created), updatedAt=stamp(modified),
        )  # fmt: skip

    def _request(self, inquiry: Inquiry) -> Row:
        sale = next((one for one in inquiry.sales if one.is_first), None)
        modified = max(inquiry.modified, sale.modified) if sale else inquiry.modified
        client = self._client(inquiry.id, inquiry.values, inquiry.created, inquiry.modified)
        starts, held = (last_meeting(sale), sale.held) if sale else (None, None)
        assessment = {"startAt": stamp(starts), "completedAt": stamp(held), "isComplete": held is not None}
        return self._add(
            "requests", "Request", inquiry.id, title="Request", source=inquiry.values["created_by"], requestStatus=_status(inquiry, sale),
            companyName=None, contactName=None, email=None, phone=None, client=client, assessment=assessment if sale else None,
            createdAt=stamp(inquiry.created), updatedAt=stamp(modified),
        )  # fmt: skip

    def _sold(self, sale: Sale, request: Row | None) -> None:
        if request is not None:
            client = request["client"]
        else:
            client = self._client(f"9{sale.id.zfill(11)}", {}, sale.created, sale.modified)
        amount = float(sale.amount or 0)
        won = sale.closed if sale.outcome == "won" else None
        is_lost = sale.outcome in ("lost", "disqualified")
        amounts = {"subtotal": amount, "discountAmount": 0.0, "taxAmount": 0.0, "total": amount}
        quote = self._add(
            "quotes", "Quote", sale.id, quoteNumber=sale.id, title=sale.values.get("name"), sentAt=stamp(sale.quoted), amounts=amounts,
            quoteStatus="converted" if won else "archived" if is_lost else "awaiting_response",
            transitionedAt=stamp(sale.closed or sale.quoted), salesperson=self._users.get(sale.owner or ""), request=request, client=client,
            lastTransitioned={"approvedAt": stamp(won), "changesRequestedAt": None, "convertedAt": stamp(won)},
            createdAt=stamp(sale.quoted), updatedAt=stamp(sale.modified),
        )  # fmt: skip
        if won is not None:
            self._job(sale.id, quote, request, client, won, amount, sale.work)

    def _job(
        self, one: str, quote: Row, request: Row | None, client: Row, won: datetime, amount: float, work: Work
    ) -> None:
        done, paid, ends = work.completed, work.paid, work.completed or won + timedelta(days=4)
        seen = stamp(work.modified or won)
        job = self._add(
            "jobs", "Job", one, jobNumber=int(one), jobStatus="archived" if done or work.canceled else "active", jobType="ONE_OFF", title=quote["title"],
            startAt=stamp(ends - timedelta(hours=4)), endAt=stamp(ends), completedAt=stamp(done), total=amount, createdAt=stamp(won),
            invoicedTotal=work.amount, quote=quote, request=request, client=client, updatedAt=seen,
        )  # fmt: skip
        self._add(
            "visits", "Visit", one, title=quote["title"], visitStatus="COMPLETED" if done else "UPCOMING", startAt=job["startAt"],
            endAt=job["endAt"], completedAt=stamp(done), job=job, client=client, createdAt=stamp(won),
        )  # fmt: skip
        if work.invoiced is None:
            return
        amount, balance = work.amount, work.balance
        invoice = self._add(
            "invoices", "Invoice", one, invoiceNumber=one, invoiceStatus="paid" if paid else "awaiting_payment", issuedDate=stamp(work.invoiced),
            dueDate=stamp(work.invoiced + timedelta(days=30)), receivedDate=stamp(paid), client=client, createdAt=stamp(work.invoiced), updatedAt=seen,
            amounts={"total": amount, "invoiceBalance": balance, "paymentsTotal": round(amount - balance, 2)},
            jobs={"nodes": [job], "pageInfo": {"hasNextPage": False, "endCursor": None}, "totalCount": 1},
        )  # fmt: skip
        for place, (at, part) in enumerate(work.payments):
            self._add(
                "paymentRecords", "PaymentRecord", f"{one}{place}", amount=part, entryDate=stamp(at), adjustmentType="PAYMENT", paymentType="CHECK",
                invoice=invoice, client=client,
            )  # fmt: skip


def _status(inquiry: Inquiry, sale: Sale | None) -> str:
    if sale is None:
        return "archived" if inquiry.is_disqualified else "new"
    if sale.quoted is not None:
        return "converted"
    if sale.closed is not None:
        return "archived"
    return "assessment_completed" if sale.held is not None else "upcoming"
