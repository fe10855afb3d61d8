"""The process map: which activity follows which, and the variants of whole cases. docs/kpis.md, "Process map"."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise

import pandas as pd

from demo.truth.estimates import percentile
from demo.truth.facts import Facts


def process_edges(facts: Facts) -> pd.DataFrame:
    """kpi_process_edges."""
    hours: dict[tuple[str | None, str | None], list[float | None]] = defaultdict(list)
    for case in facts.journeys.cases:
        steps = [(at, facts.dialect.activity(record, stage)) for at, record, stage in case.raw]
        if steps:
            hours[None, steps[0][1]].append(None)
            hours[steps[-1][1], None].append(None)
        for (start, one), (end, other) in pairwise(steps):
            hours[one, other].append((end - start).total_seconds() / 3600)
    rows = []
    for (before, after), waits in hours.items():
        ordered = sorted(wait for wait in waits if wait is not None)
        rows.append((before, after, len(waits), percentile(ordered, 0.5), percentile(ordered, 0.9)))
    return pd.DataFrame(rows, columns=["from_activity", "to_activity", "n", "median_hours", "p90_hours"])


def process_variants(facts: Facts) -> pd.DataFrame:
    """kpi_process_variants."""
    found = Counter(
        " > ".join(facts.dialect.activity(record, stage) for _, record, stage in case.raw)
        for case in facts.journeys.cases
        if case.raw
    )
    total = sum(found.values())
    ranked = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    rows = [(variant, n, n / total, rank) for rank, (variant, n) in enumerate(ranked, start=1)]
    return pd.DataFrame(rows, columns=["variant", "n", "share", "rank"])
