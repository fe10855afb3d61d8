"""What Housecall Pro would hold of the company: customers, leads, estimates, jobs, invoices and employees. A function of the log.

HTTP belongs to ``housecall_pro``, what the log loses on the way there to ``demo.crms.housecall_pro``. A sold estimate has a job from the moment of the sale.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from demo.log import CompanyLog
from demo.servers.outline import Inquiry, Sale, outline

Row = dict[str, Any]


def prefixed_id(prefix: str, log_id: str) -> str:
    """``lea_000000020501``: in the order of the log's ids."""
    return f"{prefix}_{log_id.zfill(12)}"


def stamp(at: datetime | None) -> str | None:
    """A UTC moment as Housecall Pro writes it."""
    return None if at is None else f"{at.isoformat(timespec='seconds')}Z"


def ten_digits(phone: str | None) -> str | None:
    """Numbers are kept as their last ten digits."""
    return re.sub(r"[^0-9]", "", phone or "")[-10:] or None


def location(branch: str | None) -> str:
    """The name of a branch's location."""
    return f"Northside {(branch or 'Office').title()}"


def appointment(sale: Sale) -> datetime | None:
    """The date of an estimate: that of the last consultation that was agreed on."""
    return max((meeting.starts for meeting in sale.meetings), default=sale.held)


