"""The KPIs that have no mart of their own (kpi_value): of each its observations, as docs/kpis.md defines them. What all rates have in common is in ``marts``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta

import pandas as pd

from demo.truth.clock import local_date
from demo.truth.estimates import quotient, wilson
from demo.truth.facts import Facts
from demo.truth.rollup import KEYS, sums

A_DAY = timedelta(hours=24)


def calls(facts: Facts) -> pd.DataFrame:
    """Lead calls: inbound ones that a person answered before an appointment of the lead was set. It is so: we set one within 24 hours."""
    set_at: dict[str, list[tuple[datetime, bool]]] = defaultdict(list)
    for activity in facts.book.activities:
        if activity.type == "meeting" and activity.lead is not None:
            set_at[activity.lead.id].append((activity.created, activity.automated))
    rows = []
    for activity in facts.book.activities:
        lead, is_inbound_call = activity.lead, activity.type == "call" and activity.direction == "inbound"
        if lead is None or not lead.counts or not is_inbound_call or activity.outcome != "answered":
            continue
        appointments = set_at[lead.id]
        if any(at < activity.at for at, _ in appointments):
            continue
        day = local_date(activity.at, lead.zone)
        is_so = any(activity.at <= at <= activity.at + A_DAY and not by_customer for at, by_customer in appointments)
        rows.append({"on": day, "is_so": is_so, **facts.segments(lead, lead.owner_at(activity.at), day)})
    return facts.frame(rows, ["on", "is_so"])


# KPI → its observations: a day ``on``, whether ``is_so``, and the segments.
RATES: dict[str, Callable[[Facts], pd.DataFrame]] = {"call_booking_rate": calls}


def rates(facts: Facts) -> pd.DataFrame:
    """kpi_value."""
    parts = []
    for kpi, observe in RATES.items():
        frame = observe(facts)
        frame = frame.assign(numerator=frame["is_so"].astype(int), n=1)
        parts.append(sums(frame, "on", ["numerator", "n"]).assign(kpi=kpi))
    found = pd.concat(parts, ignore_index=True)
    pairs = list(zip(found["numerator"].tolist(), found["n"].tolist(), strict=True))
    ends = [wilson(*pair) for pair in pairs]
    return found.assign(
        value=[quotient(*pair) for pair in pairs],
        low=[low for low, _ in ends],
        high=[high for _, high in ends],
        is_low_n=found["n"] < 20,
    )[["kpi", *KEYS, "numerator", "n", "value", "low", "high", "is_low_n"]]
