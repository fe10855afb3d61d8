"""The event log of the simulated company: its shape, and how rows are added. No rule of the business and no API belongs here.

``docs/demo.md`` lists the kinds of events and what their ``data`` holds. The log is the only thing that the servers, the GA4
files and the truth are made from.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pandas as pd

EVENT_COLUMNS = ("seq", "at", "kind", "lead_id", "deal_id", "rep_id", "data")
WEB_COLUMNS = (
    "event_timestamp",  # microseconds since 1970, UTC
    "event_date",  # 'YYYYMMDD' in the company's zone
    "event_name",
    "user_pseudo_id",  # null where the visitor gave no consent
    "ga_session_id",  # start of the session in seconds since 1970; null without consent
    "page_location",
    "page_title",
    "source",
    "medium",
    "campaign",
    "gclid",
    "form_id",
    "device",  # desktop, mobile, tablet
    "city",
    "batch_index",  # place in the batch of the page
    "is_late",  # arrived after the day's file was first written
)
# The two surveys, as `form_id` in the log
POST_JOB, POST_CONSULTATION = "NsJob26a", "NsVis26b"


class Event(NamedTuple):
    """One event before it has a place in the log. ``rep_id`` is who did it; null where software or the customer did."""

    at: datetime
    kind: str
    lead_id: str | None
    deal_id: str | None
    rep_id: str | None
    data: dict[str, Any]


@dataclass(frozen=True)
class CompanyLog:
    """Everything that happened in the company up to ``as_of``.

    ``events``: one row per event ordered by ``seq`` (0, 1, …), never going back in ``at`` (datetime64[ns], UTC without zone, whole
    milliseconds; ties are meant: ``seq`` decides). Ids are text as the APIs show them, or None; ``data`` is a dict.
    ``reps``: ``rep_id, name, first_name, last_name, email, team, branch, role, is_active``. ``branches``: ``branch, label, timezone``.
    ``web_events``: see ``WEB_COLUMNS``. ``start``, ``change_at``, ``as_of``: UTC without zone.
    """

    seed: int
    scale: float
    start: datetime
    change_at: datetime
    as_of: datetime
    timezone: str
    reps: pd.DataFrame
    branches: pd.DataFrame
    events: pd.DataFrame
    web_events: pd.DataFrame

    def with_events(self, events: Iterable[Event]) -> CompanyLog:
        """A new log that holds ``events`` too, each put after all that happened at or before its time."""
        added = list(events)
        if any(event.at > self.as_of for event in added):
            raise ValueError("an event after as_of cannot be part of the log")
        merged = pd.concat(
            [self.events.drop(columns="seq"), events_frame(added).drop(columns="seq")], ignore_index=True
        )
        return replace(self, events=_numbered(merged))


def events_frame(events: Iterable[Event]) -> pd.DataFrame:
    """``events`` as the log's data frame, ordered by time; events of one moment keep the order in which they are given."""
    return _numbered(pd.DataFrame(list(events), columns=list(Event._fields)))


def _numbered(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.assign(at=pd.to_datetime(frame["at"]).astype("datetime64[ns]"))
    frame = frame.sort_values("at", kind="stable", ignore_index=True)
    for column in ("lead_id", "deal_id", "rep_id"):
        frame[column] = frame[column].astype(object).where(frame[column].notna(), None)
    frame.insert(0, "seq", range(len(frame)))
    return frame[list(EVENT_COLUMNS)]


# What a telephone system knows of an inbound call, and a CRM in which people log their calls does not.
_RINGING = ("wait_seconds", "gave_up", "is_voicemail", "queue", "is_transferred", "is_lead")


def logged_call(data: dict[str, Any]) -> dict[str, Any]:
    """The ``data`` of a call as people log it in a CRM."""
    return {name: value for name, value in data.items() if name not in _RINGING}


def to_ms(moment: datetime) -> int:
    """Milliseconds since 1970 of a UTC moment without zone."""
    return round(moment.replace(tzinfo=UTC).timestamp() * 1000)
