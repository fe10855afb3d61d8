"""The company on Jobber: an inquiry is a request, a consultation its assessment, an offer a quote, which is the deal.

What Jobber can't hold as the log has it: the present state and a few time stamps are all, to the second. A request knows when its assessment was completed but not when it
was booked, and one assessment only; a request without a quote is archived, with no reason, and nobody owns it; a quote begins with the offer,
has one amount, its last approval and when it was archived, no expected close date and no answers of the customer; calls, e-mails and tasks are not there;
records that were deleted or merged away are gone; people have no teams and branches; requests have no segments but the client's source.
"""

from __future__ import annotations

from datetime import datetime

import pandas as pd

from demo.log import CompanyLog, Event
from demo.servers.jobber import state as jobber_state
from demo.servers.jobber.server import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, JobberOptions, JobberServer
from demo.servers.outline import Inquiry, Sale, outline, reduced, work_events
from demo.truth.dialect import Dialect

DIALECT = Dialect(
    lead={
        "consultation_scheduled": "assessment_scheduled",
        "consultation_held": "assessment_completed",
        "disqualified": "archived",
        "lost": "archived_after_assessment",
    },
    deal={"proposal": "awaiting_response", "won": "approved", "lost": "archived"},
)
# Jobber's budget, restored forty times as fast: a run of the demo waits now and then but not for minutes.
DEMO = JobberOptions(restored=20_000)
_KEPT = ("first_name", "last_name", "email", "phone", "postcode", "channel", "created_by")


def server(log: CompanyLog, options: JobberOptions = DEMO) -> JobberServer:
    """Jobber with the records of ``log``."""
    return JobberServer(log, options)


def config(url: str) -> str:
    """The section of ``.dlt/config.toml``."""
    return f'[sources.jobber]\nbase_url = "{url}"\n'


def secrets() -> str:
    """The section of ``.dlt/secrets.toml``."""
    return (
        f'[sources.jobber]\nclient_id = "{CLIENT_ID}"\nclient_secret = "{CLIENT_SECRET}"\n'
        f'refresh_token = "{REFRESH_TOKEN}"\n'
    )


def files() -> dict[str, str]:
    """None: Jobber's fields have one meaning."""
    return {}


def record_id(kind: str, log_id: str) -> str:
    """Leads are requests, deals are quotes."""
    return jobber_state.encoded_id({"lead": "Request", "deal": "Quote"}[kind], log_id)


def known(log: CompanyLog) -> CompanyLog:
    """The log as Jobber can tell it."""
    company = outline(log)
    as_of = pd.Timestamp(log.as_of).to_pydatetime()
    events: list[Event] = []
    for inquiry in company.inquiries.values():
        events += _inquiry(inquiry, as_of)
    for sale in company.sales.values():
        if sale.quoted is not None:
            events += _quote(sale, sale.quoted)
    return reduced(log, events, teams={}, has_branches=False)


def _inquiry(inquiry: Inquiry, as_of: datetime) -> list[Event]:
    values = dict.fromkeys(inquiry.values) | {name: inquiry.values.get(name) for name in _KEPT} | {"owner": None}
    events = [Event(inquiry.created, "lead_created", inquiry.id, None, None, values)]

    def entered(at: datetime, stage: str) -> None:
        events.append(Event(at, "lead_stage", inquiry.id, None, None, {"stage": stage}))

    sale = next((one for one in inquiry.sales if one.is_first), None)
    if sale is None:
        if inquiry.is_disqualified:
            entered(inquiry.modified, "disqualified")
        return events
    modified = max(inquiry.modified, sale.modified)
    if sale.held is not None:
        entered(sale.held, "consultation_held")
    if sale.quoted is None and sale.closed is not None:
        entered(modified, "lost")
    elif sale.quoted is None and sale.held is None:
        entered(modified, "consultation_scheduled")
    starts = jobber_state.last_meeting(sale)
    if starts is not None and starts <= as_of:
        one = {"activity_id": f"assessment-{inquiry.id}"}
        events.append(Event(starts, "meeting_set", inquiry.id, None, None, {**one, "starts_at": starts, "by": "self"}))
        if sale.held is not None:
            events.append(Event(starts, "meeting_outcome", inquiry.id, None, None, {**one, "outcome": "held"}))
        elif sale.quoted is None and sale.closed is not None:  # archived
            events.append(Event(starts, "meeting_outcome", inquiry.id, None, None, {**one, "outcome": "canceled"}))
    return events


def _quote(sale: Sale, quoted: datetime) -> list[Event]:
    lead = sale.lead if sale.is_first else None
    values = dict.fromkeys(sale.values) | {
        "name": sale.values.get("name"), "pipeline": "default", "stage": "proposal", "owner": sale.owner, "amount": sale.amount or 0.0,
        "expected_close_date": None,
    }  # fmt: skip
    events = [Event(quoted, "deal_created", lead, sale.id, None, values)]
    events.append(Event(quoted, "estimate_sent", lead, sale.id, None, {"options": None}))
    if sale.closed is not None:
        stage = "won" if sale.outcome == "won" else "lost"
        events.append(Event(sale.closed, "deal_stage", lead, sale.id, None, {"stage": stage}))
    return events + work_events(sale, lead)
