"""The truth of the demo: every KPI of docs/kpis.md from the event log, in plain Python, numpy and pandas.

It shares nothing with the warehouse but the definitions' text: no SQL, no DuckDB, no module of ours besides ``demo.log``.
``records`` plays the log back, ``journeys`` makes cases and ledger, ``facts`` observations, ``marts``, ``forecast`` and ``scorecard`` the
KPIs. No expected value of a seed belongs here.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from pathlib import Path

import pandas as pd

from demo.log import CompanyLog
from demo.truth import marts
from demo.truth.dialect import HUBSPOT, Dialect
from demo.truth.facts import Facts
from demo.truth.forecast import Forecaster, accuracy, judged
from demo.truth.metrics import METRICS
from demo.truth.records import read_log
from demo.truth.rollup import KEYS
from demo.truth.scorecard import Scorecard
from demo.truth.settings import read_settings

__all__ = ["METRICS", "Truth", "compute"]


def compute(log: CompanyLog, process_yaml: Path, as_of: datetime | None = None, dialect: Dialect = HUBSPOT) -> Truth:
    """The truth of ``log`` under the process file, as known at ``as_of`` (UTC, naive; default: the log's), as the CRM names things."""
    return Truth(Facts(read_log(log, read_settings(process_yaml), as_of), dialect=dialect))


class Truth:
    """KPIs by the names of marts and metrics; each table is made when it is first asked for."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self._tables: dict[str, pd.DataFrame] = {}
        self._metrics: dict[str, pd.DataFrame] = {}

    @property
    def mart_names(self) -> list[str]:
        """The tables that ``mart`` makes."""
        return [*marts.BY_NAME, *self._makers()]

    def mart(self, name: str) -> pd.DataFrame:
        """A table of docs/tables.md with the columns that docs/kpis.md defines (money: Decimal; no ``as_of``). KeyError for others."""
        if name not in self._tables:
            make = self._makers().get(name)
            self._tables[name] = make() if make else marts.BY_NAME[name](self.facts)
        return self._tables[name]

    def only(self, **segments: Collection[str]) -> Truth:
        """The truth of the observations in these segments alone: ``only(service_line={"hvac"})``. Not for forecasts."""
        return Truth(Facts(self.facts.book, segments, self.facts.dialect))

    def metric(self, name: str) -> pd.DataFrame:
        """A metric in every period and segment: grain, period_start, segment_type, segment, further keys, value, n, numerator."""
        if name not in self._metrics:
            self._metrics[name] = self._metric(name)
        return self._metrics[name]

    def _metric(self, name: str) -> pd.DataFrame:
        of = METRICS[name]
        frame = self.mart(of.mart)
        settings = self.facts.book.settings
        for column, wanted in of.where.items():
            if column == "is_next":
                nexts = {stage: settings.next_stage(stage) for stage in frame["from_stage"].unique()}
                pairs = zip(frame["from_stage"], frame["to_stage"], strict=True)
                frame = frame[pd.Series([nexts[stage] == to for stage, to in pairs], index=frame.index, dtype=bool)]
            else:
                frame = frame[frame[column] == wanted]
        result = frame[[*KEYS, *of.keys]].set_axis(
            ["grain", "period_start", "segment_type", "segment", *of.keys], axis=1
        )
        return result.assign(
            value=frame[of.value],
            n=frame[of.n] if of.n else None,
            numerator=frame[of.numerator] if of.numerator else None,
        ).reset_index(drop=True)

    def _makers(self) -> dict:
        scorecard = Scorecard(self.facts, lambda: self.mart("fct_forecast"))
        return {
            "forecast_locks": lambda: Forecaster(self.facts).locks(),
            "fct_forecast": lambda: judged(self.facts, self.mart("forecast_locks")),
            "kpi_forecast_accuracy": lambda: accuracy(self.mart("fct_forecast")),
            "kpi_scorecard": scorecard.table,
            "kpi_scorecard_by_version": scorecard.by_version,
        }
