"""Time: UTC moments and the wall clocks of branches, periods, opening hours. Moments are ``numpy.datetime64[ns]`` or pandas' own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import overload
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from demo.truth.settings import Branch

GRAINS = ("year", "quarter", "month", "week")
DAY = 86_400.0


@overload
def local(moment: datetime, zone: ZoneInfo) -> datetime: ...
@overload
def local(moment: datetime | None, zone: ZoneInfo) -> datetime | None: ...
def local(moment: datetime | None, zone: ZoneInfo) -> datetime | None:
    """The wall clock of ``zone`` at a UTC moment."""
    return None if moment is None else moment.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)


@overload
def local_date(moment: datetime, zone: ZoneInfo) -> date: ...
@overload
def local_date(moment: datetime | None, zone: ZoneInfo) -> date | None: ...
def local_date(moment: datetime | None, zone: ZoneInfo) -> date | None:
    """The day in ``zone`` at a UTC moment."""
    wall = local(moment, zone)
    return None if wall is None else wall.date()


@cache
def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The UTC moment at which ``day`` begins in ``zone``."""
    return _utc(datetime(day.year, day.month, day.day), zone)


def _utc(wall: datetime, zone: ZoneInfo) -> datetime:
    return wall.replace(tzinfo=zone).astimezone(UTC).replace(tzinfo=None)


def local_days(start: datetime | None, end: datetime | None, zone: ZoneInfo) -> float | None:
    """Difference of the two wall clocks in days."""
    if start is None or end is None:
        return None
    return (local(end, zone) - local(start, zone)).total_seconds() / DAY


@overload
def minutes(start: datetime, end: datetime) -> float: ...
@overload
def minutes(start: datetime | None, end: datetime | None) -> float | None: ...
def minutes(start: datetime | None, end: datetime | None) -> float | None:
    """Elapsed minutes."""
    return None if start is None or end is None else (end - start).total_seconds() / 60


def open_minutes(start: datetime | None, end: datetime | None, branch: Branch | None) -> float | None:
    """Minutes between the two moments at which the branch is open; None without a branch or without opening hours."""
    if start is None or end is None or branch is None or not branch.week:
        return None
    day, last, total = local_date(start, branch.zone), local_date(end, branch.zone), 0.0
    while day <= last:
        if day not in branch.holidays and day.isoweekday() in branch.week:
            opens, closes = (
                _utc(datetime(day.year, day.month, day.day) + timedelta(minutes=minute), branch.zone)
                for minute in branch.week[day.isoweekday()]
            )
            total += max(0.0, (min(end, closes) - max(start, opens)).total_seconds())
        day += timedelta(days=1)
    return total / 60


def monday(day: date) -> date:
    """The Monday of the day's ISO week."""
    return day - timedelta(days=day.weekday())


@cache
def month_after(day: date) -> date:
    """The first day of the month after the day's month."""
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def period_start(day: date | None, grain: str) -> date | None:
    """The first day of the period that holds ``day``."""
    if day is None:
        return None
    if grain == "week":
        return monday(day)
    month = {"year": 1, "quarter": (day.month - 1) // 3 * 3 + 1, "month": day.month}[grain]
    return date(day.year, month, 1)


def period_starts(days: Sequence[date | None], grain: str) -> np.ndarray:
    """The same for many days: array of dates or None."""
    known = {day: period_start(day, grain) for day in pd.unique(pd.Series(days, dtype=object))}
    return np.array([known[day] for day in days], dtype=object)
