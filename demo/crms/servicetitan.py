"""The company on ServiceTitan: an inquiry is a lead, a consultation the appointment of a job, which is the deal; an offer is an estimate.

What ServiceTitan can't hold as the log has it, to the second: a lead is open, converted or dismissed, with no owner; a customer has one name; a job
is booked, completed, offered for, sold or lost, each once, and the consultation was held at the latest when the offer was made; before the offer
there is no amount; nothing tells test records, expected close dates and customers' answers; reasons only of canceled jobs. E-mails and tasks are not there; who set an
appointment neither, one that did not take place was canceled; a busy line was not answered; a campaign has one name for its channel and itself;
records that were deleted or merged away are gone. A call that nobody answered is an abandoned one, and how long an answered one rang is not told.
"""

from __future__ import annotations

from pathlib import Path

from demo.log import CompanyLog, Event, logged_call
from demo.servers.outline import Inquiry, Outline, Sale, outline, reduced, work_events
from demo.servers.servicetitan.server import (
    APP_KEY,
    CLIENT_ID,
    CLIENT_SECRET,
    TENANT,
    ServiceTitanOptions,
    ServiceTitanServer,
)
from demo.servers.servicetitan.state import REASONS, campaign_name
from demo.truth.dialect import Dialect

_MAPPING = Path(__file__).parent / "servicetitan.yml"
_LEAD = ("email", "phone", "postcode", "branch", "channel", "service_line", "job_type", "created_by")
_DEAL = ("branch", "service_line", "job_type", "name")
DIALECT = Dialect(
    lead={"disqualified": "Dismissed"},
    deal={
        "consultation_scheduled": "Booked",
        "consultation_held": "Completed",
        "proposal": "Estimate",
        "won": "Sold",
        "lost": "Lost",
    },
)


def server(log: CompanyLog, options: ServiceTitanOptions | None = None) -> ServiceTitanServer:
    """ServiceTitan with the records of ``log``."""
    return ServiceTitanServer(log, options)


def config(url: str) -> str:
    """The section of ``.dlt/config.toml``."""
    return f'[sources.servicetitan]\nbase_url = "{url}"\ntoken_url = "{url}/connect/token"\ntenant_id = "{TENANT}"\n'


def secrets() -> str:
    """The section of ``.dlt/secrets.toml``."""
    return (
        f'[sources.servicetitan]\nclient_id = "{CLIENT_ID}"\nclient_secret = "{CLIENT_SECRET}"\napp_key = "{APP_KEY}"\n'
    )


def files() -> dict[str, str]:
    """What the business units stand for."""
    return {"sources/servicetitan.yml": _MAPPING.read_text(encoding="utf-8")}


def record_id(kind: str, log_id: str) -> str:
    """Leads and jobs have the log's numbers."""
    return log_id


def known(log: CompanyLog) -> CompanyLog:
    """The log as ServiceTitan can tell it."""
    company = outline(log)
    events: list[Event] = []
    for inquiry in company.inquiries.values():
        events += _inquiry(inquiry)
    for sale in company.sales.values():
        lead = company.inquiries.get(sale.lead or "")
        events += _job(sale, lead.id if lead is not None and sale in lead.sales else None)
    return reduced(log, [*events, *_calls(company)])


def _inquiry(inquiry: Inquiry) -> list[Event]:
    values = inquiry.values
    name = " ".join(part for part in (values.get("first_name"), values.get("last_name")) if part)
    kept = dict.fromkeys(values) | {key: values.get(key) for key in _LEAD}
    kept |= {"last_name": name or None, "campaign": campaign_name(values), "owner": None}
    events = [Event(inquiry.created, "lead_created", inquiry.id, None, None, kept)]
    if inquiry.is_disqualified:
        events.append(Event(inquiry.modified, "lead_stage", inquiry.id, None, None, {"stage": "disqualified"}))
    return events


def _job(sale: Sale, lead: str | None) -> list[Event]:
    values = dict.fromkeys(sale.values) | {key: sale.values.get(key) for key in _DEAL}
    values |= {"pipeline": "default", "stage": "consultation_scheduled", "owner": sale.owner}
    if sale.quoted is None and sale.closed is not None and sale.values.get("loss_reason") in REASONS:
        values["loss_reason"] = sale.values["loss_reason"]
    events = [Event(sale.created, "deal_created", lead, sale.id, None, values)]

    def entered(at: object, stage: str) -> None:
        events.append(Event(at, "deal_stage", lead, sale.id, None, {"stage": stage}))  # type: ignore[arg-type]

    if sale.held is not None:
        entered(min(sale.held, sale.quoted or sale.held), "consultation_held")
    if sale.quoted is not None:
        entered(sale.quoted, "proposal")
        events.append(Event(sale.quoted, "estimate_sent", lead, sale.id, None, {"options": sale.work.options}))
        events.append(Event(sale.quoted, "deal_amount", lead, sale.id, None, {"amount": sale.amount or 0.0}))
    if sale.closed is not None:
        entered(sale.closed, "won" if sale.outcome == "won" else "lost")
    for meeting in sale.meetings:
        one = {"activity_id": meeting.id}
        events.append(
            Event(
                meeting.set_at, "meeting_set", lead, sale.id, None, {**one, "starts_at": meeting.starts, "by": "person"}
            )
        )
        if meeting.outcome is not None:
            outcome = "held" if meeting.outcome == "held" else "canceled"
            events.append(Event(meeting.set_at, "meeting_outcome", lead, sale.id, None, {**one, "outcome": outcome}))
    return events + work_events(sale, lead)


def _calls(company: Outline) -> list[Event]:
    found = []
    for call in company.calls:
        data = dict(call.values) | {"activity_id": call.id}
        if data["outcome"] == "busy":
            data["outcome"] = "no_answer"
        data = logged_call(data) | {"duration_seconds": float(round(data["duration_seconds"]))}
        if data["direction"] == "inbound":
            data["gave_up"] = data["outcome"] != "answered"
            data["is_lead"] = None if data["gave_up"] else bool(call.lead and call.values.get("is_lead", True))
            if data["gave_up"]:
                data["wait_seconds"] = float(round(call.values.get("wait_seconds", 0)))
        found.append(Event(call.at, "call", call.lead, None, call.rep, data))
    return found
