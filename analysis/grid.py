"""The calendar of the locks: Mondays, their midnights in UTC, and the months that each of them forecasts.

Pure functions of dates and a time zone. Deals do not belong here (``snapshots``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np

HORIZON_DAYS = 90
MOST_YEARS = 10
BUCKETS = ((0, 7), (8, 30), (31, 60), (61, HORIZON_DAYS))


def month_code(day: date) -> int:
    """Months since year 0; ``month_start`` is its inverse."""
    return day.year * 12 + day.month - 1


def month_start(code: int) -> date:
    """The first day of the month ``code``."""
    return date(code // 12, code % 12 + 1, 1)


def horizon_bucket(horizon: np.ndarray) -> np.ndarray:
    """Index into ``BUCKETS`` for horizons of 0-90 days."""
    return np.searchsorted([last for _, last in BUCKETS], horizon, side="left")


@dataclass(frozen=True)
class Period:
    """A month seen from a lock. ``gap`` and ``days`` as in docs/kpis/forecast.md, in days."""

    month: int
    first: date
    last: date
    horizon: int
    gap: int
    days: int


@dataclass(frozen=True)
class Grid:
    """``mondays`` ascending; ``at``: their local midnights, UTC microseconds, same length."""

    zone: ZoneInfo
    mondays: tuple[date, ...]
    at: np.ndarray

    def midnight(self, day: date) -> int:
        """00:00 of ``day`` in the company's zone, as UTC microseconds."""
        return _midnight(day, self.zone)

    def shifted(self, days: int) -> np.ndarray:
        """Local midnights ``days`` days after every Monday, UTC microseconds."""
        return np.array([self.midnight(monday + timedelta(days=days)) for monday in self.mondays], dtype=np.int64)


def _midnight(day: date, zone: ZoneInfo) -> int:
    moment = datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)
    return microseconds(moment.replace(tzinfo=None))


def microseconds(moment: datetime) -> int:
    """A UTC moment without zone as microseconds since 1970, exact."""
    return (moment - datetime(1970, 1, 1)) // timedelta(microseconds=1)


def lock_grid(first_created: datetime, as_of: datetime, timezone: str) -> Grid:
    """All Mondays whose local midnight is at or after ``first_created`` and at or before ``as_of`` (both UTC), of at most ``MOST_YEARS`` years.

    A mistyped date of creation must not make locks of centuries.
    """
    zone = ZoneInfo(timezone)
    first_created = max(first_created, as_of - timedelta(days=366 * MOST_YEARS))
    start, end = microseconds(first_created), microseconds(as_of)
    day = first_created.date() - timedelta(days=first_created.weekday() + 7)
    mondays, at = [], []
    while (moment := _midnight(day, zone)) <= end:
        if moment >= start:
            mondays.append(day)
            at.append(moment)
        day += timedelta(days=7)
    return Grid(zone, tuple(mondays), np.array(at, dtype=np.int64))


def periods_of(monday: date) -> list[Period]:
    """The months that end 0-90 days after ``monday``, the running one first."""
    periods: list[Period] = []
    code = month_code(monday)
    while True:
        first, last = month_start(code), month_start(code + 1) - timedelta(days=1)
        horizon = (last - monday).days
        if horizon > HORIZON_DAYS:
            return periods
        start = max(monday, first)
        periods.append(Period(code, first, last, horizon, (start - monday).days, (last - start).days + 1))
        code += 1
