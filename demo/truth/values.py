"""The KPIs that have no mart of their own (kpi_value): the observations of each, as docs/kpis.md defines them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from demo.truth import calls, chain
from demo.truth.clock import local_date
from demo.truth.estimates import FLOW, MEAN, MEDIAN, PERCENTILE, POINTS, SHARE, estimate
from demo.truth.facts import Facts
from demo.truth.journeys import Journey
from demo.truth.open_cases import open_cases
from demo.truth.pipeline import events
from demo.truth.records import real
from demo.truth.rollup import KEYS, rollup

Made = dict[tuple[type, str], dict[int, datetime]]


def _made(facts: Facts) -> Made:
    """The touches of ours by the lead or deal that they are linked to: number of the activity → when."""
    made: Made = defaultdict(dict)
    for number, activity in enumerate(facts.book.activities):
        if activity.automated or not (activity.direction == "outbound" or activity.type == "meeting"):
            continue
        at = activity.created if activity.type == "meeting" else activity.at
        for record in (activity.lead, activity.deal):
            if record is not None:
                made[type(record), record.id][number] = at
    return made


def _of_case(made: Made, case: Journey) -> dict[int, datetime]:
    touches: dict[int, datetime] = {}
    for record in (case.lead, case.deal):
        if record is not None:
            touches |= made[type(record), record.id]
    return touches


def touches_to_close(facts: Facts) -> pd.DataFrame:
    """The touches of ours up to the close, of deals that are won now."""
    made, closed = _made(facts), facts.closed_deals
    won = closed[closed["outcome"] == "won"]
    counts = []
    for deal in won["deal_id"]:
        case = facts.journeys.of_deal[deal]
        counts.append(sum(case.closed is not None and at <= case.closed for at in _of_case(made, case).values()))
    return won.assign(on=won["closed_date"], y=counts)


def touches_to_contact(facts: Facts) -> pd.DataFrame:
    """Touches up to the first contact, of groups of leads that were reached."""
    frame = facts.waits
    return frame.assign(on=frame["created_date"], y=frame["touches"])


def follow_ups(facts: Facts) -> pd.DataFrame:
    """Touches that fell due by the cadence of a stage, to the end of a day at which the case was still there. It is so: as many were made since the entry."""
    book, made = facts.book, _made(facts)
    rows = []
    for case in facts.journeys.cases:
        touches = _of_case(made, case)
        for entry in case.entries:
            zone = entry.record.zone
            left = local_date(entry.left, zone)
            for number, days in enumerate(book.settings.stage(entry.stage).cadence_days, start=1):
                due = local_date(entry.at, zone) + timedelta(days=days)
                if due >= local_date(book.as_of, zone) or (left is not None and left <= due):
                    continue
                count = sum(at >= entry.at and local_date(at, zone) <= due for at in touches.values())
                segments = facts.segments(entry.record, entry.record.owner_at(entry.at), due)
                rows.append({"on": due, "y": int(count >= number), **segments})
    return facts.frame(rows, ["on", "y"])


def qualifications(facts: Facts) -> pd.DataFrame:
    """Counted deals that came past the stage by whose end they should be qualified: how many of the ``criteria`` they meet (``met``)."""
    settings = facts.book.settings
    after = settings.stage(settings.qualified_after).order if settings.qualified_after else 0
    rows = []
    for deal in facts.book.counted_deals():
        case = facts.journeys.of_deal[deal.id]
        if case.state != "won" and case.reached_order <= after:
            continue
        said = {
            name: real(value, settings.placeholders) if isinstance(value, str) else value
            for name, value in deal.own.items()
        }
        met = sum(holds(said) is True for holds in settings.qualification)
        segments = facts.segments(deal, deal.owner_at(deal.created), deal.created_date)
        rows.append({"on": deal.created_date, "met": met, "criteria": len(settings.qualification), **segments})
    return facts.frame(rows, ["on", "met", "criteria"])


def qualified(facts: Facts) -> pd.DataFrame:
    """It is so: the deal meets all of them."""
    deals = qualifications(facts)
    return deals.assign(y=(deals["met"] == deals["criteria"]).astype(int))


def scores(facts: Facts) -> pd.DataFrame:
    """How many it meets."""
    deals = qualifications(facts)
    return deals.assign(y=deals["met"])


def sessions(column: str | None, *, of_started: bool = False) -> Callable[[Facts], pd.DataFrame]:
    """Sessions of the website; ``of_started``: only those in which a form was started. It is so: ``column`` holds (``is_left``: nothing was sent)."""

    def observe(facts: Facts) -> pd.DataFrame:
        found = facts.web_sessions
        found = found[found["is_started"].astype(bool)] if of_started else found
        flags = {None: True, "is_left": ~found["is_sent"].astype(bool)}
        return found.assign(y=flags[column] if column in flags else found[column]).astype({"y": int})

    return observe


def won_deals(value: str) -> Callable[[Facts], pd.DataFrame]:
    """Counted deals that are won now and not before they were created, with ``value`` (a column of ``Facts.closed_deals``); below zero: not known."""

    def observe(facts: Facts) -> pd.DataFrame:
        closed = facts.closed_deals
        won = closed[(closed["outcome"] == "won") & ~(closed["cycle_days"].astype(float) < 0)]
        return won.assign(on=won["closed_date"], y=won[value].where(won[value].astype(float) >= 0, None))

    return observe


def tickets(facts: Facts) -> pd.DataFrame:
    """The amounts of counted deals that are won now, in the company's currency."""
    closed = facts.closed_deals
    won = closed[closed["outcome"] == "won"]
    return won.assign(on=won["closed_date"], y=[None if cents is None else cents / 100 for cents in won["cents"]])


