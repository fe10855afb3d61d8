"""Forecast locks and their accuracy from the log, in whole cents and exact fractions: docs/kpis/forecast.md."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd

from demo.truth.clock import local_date, midnight, monday, month_after
from demo.truth.estimates import exact_percentile, quotient
from demo.truth.facts import Facts
from demo.truth.journeys import outcome, win_of
from demo.truth.marts import LOW_N, money
from demo.truth.records import Deal
from demo.truth.rollup import NONE, rollup

LEVELS = ("total", "rep", "branch", "service_line")
NAIVE, PIPELINE = "seasonal_naive", "stage_age_pipeline"
LONGEST, WEIGHT, NEWEST, FEWEST = 90, 10, 52, 8
LOCK = (
    "lock_date", "period_start_date", "period_end_date", "horizon_days", "method", "level", "segment", "forecast", "low", "high",
    "deals_open",
)  # fmt: skip
Segment = tuple[str, str]  # level, name


@dataclass
class Known:
    """What is known of one deal at a lock. ``win``: the moment of the win, where it is won. ``entered``: when its state began."""

    deal: Deal
    stage: str
    is_open: bool
    entered: datetime
    win: datetime | None
    win_month: date | None
    cents: int | None
    segments: tuple[Segment, ...]


@dataclass(frozen=True)
class Period:
    """A month as seen from a lock: ``gap`` days to its first day, then a window of ``length`` days to its last one."""

    start: date
    end: date
    horizon: int
    gap: int
    length: int


def bucket(horizon: int) -> str:
    """The horizon bucket."""
    return "0-7" if horizon <= 7 else "8-30" if horizon <= 30 else "31-60" if horizon <= 60 else "61-90"


def age_bucket(entered: datetime, moment: datetime) -> int:
    """Whole weeks in the stage, bucketed 0, 1, 2, 3, 4–7 (4), 8+ (8)."""
    weeks = (moment - entered) // timedelta(days=7)
    return weeks if weeks <= 3 else 4 if weeks <= 7 else 8


def periods_of(lock: date) -> list[Period]:
    """The months that end 0–90 days after the lock."""
    found: list[Period] = []
    start = lock.replace(day=1)
    while True:
        end = month_after(start) - timedelta(days=1)
        if (end - lock).days > LONGEST:
            return found
        begin = max(lock, start)
        found.append(Period(start, end, (end - lock).days, (begin - lock).days, (end - begin).days + 1))
        start = month_after(start)


class Forecaster:
    """Makes every lock of a company. Tables are made when they are first asked for."""

    def __init__(self, facts: Facts) -> None:
        self.facts, self.book = facts, facts.book
        self._zone = facts.book.settings.zone
        self._cases = [(deal, facts.journeys.of_deal[deal.id]) for deal in facts.book.counted_deals()]
        self.mondays = self._mondays()
        self._known = {lock: self._known_at(lock) for lock in self.mondays}
        self._open_at = {lock: self._open_states(lock) for lock in self.mondays}

    def _t(self, day: date) -> datetime:
        return midnight(day, self._zone)

    def _mondays(self) -> list[date]:
        if not self._cases:
            return []
        first = min(deal.created for deal, _ in self._cases)
        lock, found = monday(local_date(first, self._zone)), []
        while self._t(lock) <= self.book.as_of:
            if self._t(lock) >= first:
                found.append(lock)
            lock += timedelta(days=7)
        return found

    # What is known at a lock.

    def _known_at(self, lock: date) -> list[Known]:
        moment, found = self._t(lock), []
        for deal, case in self._cases:
            entries = [entry for entry in case.entries if entry.at <= moment]
            if deal.created > moment or not entries:
                continue
            state = outcome(entries[-1])
            win = win_of(entries).at if state == "won" else None
            rep = self._owner(deal, win or moment, moment)
            segments = (
                ("total", "total"),
                ("rep", self.book.rep_name(rep) or NONE),
                ("branch", deal.values["branch"] or NONE),
                ("service_line", deal.values["service_line"] or NONE),
            )
            won_on = local_date(win, deal.zone)
            month = won_on.replace(day=1) if won_on else None
            cents = self._amount(deal, moment)
            found.append(Known(deal, entries[-1].stage, state == "open", entries[-1].at, win, month, cents, segments))
        return found

    @staticmethod
    def _owner(deal: Deal, at: datetime, lock: datetime) -> str | None:
        known = [(since, owner) for since, owner in deal.owners if since <= lock]
        before = [owner for since, owner in known if since <= at]
        return before[-1] if before else known[0][1] if known else None

    @staticmethod
    def _amount(deal: Deal, moment: datetime) -> int | None:
        known = [cents for at, cents in deal.amounts if at <= moment]
        return known[-1] if known else None

    def _open_states(self, lock: date) -> list[tuple[str, str, int]]:
        """(deal, stage, age bucket) of the deals open at the lock."""
        moment = self._t(lock)
        return [(row.deal.id, row.stage, age_bucket(row.entered, moment)) for row in self._known[lock] if row.is_open]

    # The methods: exact cents per segment, or None where there is no row.

    def _naive(self, lock: date, period: Period) -> dict[Segment, Fraction] | None:
        first_deal = min(self._cases, key=lambda pair: pair[0].created)[0]
        begin = local_date(first_deal.created, first_deal.zone)
        months = [period.start.replace(year=period.start.year - 1)]
        if months[0] < begin:
            month, months = begin if begin.day == 1 else month_after(begin), []
            while self._t(month_after(month)) <= self._t(lock):
                months.append(month)
                month = month_after(month)
        if not months:
            return None
        sums: dict[Segment, int] = defaultdict(int)
        for row in self._known[lock]:
            if row.win_month in months and row.cents:
                for segment in row.segments:
                    sums[segment] += row.cents
        return {segment: Fraction(total, len(months)) for segment, total in sums.items()}

    def _learning(self, lock: date, period: Period) -> list[date]:
        reach = timedelta(days=period.gap + period.length)
        return [other for other in self.mondays if other < lock and other + reach <= lock]

    def _pipeline(self, lock: date, period: Period) -> dict[Segment, Fraction] | None:
        learning = self._learning(lock, period)
        if not learning:
            return None
        known = self._known[lock]
        chances = self._chances(lock, period, learning)
        won = [row.cents for row in known if row.win is not None and row.cents is not None]
        mean = Fraction(sum(won), len(won)) if won else Fraction(0)
        result: dict[Segment, Fraction] = defaultdict(Fraction)
        open_cents: dict[tuple[Segment, tuple[str, int]], Fraction] = defaultdict(Fraction)
        moment = self._t(lock)
        for row in known:
            for segment in row.segments:
                if row.win_month == period.start and row.cents:
                    result[segment] += row.cents
                if row.is_open:
                    open_cents[segment, (row.stage, age_bucket(row.entered, moment))] += (
                        mean if row.cents is None else row.cents
                    )
        for (segment, cell), cents in open_cents.items():
            result[segment] += cents * chances(*cell)
        for segment, cents in self._new(lock, period, learning[-NEWEST:]).items():
            result[segment] += cents
        return result

    def _chances(self, lock: date, period: Period, learning: list[date]) -> Callable[[str, int], Fraction]:
        """p(stage, age): the share won in the window, shrunk to the stage's share, and that to the overall one."""
        wins = {row.deal.id: row.win for row in self._known[lock] if row.win is not None}
        seen: dict[tuple, int] = defaultdict(int)
        hits: dict[tuple, int] = defaultdict(int)
        for other in learning:
            begin, end = self._window(other, period)
            for deal, stage, age in self._open_at[other]:
                hit = deal in wins and begin < wins[deal] <= end
                for cell in ((stage, age), (stage,), ()):
                    seen[cell] += 1
                    hits[cell] += hit

        def chance(stage: str, age: int) -> Fraction:
            overall = Fraction(hits[()], seen[()]) if seen[()] else Fraction(0)
            of_stage = (hits[stage,] + WEIGHT * overall) / (seen[stage,] + WEIGHT)
            return (hits[stage, age] + WEIGHT * of_stage) / (seen[stage, age] + WEIGHT)

        return chance

    def _window(self, monday_: date, period: Period) -> tuple[datetime, datetime]:
        begin = monday_ + timedelta(days=period.gap)
        return self._t(begin), self._t(begin + timedelta(days=period.length))

    def _new(self, lock: date, period: Period, learning: list[date]) -> dict[Segment, Fraction]:
        """Mean over the learning Mondays of what was won in the window by deals created after the Monday."""
        windows = [(self._t(other), *self._window(other, period)) for other in learning]
        starts, begins, ends = ([window[place] for window in windows] for place in range(3))
        sums: dict[Segment, int] = defaultdict(int)
        for row in self._known[lock]:
            if row.win is None or not row.cents:
                continue
            # windows that began before the win and end at or after it, of Mondays before the deal's creation
            times = min(
                bisect_right(starts, row.deal.created - timedelta(microseconds=1)), _count_before(begins, row.win)
            )
            times -= _count_before(ends, row.win)
            if times > 0:
                for segment in row.segments:
                    sums[segment] += row.cents * times
        return {segment: Fraction(total, len(learning)) for segment, total in sums.items()}

    # The tables.

    def locks(self) -> pd.DataFrame:
        """analysis.forecast_locks with its amounts in whole cents: the columns LOCK."""
        rows: list[dict[str, Any]] = []
        actual: dict[date, dict[tuple[date, Segment], int]] = {}
        for lock in self.mondays:
            known = self._known[lock]
            shown = sorted({segment for row in known for segment in row.segments})
            opened: dict[Segment, int] = defaultdict(int)
            won: dict[tuple[date, Segment], int] = defaultdict(int)
            for row in known:
                for segment in row.segments:
                    opened[segment] += row.is_open
                    if row.win_month is not None:
                        won[row.win_month, segment] += row.cents or 0
            actual[lock] = won
            for period in periods_of(lock):
                for method, forecast in ((NAIVE, self._naive(lock, period)), (PIPELINE, self._pipeline(lock, period))):
                    if forecast is None:
                        continue
                    for level, name in shown:
                        rows.append(
                            {
                                "lock_date": lock, "period_start_date": period.start, "period_end_date": period.end,
                                "horizon_days": period.horizon, "method": method, "level": level, "segment": name,
                                "forecast": round(forecast.get((level, name), Fraction(0))), "deals_open": opened[level, name],
                            }
                        )  # fmt: skip
        self._intervals(rows, actual)
        return pd.DataFrame(rows, columns=list(LOCK), dtype=object)

    def _intervals(self, rows: list[dict[str, Any]], actual: dict[date, dict[tuple[date, Segment], int]]) -> None:
        earlier: dict[tuple, list[dict[str, Any]]] = defaultdict(list)
        for row in rows:
            earlier[row["method"], row["level"], row["segment"], bucket(row["horizon_days"])].append(row)
        for group in earlier.values():
            for row in group:
                moment, won = self._t(row["lock_date"]), actual[row["lock_date"]]
                errors = sorted(
                    won.get((past["period_start_date"], (past["level"], past["segment"])), 0) - past["forecast"]
                    for past in group
                    if past["lock_date"] < row["lock_date"]
                    and self._t(month_after(past["period_start_date"])) <= moment
                )
                row["low"] = row["high"] = None
                if len(errors) >= FEWEST:
                    row["low"] = round(row["forecast"] + exact_percentile(errors, Fraction(1, 10)))
                    row["high"] = round(row["forecast"] + exact_percentile(errors, Fraction(9, 10)))


