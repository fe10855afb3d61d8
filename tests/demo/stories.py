"""Hand-made logs for the tests of the truth: a few events of which every KPI can be computed in one's head."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from demo.log import WEB_COLUMNS, CompanyLog, Event, events_frame
from demo.truth import Truth, compute

PROCESS = """\
company:
  name: Small
  currency: USD
  timezone: America/Chicago
  holidays: [2026-01-01]
  branches:
    chicago: {open: {mon-fri: "08:00-18:00", sat: "09:00-13:00"}}
    denver: {timezone: America/Denver, open: {mon-fri: "08:00-17:00"}}
process:
  versions:
    - {key: old, effective_from: 2025-01-01}
    - {key: new, effective_from: 2026-02-01}
  stages:
    - {key: inquiry, object: lead, limits: {first_touch_minutes: 15, days_in_stage: 2}, required: {phone: 3, email: 2}}
    - {key: qualification, object: lead, required: {postcode: 1}}
    - {key: consultation_scheduled, required: {need: 1}}
    - {key: proposal, limits: {days_in_stage: 10}, required: {amount: 3, need: 2}}
    - {key: won, kind: won}
    - {key: lost, kind: lost, required: {loss_reason: 1}}
    - {key: disqualified, kind: disqualified, object: lead}
exclusions:
  test: "lead.is_test or lead.email like '%@example.test'"
targets:
  - {kpi: win_rate, before: 0.35, target: 0.9}
  - {kpi: win_rate, target: 0.95, effective_from: 2030-01-01}
"""
REPS = pd.DataFrame(
    [("1", "Ann", "Sales", "chicago"), ("2", "Bob", "Sales", "denver"), ("3", "Cyd", "Intake", "denver")],
    columns=["rep_id", "name", "team", "branch"],
)
LEAD = dict.fromkeys(
    ("first_name", "last_name", "email", "phone", "postcode", "branch", "channel", "campaign", "service_line", "job_type",
     "customer_type", "is_test", "owner")
)  # fmt: skip


def at(text: str) -> datetime:
    """``01-05 14:00`` of 2026, UTC; a year may stand before it."""
    return datetime.fromisoformat(text if text.count("-") == 2 else f"2026-{text}")


class Story:
    """Tells what happened in any order; the log has it in time's order."""

    def __init__(self, as_of: str = "03-02 12:00") -> None:
        self.as_of = at(as_of)
        self.events: list[Event] = []
        self._activities = 0

    def add(self, moment: str, kind: str, lead: str | None = None, deal: str | None = None, **data: Any) -> Story:
        """Any event."""
        self.events.append(Event(at(moment), kind, lead, deal, None, data))
        return self

    def lead(self, lead: str, moment: str, created_by: str = "form", **fields: Any) -> Story:
        """A lead that arrives."""
        return self.add(moment, "lead_created", lead, created_by=created_by, **{**LEAD, **fields})

    def deal(
        self, deal: str, moment: str, lead: str | None = None, stage: str = "consultation_scheduled", **fields: Any
    ) -> Story:
        """A deal that is opened."""
        known = {"pipeline": "default", "owner": None, "amount": None, "expected_close_date": None, **fields}
        return self.add(moment, "deal_created", lead, deal, stage=stage, **known)

    def stages(self, subject: str, *moves: tuple[str, str]) -> Story:
        """Moves of a deal (``d…``) or lead: (moment, stage)."""
        for moment, stage in moves:
            if subject.startswith("d"):
                self.add(moment, "deal_stage", None, subject, stage=stage)
            else:
                self.add(moment, "lead_stage", subject, stage=stage)
        return self

    def touch(self, moment: str, kind: str, lead: str | None, deal: str | None = None, **data: Any) -> Story:
        """An activity; calls and e-mails are outbound by hand and answered unless said otherwise."""
        self._activities += 1
        defaults: dict[str, dict[str, Any]] = {
            "call": {"direction": "outbound", "outcome": "answered", "duration_seconds": 60.0},
            "email": {"direction": "outbound", "is_automated": False},
            "meeting_set": {"by": "person"},
            "task": {},
        }
        return self.add(moment, kind, lead, deal, activity_id=str(self._activities), **{**defaults[kind], **data})

    def answer(
        self, moment: str, nps: int | None, csat: int | None, lead: str | None = None, deal: str | None = None
    ) -> Story:
        """A completed survey response."""
        self._activities += 1
        return self.add(
            moment,
            "survey_response",
            lead,
            deal,
            form_id="f",
            response_id=str(self._activities),
            nps_score=nps,
            csat_score=csat,
        )

    def log(self) -> CompanyLog:
        """The log of it."""
        frame = events_frame(event for event in self.events if event.at <= self.as_of)
        start = frame["at"].min().to_pydatetime()
        branches = pd.DataFrame(columns=["branch", "label", "timezone"])
        return CompanyLog(
            0,
            1.0,
            start,
            start,
            self.as_of,
            "America/Chicago",
            REPS,
            branches,
            frame,
            pd.DataFrame(columns=WEB_COLUMNS),
        )

    def truth(self, folder: Path) -> Truth:
        """Its truth under PROCESS."""
        path = folder / "process.yml"
        path.write_text(PROCESS, encoding="utf-8")
        return compute(self.log(), path)


def row(
    truth: Truth,
    mart: str,
    grain: str = "all",
    start: Any = None,
    segment_type: str = "total",
    segment: str = "total",
    **keys: Any,
) -> dict[str, Any]:
    """The one row of a mart with that key; AssertionError if there is none or several."""
    frame = truth.mart(mart)
    wanted = {"period_grain": grain, "segment_type": segment_type, "segment": segment, **keys}
    for name, value in wanted.items():
        if name in frame:
            frame = frame[frame[name] == value]
    if "period_start_date" in frame:
        frame = frame[[found == start for found in frame["period_start_date"]]]
    assert len(frame) == 1, f"{len(frame)} rows of {mart} for {wanted}"
    return frame.iloc[0].to_dict()
