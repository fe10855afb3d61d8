"""Observations of the KPIs as data frames: one row per lead, deal, wait, stage entry or answer, with the segments of docs/kpis.md.

Days are ``datetime.date`` or None; money is whole cents. Sums and statistics over them are in ``marts``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from functools import cached_property
from typing import Any

import pandas as pd

from demo.truth.clock import local_date, local_days
from demo.truth.dialect import HUBSPOT, Dialect
from demo.truth.journeys import Entry, Journey, Journeys, journeys
from demo.truth.records import SHARED, Answer, Book, Deal, Record
from demo.truth.rollup import SEGMENTS
from demo.truth.speed import activities_of_leads, first_touch, waits


class Facts:
    """All observations of one company at ``as_of``, each frame made when it is first asked for.

    ``only``: segment → names; observations of other segments are left out (cases, ledger and deals at large stay whole). ``dialect``: how the
    company's CRM speaks.
    """

    def __init__(
        self, book: Book, only: Mapping[str, Collection[str]] | None = None, dialect: Dialect = HUBSPOT
    ) -> None:
        self.book, self.dialect = book, dialect
        self.only = dict(only or {})

    @cached_property
    def journeys(self) -> Journeys:
        """The counted cases."""
        return journeys(self.book)

    def segments(self, record: Record | None, rep: str | None, day: date | None) -> dict[str, Any]:
        """The segments of a record, with the rep (an id) and the day that the KPI names."""
        own = record.values if record else dict.fromkeys(SHARED)
        return {
            **own,
            "rep": self.book.rep_name(rep),
            "team": self.book.team(rep),
            "process_version": self.book.settings.version_on(day),
            "pipeline": record.pipeline if isinstance(record, Deal) else None,
        }

    @cached_property
    def leads(self) -> pd.DataFrame:
        """Counted leads: is_won, is_open, days_observed, created_date; rep = first owner."""
        rows = []
        for lead in self.book.counted_leads():
            case = self.journeys.of_lead[lead.id]
            rows.append(
                {
                    "lead_id": lead.id,
                    "created_date": lead.created_date,
                    "is_won": case.state == "won",
                    "is_open": case.is_open,
                    "days_observed": local_days(lead.created, case.closed or self.book.as_of, lead.zone),
                    **self.segments(lead, lead.first_owner[1], lead.created_date),
                }
            )
        return self.frame(rows, ["lead_id", "created_date", "is_won", "is_open", "days_observed"])

    @cached_property
    def deals(self) -> pd.DataFrame:
        """Counted deals by created date, rep = owner at creation: outcome, days_observed (None: not known or negative)."""
        rows = []
        for deal in self.book.counted_deals():
            case = self.journeys.of_deal[deal.id]
            seen = local_days(deal.created, case.closed or self.book.as_of, deal.zone)
            rows.append(
                {
                    "deal_id": deal.id,
                    "created_date": deal.created_date,
                    "is_won": case.state == "won",
                    "days_observed": seen if seen is not None and seen >= 0 else None,
                    **self.segments(deal, deal.owner_at(deal.created), deal.created_date),
                }
            )
        return self.frame(rows, ["deal_id", "created_date", "is_won", "days_observed"])

    @cached_property
    def closed_deals(self) -> pd.DataFrame:
        """Counted deals that are won, lost or disqualified now, by close date; rep = owner at close."""
        by_lead = activities_of_leads(self.book)
        rows = []
        for deal in self.book.counted_deals():
            case = self.journeys.of_deal[deal.id]
            if case.is_open:
                continue
            closed_date = local_date(case.closed, deal.zone)
            counts = case.state == "won"
            touch = first_touch(by_lead.get(deal.lead.id, []), deal.lead.created) if deal.lead else None
            rows.append(
                {
                    "deal_id": deal.id,
                    "outcome": case.state,
                    "closed_date": closed_date,
                    "cents": deal.cents,
                    "loss_reason": deal.own.get("loss_reason"),
                    "cycle_days": local_days(deal.created, case.closed, deal.zone) if counts else None,
                    "first_close_days": local_days(deal.created, case.first_closed, deal.zone) if counts else None,
                    "lead_days": local_days(deal.lead.created, case.closed, deal.zone)
                    if counts and deal.lead
                    else None,
                    "first_touch_days": local_days(touch, case.closed, deal.zone) if counts else None,
                    **self.segments(deal, deal.owner_at(case.closed), closed_date),
                }
            )
        columns = [
            "deal_id",
            "outcome",
            "closed_date",
            "cents",
            "loss_reason",
            "cycle_days",
            "first_close_days",
            "lead_days",
            "first_touch_days",
        ]
        return self.frame(rows, columns)

    @cached_property
    def web_sessions(self) -> pd.DataFrame:
        """Sessions of visitors who consented, by the company's day of the first event: is_started, is_sent (a form)."""
        visit = ["user_pseudo_id", "ga_session_id"]
        known = self.book.web_events.dropna(subset=visit).sort_values("event_timestamp", kind="stable")
        first = known.drop_duplicates(visit)
        traced = known.dropna(subset=["source", "medium", "campaign"], how="all").drop_duplicates(visit)
        campaigns = traced.set_index(visit)["campaign"].to_dict()
        sent, started = (
            set(known.loc[known["event_name"].isin(names), visit].itertuples(index=False, name=None))
            for names in (("form_submit", "generate_lead"), ("form_start", "form_submit", "generate_lead"))
        )
        rows = []
        for stamp, *key in first[["event_timestamp", *visit]].itertuples(index=False, name=None):
            session = tuple(key)
            day = local_date(pd.Timestamp(stamp, unit="us").to_pydatetime(), self.book.settings.zone)
            campaign = campaigns.get(session)
            segments = self.segments(None, None, day) | {"campaign": campaign if isinstance(campaign, str) else None}
            rows.append({"on": day, "is_started": session in started, "is_sent": session in sent, **segments})
        return self.frame(rows, ["on", "is_started", "is_sent"])

    @cached_property
    def waits(self) -> pd.DataFrame:
        """Persons waiting for the first touch: minutes and its parts; rep = first owner of the first lead."""
        limit = self.book.settings.stages[0].first_touch_minutes
        rows = [
            {
                "lead_id": wait.lead.id,
                "created_date": wait.lead.created_date,
                "is_contacted": wait.touched is not None,
                "minutes": wait.minutes,
                "open_minutes": wait.open_minutes,
                "routing": wait.routing if self.dialect.has_owner_history else None,
                "reaction": wait.reaction if self.dialect.has_owner_history else None,
                "connection": wait.connection,
                "touches": wait.touches,
                "observed": wait.observed,
                "within_5": wait.minutes is not None and wait.minutes <= 5,
                "within_target": None if limit is None else wait.minutes is not None and wait.minutes <= limit,
                **self.segments(wait.lead, wait.lead.first_owner[1], wait.lead.created_date),
            }
            for wait in waits(self.book)
        ]
        columns = [
            "lead_id", "created_date", "is_contacted", "minutes", "open_minutes", "routing", "reaction", "connection", "touches", "observed",
            "within_5", "within_target",
        ]  # fmt: skip
        return self.frame(rows, columns)

    @cached_property
    def stage_pairs(self) -> pd.DataFrame:
        """Per case that entered an open stage and every later open stage or won: reached, adjacent; rep = owner at the entry."""
        settings = self.book.settings
        targets = [stage for stage in settings.stages if stage.kind in ("open", "won")]
        rows = []
        for case in self.journeys.cases:
            moves = {(entry.stage, entry.exit_stage) for entry in case.entries}
            for entry in case.entries:
                if entry.stage_kind != "open" or entry.visit > 1:
                    continue
                base = self._entry(case, entry) | {"from_stage": entry.stage, "is_open": case.is_open}
                for target in targets:
                    if target.order <= entry.order:
                        continue
                    is_next = settings.next_stage(entry.stage) == target.key
                    rows.append(
                        base
                        | {
                            "to_stage": target.key,
                            "is_next": is_next,
                            "is_reached": case.is_ever_won or case.reached_order >= target.order,
                            "is_adjacent": (entry.stage, target.key) in moves,
                        }
                    )
        return self.frame(
            rows,
            ["case_id", "from_stage", "to_stage", "is_next", "is_reached", "is_adjacent", "is_open", "entered_date"],
        )

    @cached_property
    def visits(self) -> pd.DataFrame:
        """Every stay of a counted case in a stage: kind of the entry and of the exit, dates; rep = owner at the entry."""
        rows = [
            self._entry(case, entry) | {"is_open": case.is_open}
            for case in self.journeys.cases
            for entry in case.entries
        ]
        return self.frame(
            rows,
            ["case_id", "stage", "kind", "visit", "entered_date", "left_date", "exit_kind", "exit_version", "days"],
        )

    def _entry(self, case: Journey, entry: Entry) -> dict[str, Any]:
        zone = entry.record.zone
        entered, left = local_date(entry.at, zone), local_date(entry.left, zone)
        return {
            "case_id": case.id,
            "stage": entry.stage,
            "kind": entry.kind,
            "visit": entry.visit,
            "entered_date": entered,
            "left_date": left,
            "exit_kind": entry.exit_kind,
            "exit_version": self.book.settings.version_on(left),
            "days": local_days(entry.at, entry.left, zone),
            **self.segments(entry.record, entry.record.owner_at(entry.at), entered),
        }

    @cached_property
    def answers(self) -> pd.DataFrame:
        """Completed answers: nps (points or None), csat (satisfied, or None), submitted_date."""
        rows = []
        for answer in self.book.answers:
            record = answer.deal or answer.lead
            if record is not None and not record.counts:
                continue
            zone = record.zone if record else self.book.settings.zone
            day = local_date(answer.submitted, zone)
            rows.append(
                {
                    "submitted_date": day,
                    "points": None
                    if answer.nps is None
                    else 100
                    if answer.nps >= 9
                    else 0
                    if answer.nps >= 7
                    else -100,
                    "satisfied": None if answer.csat is None else answer.csat >= 4,
                    **self.segments(record, self._rep_of(answer), day),
                }
            )
        return self.frame(rows, ["submitted_date", "points", "satisfied"])

    def _rep_of(self, answer: Answer) -> str | None:
        """The deal's owner at its close; of an open deal or a lead: the lead's owner when the answer was submitted."""
        case = self.journeys.of_deal[answer.deal.id] if answer.deal else None
        if answer.deal and case and case.closed:
            return answer.deal.owner_at(case.closed)
        lead = answer.lead or (answer.deal.lead if answer.deal else None)
        return lead.owner_at(answer.submitted) if lead else None

    @cached_property
    def open_deals(self) -> pd.DataFrame:
        """Deals open now in their stage: cents, age in days; rep = today's owner."""
        rows = []
        for deal in self.book.counted_deals():
            case = self.journeys.of_deal[deal.id]
            if not case.is_open:
                continue
            entry = case.entries[-1]
            rows.append(
                {
                    "stage": entry.stage,
                    "cents": deal.cents,
                    "age_days": local_days(entry.at, self.book.as_of, deal.zone),
                    **self.segments(deal, deal.owner, deal.created_date),
                }
            )
        return self.frame(rows, ["stage", "cents", "age_days"])

    def is_kept(self, segments: Mapping[str, Any]) -> bool:
        """Whether an observation with these segments is one of ``only``."""
        return all(segments[name] in names for name, names in self.only.items())

    def frame(self, rows: list[dict[str, Any]], columns: list[str]) -> pd.DataFrame:
        """The observations that are kept, with ``columns`` and the segments also where there are none."""
        rows = [row for row in rows if self.is_kept(row)]
        return pd.DataFrame(
            rows, columns=list(dict.fromkeys([*columns, *(rows[0] if rows else ()), *SEGMENTS])), dtype=object
        )
