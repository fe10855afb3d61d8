"""The company on Salesforce: inquiries are leads, converted when there is an opportunity.

What Salesforce can't hold as the log has it: times are whole seconds; a lead has a status from its first moment, and setting the same stage
again leaves no trace; opportunities can't be merged (one of the two is deleted); a last name and a
close date must be filled in (people write "Unknown", and a month from now); a task is due on a day, not at a time; calls last whole seconds.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from demo.log import CompanyLog, Event, events_frame, logged_call
from demo.servers.outline import WORK
from demo.servers.salesforce import state as salesforce_state
from demo.servers.salesforce.server import CLIENT_ID, CLIENT_SECRET, SalesforceOptions, SalesforceServer
from demo.truth.dialect import Dialect

_MAPPING = Path(__file__).parent / "salesforce.yml"
_OBJECTS = {"lead": "Lead", "deal": "Opportunity"}
_USUAL_DAYS = 30
DIALECT = Dialect(
    lead=salesforce_state.LEAD_STATUS,
    deal={key: name for key, (name, *_) in salesforce_state.STAGES.items()},
    keeps_merged=True,
)


def server(log: CompanyLog, options: SalesforceOptions | None = None) -> SalesforceServer:
    """Salesforce with the records of ``log``."""
    return SalesforceServer(log, known, options)


def config(url: str) -> str:
    """The section of ``.dlt/config.toml``."""
    return f'[sources.salesforce]\ninstance_url = "{url}"\n'


def secrets() -> str:
    """The section of ``.dlt/secrets.toml``."""
    return f'[sources.salesforce]\nclient_id = "{CLIENT_ID}"\nclient_secret = "{CLIENT_SECRET}"\n'


def files() -> dict[str, str]:
    """Which field holds what."""
    return {"sources/salesforce.yml": _MAPPING.read_text(encoding="utf-8")}


def record_id(kind: str, log_id: str) -> str:
    """Leads and opportunities have ids of 18 characters."""
    return salesforce_state.record_id(_OBJECTS[kind], log_id)


def known(log: CompanyLog) -> CompanyLog:
    """The log as Salesforce can tell it."""
    events = log.events
    moments = pd.DatetimeIndex(events["at"].dt.floor("s")).to_pydatetime()
    columns = (events[name] for name in ("kind", "lead_id", "deal_id", "rep_id", "data"))
    stages: dict[str, str] = {}
    kept: list[Event] = []
    for at, kind, lead, deal, rep, data in zip(moments, *columns, strict=True):
        if kind in WORK or (kind == "call" and lead is None and deal is None):
            continue
        event = Event(at, *_known(at, kind, lead, deal, rep, dict(data)))
        if event.kind in ("lead_stage", "deal_stage"):
            subject = str(event.deal_id if event.kind == "deal_stage" else event.lead_id)
            if stages.get(subject) == event.data["stage"]:  # to set what is set is no change
                continue
            stages[subject] = event.data["stage"]
        elif event.kind == "deal_created":
            stages[str(deal)] = event.data["stage"]
        kept.append(event)
        if event.kind == "lead_created":  # a lead has a status from the first moment
            stages[str(lead)] = "inquiry"
            kept.append(Event(at, "lead_stage", lead, None, rep, {"stage": "inquiry"}))
    return replace(log, events=events_frame(kept))


def _known(
    at: datetime, kind: str, lead: str | None, deal: str | None, rep: str | None, data: dict[str, Any]
) -> tuple[str, str | None, str | None, str | None, dict[str, Any]]:
    if kind == "deal_merged":
        return "deal_archived", lead, deal, rep, {}
    if kind == "lead_created":
        data["last_name"] = data.get("last_name") or "Unknown"
    elif kind == "lead_field" and data["field"] == "last_name":
        data["value"] = data["value"] or "Unknown"
    elif kind in ("deal_created", "deal_close_date"):
        data["expected_close_date"] = data["expected_close_date"] or (at + timedelta(days=_USUAL_DAYS)).date()
    elif kind == "call":
        data = logged_call(data) | {"duration_seconds": float(round(data["duration_seconds"]))}
    elif kind == "task":
        data["due_at"] = datetime.combine(data["due_at"].date(), datetime.min.time())
    elif kind == "meeting_set":
        data["starts_at"] = data["starts_at"].replace(microsecond=0)
    return kind, lead, deal, rep, data
