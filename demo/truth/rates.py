"""The KPIs that have no mart of their own (kpi_value): of each its observations, as docs/kpis.md defines them. What all rates have in common is in ``marts``."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from demo.truth.estimates import quotient, wilson
from demo.truth.facts import Facts
from demo.truth.rollup import KEYS, sums

# KPI → its observations: a day ``on``, whether ``is_so``, and the segments.
RATES: dict[str, Callable[[Facts], pd.DataFrame]] = {}


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