def slips(facts: Facts) -> pd.DataFrame:
    """Expected closes that came or were met. It is so: the deal was still open at the end of that day."""
    frame = events(facts)
    return frame.assign(y=frame["is_slipped"].map({True: 1, False: 0}))


def slipped_money(facts: Facts) -> pd.DataFrame:
    """The amounts of the deals that slipped."""
    frame = events(facts)
    frame = frame[frame["is_slipped"] == True]  # noqa: E712 - None is neither
    return frame.assign(y=[(cents or 0) / 100 for cents in frame["cents"]])


def pushed_deals(facts: Facts) -> pd.DataFrame:
    """Closings of deals that had an expected close. It is so: it had been put off before."""
    frame = events(facts)
    return frame.assign(y=frame["is_pushed"].map({True: 1, False: 0}))


def push_days(facts: Facts) -> pd.DataFrame:
    """Days by which expected closes were put off."""
    frame = events(facts)
    return frame.assign(y=frame["days"].where(frame["days"].astype(float) > 0, None))


def steps(facts: Facts) -> pd.DataFrame:
    """Open cases. It is so: nothing is planned."""
    frame = open_cases(facts)
    return frame.assign(y=frame["next_step"].isna().astype(int))


@dataclass(frozen=True)
class Value:
    """``observe``: the observations: a day ``on``, a number ``y`` (None: no observation), the segments. ``kind``: the statistic of them.
    ``is_count``: their sum is how many there are.
    """

    kind: int
    observe: Callable[[Facts], pd.DataFrame]
    is_count: bool = False


