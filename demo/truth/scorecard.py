"""The scorecard: every target of ``process.yml`` before and after, and by process version. docs/kpis/scorecard.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pandas as pd

from demo.truth.clock import local_date, monday
from demo.truth.completeness import cells, records
from demo.truth.estimates import (
    FLOW,
    MEAN,
    MEDIAN,
    ODDS,
    PER,
    PERCENTILE,
    POINTS,
    QUOTIENT,
    SHARE,
    WEIGHTED,
    Estimate,
    estimate,
    mover,
)
from demo.truth.facts import Facts
from demo.truth.forecast import LEVELS, PIPELINE
from demo.truth.marts import LOW_N
from demo.truth.rollup import NONE
from demo.truth.settings import Target
from demo.truth.values import VALUES

WEEKS, YEAR = timedelta(weeks=13), timedelta(weeks=52)


@dataclass
class Observations:
    """``frame`` with a day ``on`` and numbers ``y`` (and ``x``), and which statistic of them the KPI is."""

    frame: pd.DataFrame
    kind: int


class Scorecard:
    """``judged``: the forecast locks with their actuals."""

    def __init__(self, facts: Facts, judged: Callable[[], pd.DataFrame]) -> None:
        self.facts, self.settings, self._judged = facts, facts.book.settings, judged
        self._today = local_date(facts.book.as_of, self.settings.zone)
        self._records: pd.DataFrame | None = None

    def targets(self) -> list[Target]:
        """The newest target in force for every KPI, stage pair and segment."""
        found: dict[tuple, Target] = {}
        for target in sorted(self.settings.targets, key=lambda target: target.effective_from or date.min):
            if target.effective_from is None or target.effective_from <= self._today:
                found[target.kpi, target.from_stage, target.to_stage, target.segment_type, target.segment] = target
        return list(found.values())

    def windows(self) -> tuple[tuple[date, date], tuple[date, date], bool]:
        """Current and baseline weeks (first and last day), and whether the baseline is the same season."""
        current = monday(self._today) - WEEKS
        days = [record.created_date for record in [*self.facts.book.counted_leads(), *self.facts.book.counted_deals()]]
        matched = bool(days) and min(days) <= current - YEAR
        newest = max(start for _, start in self.settings.versions if start <= self._today)
        baseline = current - YEAR if matched else monday(newest) - WEEKS
        last = WEEKS - timedelta(days=1)
        return (current, current + last), (baseline, baseline + last), matched

    def table(self) -> pd.DataFrame:
        """kpi_scorecard."""
        current_window, baseline_window, matched = self.windows()
        rows = []
        for target in self.targets():
            observations = self._observations(target)
            now, before = (
                self._estimate(observations, target, *window) for window in (current_window, baseline_window)
            )
            difference = low = high = None
            if now.value is not None and before.value is not None:
                difference = now.value - before.value
                low, high = mover(now.value, now.interval, before.value, before.interval)
            rows.append(
                {
                    **_key(target),
                    "baseline_start_date": baseline_window[0], "baseline_end_date": baseline_window[1],
                    "baseline": before.value, "baseline_low": before.interval[0], "baseline_high": before.interval[1],
                    "baseline_n": before.n,
                    "current_start_date": current_window[0], "current_end_date": current_window[1],
                    "current_value": now.value, "current_low": now.interval[0], "current_high": now.interval[1], "current_n": now.n,
                    "difference": difference, "difference_low": low, "difference_high": high,
                    "target": target.target, "before_value": target.before, "is_season_matched": matched,
                    "is_low_n": now.n < LOW_N or 0 < before.n < LOW_N,
                    "status": _status(target, now, difference, low, high),
                }
            )  # fmt: skip
        return pd.DataFrame(rows, dtype=object)

    def by_version(self) -> pd.DataFrame:
        """kpi_scorecard_by_version."""
        rows = []
        for target in self.targets():
            observations = self._observations(target)
            for version, _ in self.settings.versions:
                start, end = self.settings.version_span(version)
                estimate = self._estimate(observations, target, start, min(end or self._today, self._today))
                low, high = estimate.interval
                rows.append(
                    {
                        **_key(target),
                        "process_version": version,
                        "value": estimate.value,
                        "low": low,
                        "high": high,
                        "n": estimate.n,
                    }
                )
        return pd.DataFrame(rows, dtype=object)

    def _observations(self, target: Target) -> Observations:
        kpi, facts = target.kpi, self.facts
        if kpi.startswith("speed_to_lead_"):
            frame = facts.waits.assign(on=facts.waits["created_date"])
            if kpi in ("speed_to_lead_median_minutes", "speed_to_lead_p90_minutes"):
                return Observations(_y(frame, frame["minutes"]), MEDIAN if "median" in kpi else PERCENTILE)
            column = {
                "within_5_minutes": "within_5",
                "within_target": "within_target",
                "never_contacted": "is_contacted",
            }
            values = frame[column[kpi.removeprefix("speed_to_lead_").removesuffix("_rate")]]
            return Observations(_y(frame, [not value for value in values] if "never" in kpi else values), SHARE)
        if kpi in ("stage_conversion_rate", "stage_pair_conversion_rate"):
            return self._pair(target)
        if kpi.startswith("sales_cycle_days_"):
            won = facts.closed_deals[facts.closed_deals["outcome"] == "won"]
            won = won[won["cycle_days"].astype(float) >= 0]
            kind = {"mean": MEAN, "median": MEDIAN, "p90": PERCENTILE}[kpi.removeprefix("sales_cycle_days_")]
            return Observations(_y(won.assign(on=won["closed_date"]), won["cycle_days"]), kind)
        if kpi.startswith("forecast_"):
            return self._forecast(kpi)
        if kpi.startswith("crm_"):
            frame = self._crm_records()
            frame = frame.assign(on=frame["created_date"])
            if kpi == "crm_completeness":
                return Observations(frame.assign(y=frame["filled_weight"], x=frame["weight"]), WEIGHTED)
            return Observations(_y(frame, frame["is_complete"]), SHARE)
        return self._simple(kpi)

    def _simple(self, kpi: str) -> Observations:
        facts = self.facts
        leads, deals, answers = (
            frame.assign(on=frame[day], y=1, x=1)
            for frame, day in (
                (facts.leads, "created_date"),
                (facts.deals, "created_date"),
                (facts.answers, "submitted_date"),
            )
        )
        closed = facts.closed_deals[facts.closed_deals["outcome"] != "disqualified"]
        closed = closed.assign(on=closed["closed_date"], x=1)
        is_won = closed["outcome"] == "won"
        amount = closed["cents"].astype(float) / 100
        choices: dict[str, Callable[[], Observations]] = {
            "leads_created": lambda: Observations(leads, FLOW),
            "deals_created": lambda: Observations(deals, FLOW),
            "overall_conversion_rate": lambda: Observations(_y(leads, leads["is_won"]), SHARE),
            "period_conversion_rate": lambda: Observations(
                pd.concat([leads.assign(y=0), closed[is_won].assign(y=1, x=0)], ignore_index=True), PER
            ),
            "deals_won": lambda: Observations(closed[is_won].assign(y=1), FLOW),
            "deals_lost": lambda: Observations(closed[~is_won].assign(y=1), FLOW),
            "won_amount": lambda: Observations(closed[is_won].assign(y=amount[is_won].fillna(0)), FLOW),
            "lost_amount": lambda: Observations(closed[~is_won].assign(y=amount[~is_won].fillna(0)), FLOW),
            "win_rate": lambda: Observations(_y(closed, is_won), SHARE),
            "win_loss_ratio": lambda: Observations(_y(closed, is_won), ODDS),
            "win_rate_by_amount": lambda: Observations(
                closed.assign(y=amount.where(is_won, 0.0), x=amount)[amount.notna()], WEIGHTED
            ),
            "survey_responses": lambda: Observations(answers, FLOW),
            "nps": lambda: Observations(_y(answers, answers["points"]), POINTS),
            "csat": lambda: Observations(_y(answers, answers["satisfied"]), SHARE),
        }
        if kpi in VALUES:
            frame = VALUES[kpi].observe(facts)
            return Observations(_y(frame, frame["y"]), VALUES[kpi].kind)
        return choices[kpi]()

    def _pair(self, target: Target) -> Observations:
        frame = self.facts.stage_pairs
        if target.from_stage is not None:
            frame = frame[frame["from_stage"] == target.from_stage]
        frame = (
            frame[frame["to_stage"] == target.to_stage]
            if target.to_stage is not None
            else frame[frame["is_next"].astype(bool)]
        )
        return Observations(_y(frame.assign(on=frame["entered_date"]), frame["is_reached"]), SHARE)

    def _forecast(self, kpi: str) -> Observations:
        locks = self._judged()
        frame = locks[(locks["method"] == PIPELINE) & locks["actual"].notna()]
        frame = frame.assign(on=frame["period_start_date"])
        for level in LEVELS:
            frame[level] = frame["segment"].where(frame["level"] == level, None)
        error, actual = (frame["forecast"] - frame["actual"]).astype(float), frame["actual"].astype(float)
        if kpi == "forecast_coverage_rate":
            known = frame["low"].notna()
            inside = (frame["low"].astype(float) <= actual) & (actual <= frame["high"].astype(float))
            return Observations(frame.assign(y=inside.astype(int), x=1)[known], PER)
        numerator = {
            "forecast_wape": error.abs(),
            "forecast_bias": error,
            "forecast_accuracy": actual.abs() - error.abs(),
        }[kpi]
        return Observations(frame.assign(y=numerator, x=actual if kpi == "forecast_bias" else actual.abs()), QUOTIENT)

    def _crm_records(self) -> pd.DataFrame:
        if self._records is None:
            self._records = records(self.facts, cells(self.facts))
        return self._records

    def _estimate(self, observations: Observations, target: Target, start: date, end: date) -> Estimate:
        frame = observations.frame
        keep = frame["on"].map(lambda day: day is not None and start <= day <= end).astype(bool)
        if "level" in frame.columns:
            keep &= frame["level"] == target.segment_type
        if target.segment_type != "total":
            keep &= frame[target.segment_type].fillna(NONE) == target.segment
        frame = frame[keep]
        return estimate(observations.kind, frame["y"].to_numpy(dtype=float), frame["x"].to_numpy(dtype=float))


def _y(frame: pd.DataFrame, values: Any) -> pd.DataFrame:
    """``frame`` with y; rows without a value are no observations."""
    frame = frame.assign(y=pd.Series(list(values), index=frame.index, dtype=object), x=1)
    return frame[frame["y"].notna()]


def _key(target: Target) -> dict[str, Any]:
    return {
        "kpi": target.kpi,
        "from_stage": target.from_stage,
        "to_stage": target.to_stage,
        "segment_type": target.segment_type,
        "segment": target.segment,
    }


def _status(
    target: Target, now: Estimate, difference: float | None, low: float | None, high: float | None
) -> str | None:
    value, is_up = now.value, target.direction == "up"
    if value is not None and (value >= target.target if is_up else value <= target.target):
        return "met"
    if low is None or high is None or difference is None:
        ends = [end for end in now.interval if end is not None]
        if not ends:
            return None
        return "missed" if (max(ends) < target.target if is_up else min(ends) > target.target) else "undecided"
    if low <= 0 <= high:
        return "no_change"
    return "on_way" if (difference > 0) == (target.direction == "up") else "worse"
