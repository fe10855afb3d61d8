"""What is open at ``as_of``: how long it has been where it stands, what became of others that were there as long, and what is planned."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from demo.truth.clock import local_date, local_days
from demo.truth.facts import Facts
from demo.truth.records import Activity


def open_cases(facts: Facts) -> pd.DataFrame:
    """One row per open case: on (its creation), stage, age, days_overdue, past_cases, past_won, next_step; rep = today's owner."""
    book = facts.book
    past = _longest_stays(facts)
    by_lead, by_deal = _planned(book.activities, book.as_of)
    today = local_date(book.as_of, book.settings.zone)
    rows: list[dict[str, Any]] = []
    for case in facts.journeys.cases:
        record = case.deal or case.lead
        if not case.is_open or not case.entries or record is None:
            continue
        entry = case.entries[-1]
        age = local_days(entry.at, book.as_of, record.zone)
        days, won = past.get(entry.stage, (np.zeros(0), np.zeros(0, dtype=bool)))
        expected = case.deal.expected_close_date if case.deal else None
        steps = (by_lead[case.lead.id] if case.lead else []) + (by_deal[case.deal.id] if case.deal else [])
        created = (case.lead or record).created_date
        rows.append(
            {
                "on": created,
                "stage": entry.stage,
                "age": age,
                "days_overdue": (today - expected).days if expected and expected < today else None,
                "past_cases": int((days >= age).sum()),
                "past_won": int(won[days >= age].sum()),
                "next_step": min(steps, default=None),
                **facts.segments(record, record.owner, created),
            }
        )
    columns = ["on", "stage", "age", "days_overdue", "past_cases", "past_won", "next_step"]
    return facts.frame(rows, columns)


def _longest_stays(facts: Facts) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Stage → the longest stay in it, in days, of each case that is won or lost, and whether it is won."""
    found: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    for case in facts.journeys.cases:
        if case.state not in ("won", "lost"):
            continue
        longest: dict[str, float] = {}
        for entry in case.entries:
            days = local_days(entry.at, entry.left, entry.record.zone)
            if days is not None:
                longest[entry.stage] = max(days, longest.get(entry.stage, days))
        for stage, days in longest.items():
            found[stage].append((days, case.state == "won"))
    return {
        stage: (np.array([days for days, _ in stays]), np.array([won for _, won in stays], dtype=bool))
        for stage, stays in found.items()
    }


def _planned(
    activities: list[Activity], as_of: datetime
) -> tuple[dict[str, list[datetime]], dict[str, list[datetime]]]:
    """Meetings and tasks that are still to come, by lead and by deal; a deal's are its lead's too."""
    by_lead: dict[str, list[datetime]] = defaultdict(list)
    by_deal: dict[str, list[datetime]] = defaultdict(list)
    for activity in activities:
        if activity.type not in ("meeting", "task") or activity.at <= as_of or activity.outcome is not None:
            continue
        lead = activity.lead or (activity.deal.lead if activity.deal else None)
        if lead is not None:
            by_lead[lead.id].append(activity.at)
        if activity.deal is not None:
            by_deal[activity.deal.id].append(activity.at)
    return by_lead, by_deal