VALUES = {
    "call_booking_rate": Value(SHARE, calls.lead_calls),
    "call_booking_rate_classified": Value(SHARE, calls.classified_lead_calls),
    "lead_calls_reclassified": Value(FLOW, calls.reclassified, is_count=True),
    "inbound_calls": Value(FLOW, calls.handled("inbound", in_open_hours=False), is_count=True),
    "call_answer_rate": Value(SHARE, calls.handled("answered")),
    "call_answer_rate_all_hours": Value(SHARE, calls.handled("answered", in_open_hours=False)),
    "call_abandoned_rate": Value(SHARE, calls.handled("abandoned")),
    "call_abandoned_rate_all_hours": Value(SHARE, calls.handled("abandoned", in_open_hours=False)),
    "call_missed_rate": Value(SHARE, calls.handled("missed")),
    "call_missed_rate_all_hours": Value(SHARE, calls.handled("missed", in_open_hours=False)),
    "call_back_rate": Value(SHARE, calls.handled("called_back")),
    "call_back_rate_all_hours": Value(SHARE, calls.handled("called_back", in_open_hours=False)),
    "calls_ended_early": Value(FLOW, calls.handled("ended_early", in_open_hours=False), is_count=True),
    "answer_seconds_mean": Value(MEAN, calls.handled("answer_seconds")),
    "answer_seconds_p90": Value(PERCENTILE, calls.handled("answer_seconds")),
    "appointment_show_rate": Value(SHARE, chain.appointments("held")),
    "appointment_no_show_rate": Value(SHARE, chain.appointments("no_show")),
    "appointment_cancel_rate": Value(SHARE, chain.appointments("canceled")),
    "estimate_conversion_rate": Value(SHARE, chain.estimates_sold),
    "options_per_estimate": Value(MEAN, chain.options),
    "unsold_estimates": Value(FLOW, chain.unsold("count"), is_count=True),
    "unsold_estimates_amount": Value(FLOW, chain.unsold("amount")),
    "unsold_estimates_age_days": Value(MEDIAN, chain.unsold("age")),
    "job_completion_rate": Value(SHARE, chain.jobs_completed),
    "days_to_invoice_median": Value(MEDIAN, chain.days_to_invoice),
    "days_to_pay_median": Value(MEDIAN, chain.days_to_pay),
    "revenue_collected": Value(FLOW, chain.collected),
    "follow_up_rate": Value(SHARE, follow_ups),
    "touches_to_contact_median": Value(MEDIAN, touches_to_contact),
    "touches_to_close_median": Value(MEDIAN, touches_to_close),
    "no_next_step_rate": Value(SHARE, steps),
    "web_sessions": Value(FLOW, sessions(None), is_count=True),
    "form_start_rate": Value(SHARE, sessions("is_started")),
    "form_sent_rate": Value(SHARE, sessions("is_sent")),
    "form_abandonment_rate": Value(SHARE, sessions("is_left", of_started=True)),
    "qualification_rate": Value(SHARE, qualified),
    "qualification_score": Value(MEAN, scores),
    "lead_cycle_days_median": Value(MEDIAN, won_deals("lead_days")),
    "first_touch_cycle_days_median": Value(MEDIAN, won_deals("first_touch_days")),
    "average_ticket": Value(MEAN, tickets),
    "median_ticket": Value(MEDIAN, tickets),
    "slipped_deal_rate": Value(SHARE, slips),
    "slipped_amount": Value(FLOW, slipped_money),
    "pushed_deal_rate": Value(SHARE, pushed_deals),
    "push_days_median": Value(MEDIAN, push_days),
}
_WITHOUT_NUMERATOR = (MEDIAN, PERCENTILE, MEAN, POINTS)


def values(facts: Facts) -> pd.DataFrame:
    """kpi_value."""
    parts = []
    for kpi, value in VALUES.items():
        frame = value.observe(facts)
        frame = frame[frame["y"].notna()].reset_index(drop=True)
        rows = rollup(frame, "on", partial(_row, value, frame["y"].to_numpy(dtype=float)))
        parts.append(rows.astype(object).assign(kpi=kpi))
    found = pd.concat(parts, ignore_index=True)
    return found[["kpi", *KEYS, "numerator", "n", "value", "low", "high"]].assign(is_low_n=found["n"] < 20)


def _row(value: Value, y: np.ndarray, members: np.ndarray) -> dict[str, Any]:
    of = estimate(value.kind, y[members], np.ones(len(members)))
    numerator = None if value.is_count or value.kind in _WITHOUT_NUMERATOR else float(y[members].sum())
    return {"numerator": numerator, "n": of.n, "value": of.value, "low": of.interval[0], "high": of.interval[1]}