class HousecallProState:
    """All records by the name of their listing, oldest first."""

    def __init__(self, log: CompanyLog) -> None:
        self.as_of = log.as_of
        self.outline = outline(log)
        names = ("employees", "customers", "leads", "estimates", "jobs", "invoices")
        self.rows: dict[str, list[Row]] = {name: [] for name in names}
        for rep in log.reps.sort_values("rep_id").itertuples():
            self.rows["employees"].append(
                {
                    "id": prefixed_id("pro", rep.rep_id), "first_name": rep.first_name, "last_name": rep.last_name, "email": rep.email,
                    "role": "field tech" if rep.role == "sales_rep" else "office staff", "company_name": location(rep.branch), "tags": [],
                }
            )  # fmt: skip
        for inquiry in self.outline.inquiries.values():
            self._inquiry(inquiry)
        for sale in self.outline.sales.values():
            self._estimate(sale)
        for rows in self.rows.values():
            rows.sort(key=lambda row: (row.get("created_at", ""), row["id"]))

    def _customer(self, one: str, values: Row, created: datetime, modified: datetime) -> Row:
        customer = {
            "id": prefixed_id("cus", one), "first_name": values.get("first_name"), "last_name": values.get("last_name"),
            "email": values.get("email"), "mobile_number": ten_digits(values.get("phone")), "home_number": None, "work_number": None,
            "company": values.get("company"), "lead_source": values.get("channel"), "tags": [], "created_at": stamp(created),
            "updated_at": stamp(modified),
            "addresses": [{"id": prefixed_id("adr", one), "type": "service", "street": None, "city": None, "zip": values.get("postcode")}],
        }  # fmt: skip
        self.rows["customers"].append(customer)
        return customer

    def _inquiry(self, inquiry: Inquiry) -> None:
        customer = self._customer(inquiry.id, inquiry.values, inquiry.created, inquiry.modified)
        lost = inquiry.stage[0] if inquiry.is_disqualified and inquiry.stage else None
        owner = {"id": prefixed_id("pro", inquiry.owner)} if inquiry.owner else None
        self.rows["leads"].append(
            {
                "id": prefixed_id("lea", inquiry.id), "number": int(inquiry.id), "customer": {"id": customer["id"]},
                "address": {"id": prefixed_id("adr", inquiry.id), "zip": inquiry.values.get("postcode")}, "assigned_employee": owner,
                "conversions": [{"id": prefixed_id("csr", sale.id), "type": "Estimate"} for sale in inquiry.sales],
                "lead_source": inquiry.values.get("channel"), "lost_at": stamp(lost), "pipeline_status": None, "tags": [], "total_amount": 0,
                "status": "won" if inquiry.sales else "lost" if lost else "open",
            }
        )  # fmt: skip

    def _estimate(self, sale: Sale) -> None:
        lead = self.outline.inquiries.get(sale.lead or "")
        if lead is not None and sale in lead.sales:
            customer: Row = {"id": prefixed_id("cus", lead.id)}
        else:
            customer = self._customer(f"9{sale.id.zfill(11)}", {}, sale.created, sale.modified)
        cents = round((sale.amount or 0) * 100)
        won = sale.closed if sale.outcome == "won" else None
        lost = sale.closed if sale.outcome in ("lost", "disqualified") else None
        option = {
            "id": prefixed_id("est", sale.id), "name": "Option #1", "option_number": sale.id, "total_amount": cents, "status": "submitted",
            "approval_status": "approved" if won else "declined" if lost else None, "created_at": stamp(sale.quoted),
            "updated_at": stamp(sale.closed or sale.quoted),
        }  # fmt: skip
        canceled = lost if sale.quoted is None else None
        starts = appointment(sale)
        status = (
            "pro canceled"
            if canceled
            else "created job from estimate"
            if won
            else "complete unrated"
            if sale.held
            else "scheduled"
        )
        estimate = {
            "id": prefixed_id("csr", sale.id), "estimate_number": sale.id, "customer": {"id": customer["id"]}, "work_status": status,
            "options": [option, *_further(option, sale.work.options, bool(won))] if sale.quoted else [], "schedule": {"scheduled_start": stamp(starts), "scheduled_end": None},
            "work_timestamps": {"on_my_way_at": None, "started_at": None, "completed_at": stamp(sale.held)}, "canceled_at": stamp(canceled),
            "assigned_employees": [{"id": prefixed_id("pro", sale.owner)}] if sale.owner else [],
            "company_name": location(sale.values["branch"]) if sale.values.get("branch") else None,
            "created_at": stamp(sale.created), "updated_at": stamp(sale.modified),
        }  # fmt: skip
        self.rows["estimates"].append(estimate)
        if won is not None:
            self._job(sale, estimate, won, cents)

    def _job(self, sale: Sale, estimate: Row, won: datetime, cents: int) -> None:
        work = sale.work
        done, paid, ends = work.completed, work.paid, work.completed or won + timedelta(days=4)
        due = round(work.balance * 100) if work.invoiced else cents
        job = {
            "id": prefixed_id("job", sale.id), "invoice_number": sale.id, "description": sale.values.get("name"), "tags": [],
            "customer": estimate["customer"], "lead_source": None,
            "work_status": "pro canceled" if work.canceled else "complete unrated" if done else "scheduled",
            "work_timestamps": {"on_my_way_at": None, "started_at": None, "completed_at": stamp(done)},
            "schedule": {"scheduled_start": stamp(ends - timedelta(hours=4)), "scheduled_end": stamp(ends), "arrival_window": 60},
            "total_amount": cents, "outstanding_balance": due, "subtotal": cents, "assigned_employees": estimate["assigned_employees"],
            "original_estimate_id": estimate["id"], "original_estimate_uuids": [estimate["options"][0]["id"]], "canceled_at": stamp(work.canceled),
            "deleted_at": None, "created_at": stamp(won), "updated_at": stamp(work.modified or won),
        }  # fmt: skip
        self.rows["jobs"].append(job)
        if work.invoiced is None:
            return
        cents = round(work.amount * 100)
        payments = [
            {
                "status": "succeeded",
                "payment_method": "check",
                "amount": round(part * 100),
                "paid_at": stamp(at),
                "category": "customer_payment",
            }
            for at, part in work.payments
        ]
        self.rows["invoices"].append(
            {
                "id": prefixed_id("invoice", sale.id), "status": "paid" if paid else "open", "invoice_number": sale.id, "amount": cents,
                "subtotal": cents, "due_amount": due, "due_at": stamp(work.invoiced + timedelta(days=30)), "sent_at": stamp(work.invoiced),
                "paid_at": stamp(paid), "invoice_date": stamp(work.invoiced), "service_date": None, "items": [], "taxes": [], "discounts": [], "job_id": job["id"],
                "payments": payments,
            }
        )  # fmt: skip


def _further(option: Row, options: int, is_won: bool) -> list[Row]:
    """The cheaper options beside the one that counts: declined where that was decided on."""
    status = "declined" if is_won else option["approval_status"]
    return [
        option
        | {
            "id": f"{option['id']}-{place}", "name": f"Option #{place + 1}", "approval_status": status,
            "total_amount": round(option["total_amount"] * (1 - 0.15 * place)),
        }
        for place in range(1, options)
    ]  # fmt: skip
