"""Questions to the metric store and the truth's answers to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from demo.truth import METRICS, Truth
from demo.truth.rollup import NONE
from tests.e2e.comparison import plain

LEVELS = ("rep", "branch", "service_line")


@dataclass(frozen=True)
class Query:
    """``only``: the segments that ``where`` leaves, for the truth."""

    by: str | None = None
    grain: str | None = None
    where: str | None = None
    only: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"by {self.by}, grain {self.grain}, where {self.where}"

    def fits(self, metric: str) -> bool:
        """Whether the metric can be asked like that. A forecast has the segments of its own level and no weeks."""
        if METRICS[metric].mart != "kpi_forecast_accuracy":
            return True
        level = METRICS[metric].where["level"]
        return self.where is None and self.grain != "week" and self.by in (None, level)

    def by_of(self, metric: str) -> list[str]:
        """The dimensions to ask for."""
        return [*METRICS[metric].keys, *([self.by] if self.by else [])]


QUERIES = (
    Query(),
    Query(grain="year"),
    Query(grain="week"),
    Query(by="rep", grain="month"),
    Query(by="branch", grain="quarter"),
    Query(by="team"),
    Query(by="channel", grain="year"),
    Query(by="campaign"),
    Query(by="service_line", grain="week"),
    Query(by="job_type"),
    Query(by="customer_type", grain="month"),
    Query(by="process_version"),
    Query(by="pipeline", grain="year"),
    Query(by="rep", grain="quarter", where="service_line = 'hvac'", only={"service_line": frozenset({"hvac"})}),
    Query(
        by="process_version",
        where="branch in ('chicago', 'denver') and customer_type = 'new'",
        only={"branch": frozenset({"chicago", "denver"}), "customer_type": frozenset({"new"})},
    ),
)


class Answers:
    """The truth's answers; the truth of some segments alone is made once."""

    def __init__(self, truth: Truth) -> None:
        self._truths = {Query().where: truth}

    def expected(self, metric: str, query: Query) -> pd.DataFrame:
        """The columns of the store's answer, the value called ``value``; null for (none)."""
        if query.where not in self._truths:
            self._truths[query.where] = self._truths[None].only(**query.only)
        frame = self._truths[query.where].metric(metric)
        frame = frame[(frame["grain"] == (query.grain or "all")) & (frame["segment_type"] == (query.by or "total"))]
        columns = {query.grain: "period_start"} if query.grain else {}
        columns |= {key: key for key in METRICS[metric].keys}
        columns |= {query.by: "segment"} if query.by else {}
        result = pd.DataFrame(
            {name: frame[column] for name, column in columns.items()} | {"value": frame["value"]}, dtype=object
        )
        if query.by:
            result[query.by] = [None if name == NONE else name for name in result[query.by]]
        return result


def without_nothing(metric: str, one: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """``one`` without the rows that say nothing and that ``other`` does not have: null, and 0 of what is a sum."""
    keys = list(one.columns[:-1])
    known = {tuple(plain(value) for value in row) for row in other[keys].itertuples(index=False)}
    nothing = (None, 0) if METRICS[metric].is_sum else (None,)
    kept = [
        tuple(plain(value) for value in row[:-1]) in known or plain(row[-1]) not in nothing
        for row in one.itertuples(index=False)
    ]
    return one[pd.Series(kept, index=one.index, dtype=bool)]
