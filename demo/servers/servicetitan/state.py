"""What ServiceTitan would hold of the company: rows of its feeds and lists. A function of the log.

HTTP belongs to ``servicetitan``, what the log loses on the way to ServiceTitan to ``demo.crms.servicetitan``. Every option of an offer is an estimate; the
work that a sold one leads to is a job. What campaigns cost is no part of the log.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from demo.log import CompanyLog
from demo.servers.outline import Inquiry, Outline, Sale, Work, outline

Row = dict[str, Any]
REASONS = ("price", "timing", "competitor", "no_decision", "out_of_area")
_APPOINTMENT = {"held": "Done", "canceled": "Canceled", "no_show": "Canceled", None: "Scheduled"}
_INSTALL, _OFFERED, _MORE = (
    5_000_000,
    6_000_000,
    20_000_000,
)  # numbers from which the ids of what follows from a sale begin
_DAILY = 37.5


def stamp(at: datetime | None) -> str | None:
    """A UTC moment as ServiceTitan writes it."""
    return None if at is None else f"{at.isoformat(timespec='seconds')}Z"


def unit_name(branch: str | None, service_line: str | None) -> str | None:
    """The business unit of a branch and a service line; None where neither is known."""
    words = [one.replace("_", " ").title() for one in (branch, service_line) if one]
    return " ".join(words) or None


def campaign_name(values: Row) -> str | None:
    """An inquiry has one campaign: that of the log, else one that is named after the channel."""
    return values.get("campaign") or values.get("channel")


def first_call(company: Outline) -> dict[str, str]:
    """Lead → the inbound call that it came with."""
    found: dict[str, str] = {}
    for call in company.calls:
        inquiry = company.inquiries.get(call.lead or "")
        if inquiry and call.values["direction"] == "inbound" and call.at <= inquiry.created:
            found.setdefault(inquiry.id, call.id)
    return found


def _span(seconds: int) -> str:
    """How long, as hours, minutes and seconds of two digits each."""
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


class ServiceTitanState:
    """All rows by the table of their feed, in no order; feeds are sorted by ``modifiedOn``."""

    def __init__(self, log: CompanyLog) -> None:
        self.as_of = log.as_of
        self._end = log.as_of.replace(tzinfo=None)
        self._start = log.start.replace(tzinfo=None)
        self.outline = outline(log)
        self.rows: dict[str, list[Row]] = {name: [] for name in (
            "jobs", "estimates", "employees", "technicians", "business-units", "leads", "bookings", "customers", "customers/contacts",
            "locations", "calls", "job-history", "job-canceled-logs", "appointments", "appointment-assignments", "invoices", "payments",
            "job-types", "job-cancel-reasons", "campaigns", "costs",
        )}  # fmt: skip
        self.changes: dict[int, list[Row]] = {}
        self._named: dict[tuple[str, str], int] = {}
        self._people(log)
        for number, reason in enumerate(REASONS, 1):
            self._add("job-cancel-reasons", number, self._start, name=reason)
        calls = first_call(self.outline)
        for inquiry in self.outline.inquiries.values():
            self._inquiry(inquiry, calls.get(inquiry.id))
        for sale in self.outline.sales.values():
            self._sale(sale)
        self._calls(log)
        self._costs()

    def _add(self, feed: str, one: int, created: datetime, modified: datetime | None = None, **values: Any) -> Row:
        row = {
            "id": one, "active": True, "createdOn": stamp(created), "modifiedOn": stamp(modified or created), **values,
        }  # fmt: skip
        self.rows[feed].append(row)
        return row

    def _id_of(self, feed: str, name: str | None, **values: Any) -> int | None:
        """The id of a named thing, which is made where it is not there yet."""
        if name is None:
            return None
        if (feed, name) not in self._named:
            self._named[feed, name] = 100 + len(self._named)
            self._add(feed, self._named[feed, name], self._start, name=name, **values)
        return self._named[feed, name]

    def _people(self, log: CompanyLog) -> None:
        self._names = {rep.rep_id: rep.name for rep in log.reps.itertuples()}
        for rep in log.reps.sort_values("rep_id").itertuples():
            feed = "employees" if rep.role == "intake_coordinator" else "technicians"
            person = self._add(
                feed, int(rep.rep_id), self._start, name=rep.name, email=rep.email, businessUnitId=self._id_of("business-units", rep.team),
            )  # fmt: skip
            person["active"] = bool(rep.is_active)

    def _campaign(self, values: Row) -> int | None:
        category = {"id": 1, "name": values["channel"]} if values.get("channel") else None
        # what differs by channel are two campaigns of one name
        name = campaign_name(values)
        if name is None:
            return None
        key = f"{name}|{values.get('channel')}"
        if ("campaigns", key) not in self._named:
            self._named["campaigns", key] = 100 + len(self._named)
            self._add("campaigns", self._named["campaigns", key], self._start, name=name, category=category)
        return self._named["campaigns", key]

    def _customer(self, one: int, values: Row, created: datetime, modified: datetime) -> int:
        name = " ".join(part for part in (values.get("first_name"), values.get("last_name")) if part)
        address = {"street": None, "city": None, "state": None, "zip": values.get("postcode"), "country": "USA"}
        self._add(
            "customers", one, created, modified, name=name or None, type="Residential", address=address, mergedToId=None
        )
        self._add("locations", one, created, modified, customerId=one, name=name or None, address=address)
        for place, (kind, value) in enumerate((("MobilePhone", values.get("phone")), ("Email", values.get("email")))):
            if value:
                self._add(
                    "customers/contacts",
                    one * 10 + place,
                    created,
                    modified,
                    customerId=one,
                    type=kind,
                    value=value,
                    memo=None,
                )
        return one

    def _inquiry(self, inquiry: Inquiry, call: str | None) -> None:
        values, one = inquiry.values, int(inquiry.id)
        customer = self._customer(one, values, inquiry.created, inquiry.modified)
        by = values["created_by"]
        status = "Converted" if inquiry.sales else "Dismissed" if inquiry.is_disqualified else "Open"
        booking = one if by == "form" else None
        if booking is not None:
            self._add(
                "bookings", one, inquiry.created, source="Website", name=values.get("last_name"), summary="Online request", status="Accepted",
                campaignId=None, businessUnitId=None, jobTypeId=None, jobId=None, customerType=None,
            )  # fmt: skip
        is_call = by == "call"
        self._add(
            "leads", one, inquiry.created, inquiry.modified, status=status, priority="Normal", customerId=customer, locationId=one, bookingId=booking,
            campaignId=self._campaign(values), callId=int(call) if is_call and call else None, manualCallId=one if is_call and not call else None,
            captureSource="Chat" if by == "chat" else None, jobTypeId=self._id_of("job-types", values.get("job_type")), summary=None,
            businessUnitId=self._id_of("business-units", unit_name(values.get("branch"), values.get("service_line"))), dismissingReasonId=None,
            createdById=int(inquiry.rep) if inquiry.rep else None, leadCustomerName=None, leadPhone=None, leadEmail=None,
        )  # fmt: skip

    def _sale(self, sale: Sale) -> None:
        one, lead = int(sale.id), self.outline.inquiries.get(sale.lead or "")
        is_linked = lead is not None and sale in lead.sales
        customer = (
            int(lead.id) if lead and is_linked else self._customer(_INSTALL + one, {}, sale.created, sale.modified)
        )
        held = min(sale.held, sale.quoted or sale.held) if sale.held else None
        is_canceled = sale.quoted is None and sale.closed is not None
        job = self._add(
            "jobs", one, sale.created, sale.modified, jobNumber=f"J-{one}", customerId=customer, locationId=customer, campaignId=None,
            jobStatus="Canceled" if is_canceled else "Completed" if held else "Scheduled", completedOn=stamp(held), total=0.0, noCharge=False,
            leadCallId=None, bookingId=None, soldById=None, createdFromEstimateId=None, summary=sale.values.get("name"),
            businessUnitId=self._id_of("business-units", unit_name(sale.values.get("branch"), sale.values.get("service_line"))),
            jobTypeId=self._id_of("job-types", sale.values.get("job_type")),
        )  # fmt: skip
        self._meetings(sale, one)
        if is_canceled and sale.closed is not None:
            reason = sale.values.get("loss_reason")
            self._add(
                "job-canceled-logs", one, sale.closed, jobId=one, memo=None, reasonId=REASONS.index(reason) + 1 if reason in REASONS else None,
            )  # fmt: skip
        history = [
            {
                "id": one,
                "employeeId": None,
                "eventType": "Job Booked",
                "date": stamp(sale.created),
                "usedSchedulingTool": "Manual",
            }
        ]
        self.rows["job-history"].append({"jobId": one, "history": history, "modifiedOn": job["modifiedOn"]})
        if sale.quoted is not None:
            self._estimate(sale, one, customer, sale.quoted)

    def _meetings(self, sale: Sale, job: int) -> None:
        for meeting in sale.meetings:
            self._add(
                "appointments", int(meeting.id), meeting.set_at, max(meeting.set_at, min(meeting.starts, self._end)), jobId=job,
                start=stamp(meeting.starts), end=stamp(meeting.starts + timedelta(hours=1)), status=_APPOINTMENT[meeting.outcome],
            )  # fmt: skip
        if sale.owner:
            self._add(
                "appointment-assignments", job, sale.created, sale.modified, technicianId=int(sale.owner), jobId=job, status="Done",
                technicianName=self._names[sale.owner], appointmentId=int(sale.meetings[-1].id) if sale.meetings else None,
            )  # fmt: skip

    def _estimate(self, sale: Sale, job: int, customer: int, quoted: datetime) -> None:
        one, amount = _OFFERED + job, float(sale.amount or 0)
        won = sale.closed if sale.outcome == "won" else None
        lost = sale.closed if sale.outcome in ("lost", "disqualified") else None
        status = (
            {"value": 1, "name": "Sold"}
            if won
            else {"value": 2, "name": "Dismissed"}
            if lost
            else {"value": 0, "name": "Open"}
        )
        self._add(
            "estimates", one, quoted, sale.modified, jobId=job, customerId=customer, locationId=customer, name="Option A", status=status,
            soldOn=stamp(won), soldBy=int(sale.owner) if won and sale.owner else None, subtotal=amount, tax=0.0, items=[],
        )  # fmt: skip
        if lost:
            self.changes[one] = [
                {"id": 1, "oldStatus": "Open", "newStatus": "Dismissed", "createdOn": stamp(lost), "createdById": 1}
            ]
        for place in range(1, sale.work.options):  # the cheaper ones, of which nothing was sold
            further = _MORE + job * 10 + place
            self._add(
                "estimates", further, quoted, sale.modified, jobId=job, customerId=customer, locationId=customer, name=f"Option {'ABCDE'[place]}",
                status={"value": 2, "name": "Dismissed"} if lost else {"value": 0, "name": "Open"}, soldOn=None, soldBy=None,
                subtotal=round(amount * (1 - 0.15 * place), 2), tax=0.0, items=[],
            )  # fmt: skip
            if lost:
                self.changes[further] = self.changes[one]
        if won:
            self._work(one, customer, won, amount, sale.work)

    def _work(self, estimate: int, customer: int, won: datetime, amount: float, work: Work) -> None:
        one, done = _INSTALL + estimate, work.completed
        self._add(
            "jobs", one, won, done or work.canceled or won, jobNumber=f"J-{one}", customerId=customer, locationId=customer, campaignId=None, jobTypeId=None,
            jobStatus="Canceled" if work.canceled else "Completed" if done else "Scheduled", completedOn=stamp(done), total=amount, noCharge=False,
            leadCallId=None, summary=None, bookingId=None, soldById=None, createdFromEstimateId=estimate, businessUnitId=None,
        )  # fmt: skip
        if work.invoiced is None:
            return
        text = f"{work.amount:.2f}"
        self._add(
            "invoices", one, work.invoiced, work.modified, referenceNumber=str(one), invoiceDate=stamp(work.invoiced), dueDate=stamp(work.invoiced),
            subTotal=text, salesTax="0.00", total=text, balance=f"{work.balance:.2f}", job={"id": one, "number": f"J-{one}", "type": "Install"},
            customer={"id": customer}, paidOn=stamp(work.paid), adjustmentToId=None,
        )  # fmt: skip
        for place, (at, part) in enumerate(work.payments):
            text = f"{part:.2f}"
            self._add(
                "payments", one * 10 + place, at, date=stamp(at), total=text, unappliedAmount="0.00", type="Check", refundedPaymentId=None,
                appliedTo=[{"appliedTo": one, "appliedAmount": text, "appliedOn": stamp(at)}],
            )  # fmt: skip

    def _calls(self, log: CompanyLog) -> None:
        for call in self.outline.calls:
            values, inquiry = call.values, self.outline.inquiries.get(call.lead or "")
            phone = inquiry.values.get("phone") if inquiry else values.get("number")
            is_inbound, is_answered = values["direction"] == "inbound", values["outcome"] == "answered"
            numbers: dict[str, Any] = (
                {"from": phone, "to": "3125550100"} if is_inbound else {"from": "3125550100", "to": phone}
            )
            taken = "Booked" if call.lead and values.get("is_lead", True) else "NotLead"
            kind = None if not is_inbound else taken if is_answered else "Abandoned"
            # of a call that nobody answered: until the caller, or the voicemail, ended it
            seconds = values["duration_seconds"] if is_answered else values.get("wait_seconds", 0)
            self._add(
                "calls", int(call.id), call.at, duration=_span(round(seconds)), **numbers,
                direction="Inbound" if is_inbound else "Outbound", status="Completed" if is_answered or is_inbound else "Initiated", type=kind,
                campaign=None, job=None, reason=None, agent={"id": int(call.rep), "name": self._names[call.rep]} if call.rep else None,
                lead={"id": int(inquiry.id)} if inquiry else None, recordingUrl=None,
            )  # fmt: skip

    def _costs(self) -> None:
        """What each campaign cost a day, month by month, of the last year."""
        for campaign in self.rows["campaigns"]:
            for back in range(12):
                month = (self._end.year * 12 + self._end.month - 1) - back
                self.rows["costs"].append(
                    {
                        "id": len(self.rows["costs"]) + 1,
                        "campaignId": campaign["id"],
                        "year": month // 12,
                        "month": month % 12 + 1,
                        "dailyCost": _DAILY + back,
                    }
                )
