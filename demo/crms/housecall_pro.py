"""The company on Housecall Pro: an inquiry is a lead, a deal an estimate whose option is the offer; a sold one becomes a job.

What Housecall Pro can't hold as the log has it, to the second: a lead has no date but its customer's, nor how it came; telephone numbers are ten digits; an estimate is
booked, visited, offered, sold or lost, each once, and the offer comes with or after the visit; an offer without a price is none; there is no campaign,
service line, job type, expected close date, reason or answer of the customer; calls, e-mails and tasks are not there; of several dates the last
one is known, but not when it was set; nothing tells test records; records that were deleted or merged away are gone; people belong to a location.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pandas as pd

from demo.log import CompanyLog, Event
from demo.servers.housecall_pro import state as housecall_pro_state
from demo.servers.housecall_pro.server import API_KEY, HousecallProOptions, HousecallProServer
from demo.servers.outline import Inquiry, Sale, outline, reduced, work_events
from demo.truth.dialect import Dialect

_MAPPING = Path(__file__).parent / "housecall_pro.yml"
_PREFIX = {"lead": "lea", "deal": "csr"}
_LEAD = ("first_name", "last_name", "email", "postcode", "channel")
DIALECT = Dialect(
    lead={"disqualified": "lost"},
    deal={
        "consultation_scheduled": "scheduled",
        "consultation_held": "completed",
        "proposal": "offered",
        "won": "approved",
        "lost": "lost",
    },
    has_owner_history=False,
)


def server(log: CompanyLog, options: HousecallProOptions | None = None) -> HousecallProServer:
    """Housecall Pro with the records of ``log``."""
    return HousecallProServer(log, options)


def config(url: str) -> str:
    """The section of ``.dlt/config.toml``."""
    return f'[sources.housecall_pro]\nbase_url = "{url}"\nrequests_per_second = 50\n'


def secrets() -> str:
    """The section of ``.dlt/secrets.toml``."""
    return f'[sources.housecall_pro]\napi_key = "{API_KEY}"\n'


def files() -> dict[str, str]:
    """Which location is which branch."""
    return {"sources/housecall_pro.yml": _MAPPING.read_text(encoding="utf-8")}


def record_id(kind: str, log_id: str) -> str:
    """Leads are ``lea_…``, deals the estimates ``csr_…``."""
    return housecall_pro_state.prefixed_id(_PREFIX[kind], log_id)


def known(log: CompanyLog) -> CompanyLog:
    """The log as Housecall Pro can tell it."""
    company = outline(log)
    as_of = pd.Timestamp(log.as_of).to_pydatetime()
    events: list[Event] = []
    for inquiry in company.inquiries.values():
        events += _inquiry(inquiry)
    for sale in company.sales.values():
        lead = company.inquiries.get(sale.lead or "")
        events += _estimate(sale, lead.id if lead is not None and sale in lead.sales else None, as_of)
    teams = {rep.rep_id: housecall_pro_state.location(rep.branch) for rep in log.reps.itertuples()}
    return reduced(log, events, teams=teams)


def _inquiry(inquiry: Inquiry) -> list[Event]:
    values = dict.fromkeys(inquiry.values) | {name: inquiry.values.get(name) for name in _LEAD}
    values |= {"phone": housecall_pro_state.ten_digits(inquiry.values.get("phone")), "owner": inquiry.owner}
    events = [Event(inquiry.created, "lead_created", inquiry.id, None, None, values)]
    if inquiry.is_disqualified and inquiry.stage is not None:
        events.append(Event(inquiry.stage[0], "lead_stage", inquiry.id, None, None, {"stage": "disqualified"}))
    return events


def _estimate(sale: Sale, lead: str | None, as_of: datetime) -> list[Event]:
    values = dict.fromkeys(sale.values) | {"branch": sale.values.get("branch"), "name": sale.values.get("name")}
    values |= {"pipeline": "default", "stage": "consultation_scheduled", "owner": sale.owner}
    events = [Event(sale.created, "deal_created", lead, sale.id, None, values)]

    def happened(at: datetime, kind: str, **data: object) -> None:
        events.append(Event(at, kind, lead, sale.id, None, data))

    if sale.held is not None:
        happened(sale.held, "deal_stage", stage="consultation_held")
    if sale.quoted is not None and sale.amount:
        offered = max(sale.quoted, sale.held or sale.quoted)
        offered = min(offered, sale.closed or offered)
        happened(offered, "deal_stage", stage="proposal")
        happened(offered, "estimate_sent", options=sale.work.options)
        happened(offered, "deal_amount", amount=sale.amount)
    if sale.closed is not None:
        happened(sale.closed, "deal_stage", stage="won" if sale.outcome == "won" else "lost")
    starts = housecall_pro_state.appointment(sale)
    if starts is not None and starts <= as_of:
        happened(starts, "meeting_set", activity_id=f"visit-{sale.id}", starts_at=starts, by="self")
        if sale.held is not None:
            happened(starts, "meeting_outcome", activity_id=f"visit-{sale.id}", outcome="held")
        elif sale.quoted is None and sale.outcome in ("lost", "disqualified"):
            happened(starts, "meeting_outcome", activity_id=f"visit-{sale.id}", outcome="canceled")
    return events + work_events(sale, lead)