def _count_before(ordered: list[datetime], moment: datetime) -> int:
    return bisect_right(ordered, moment - timedelta(microseconds=1))


def judged(facts: Facts, locks: pd.DataFrame) -> pd.DataFrame:
    """``locks`` with ``actual`` (cents; None until the month is over) as judged today, and the horizon bucket."""
    closed = facts.closed_deals
    won: dict[tuple[date, str, str], int] = defaultdict(int)
    for row in closed[closed["outcome"] == "won"].to_dict("records"):
        for level in LEVELS:
            name = "total" if level == "total" else row[level] or NONE
            won[row["closed_date"].replace(day=1), level, name] += row["cents"] or 0
    today = local_date(facts.book.as_of, facts.book.settings.zone)
    actual = [
        won[start, level, name] if end < today else None
        for start, end, level, name in zip(
            *(locks[key] for key in ("period_start_date", "period_end_date", "level", "segment")), strict=True
        )
    ]
    return locks.assign(
        actual=pd.Series(actual, index=locks.index, dtype=object),
        horizon_bucket=[bucket(days) for days in locks["horizon_days"]],
    )


def accuracy(locks: pd.DataFrame) -> pd.DataFrame:
    """kpi_forecast_accuracy of judged locks."""
    over = locks[locks["actual"].notna()].copy()
    same = ["lock_date", "period_start_date", "level", "segment"]
    naive = over[over["method"] == NAIVE][[*same, "forecast"]].rename(columns={"forecast": "naive"})
    over = over.merge(naive, on=same, how="left")
    frame = pd.concat([over, over.assign(horizon_bucket="all")], ignore_index=True)
    for level in LEVELS[1:]:
        frame[level] = frame["segment"].where(frame["level"] == level, None)
    forecast, actual, other = (
        frame[name].to_numpy(dtype=float, na_value=np.nan) for name in ("forecast", "actual", "naive")
    )
    low, high = (frame[name].to_numpy(dtype=float, na_value=np.nan) for name in ("low", "high"))
    error, has_naive, has_interval = forecast - actual, ~np.isnan(other), ~np.isnan(low)
    covered = has_interval & (low <= actual) & (actual <= high)

    def values(members: np.ndarray) -> dict[str, Any]:
        shared = members[has_naive[members]]
        absolute, total = float(np.abs(error[members]).sum()), float(np.abs(actual[members]).sum())
        wape = quotient(absolute, total)
        skill = quotient(float(np.abs(error[shared]).sum()), float(np.abs(other[shared] - actual[shared]).sum()))
        intervals, inside = int(has_interval[members].sum()), int(covered[members].sum())
        return {
            "n": len(members),
            "absolute_error_amount": money(int(absolute)),
            "wape": wape,
            "bias": quotient(float(error[members].sum()), float(actual[members].sum())),
            "accuracy": None if wape is None else 1 - wape,
            "skill": None if skill is None else 1 - skill,
            "covered": inside,
            "with_interval": intervals,
            "coverage_rate": quotient(inside, intervals),
        }

    keys = ["method", "level", "horizon_bucket"]
    rows = rollup(frame, "period_start_date", values, keys, grains=("year", "quarter", "month"), segments=LEVELS[1:])
    own = (rows["segment_type"] == "total") | (rows["segment_type"] == rows["level"])
    return rows[own].reset_index(drop=True).assign(is_low_n=lambda kept: kept["n"] < LOW_N)
