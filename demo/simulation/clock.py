"""Time and chance of the simulation: whole milliseconds since 1970 (UTC), opening hours of a branch, a seeded source of draws.

Nothing here reads the clock of the machine; what the company does with its time belongs to the other modules of ``demo.simulation``.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from itertools import accumulate
from typing import Generic, TypeVar, overload
from zoneinfo import ZoneInfo

import numpy as np

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
T = TypeVar("T")


def from_ms(ms: int) -> datetime:
    """The UTC moment, without zone."""
    return datetime(1970, 1, 1) + timedelta(milliseconds=ms)


def local_date(ms: int, zone: ZoneInfo) -> date:
    """The calendar day in ``zone``."""
    return datetime.fromtimestamp(ms / 1000, zone).date()


def local_ms(day: date, minute: int, zone: ZoneInfo) -> int:
    """The moment at which the wall clock of ``zone`` shows ``minute`` minutes after midnight of ``day``."""
    wall = datetime.combine(day, time(minute // 60, minute % 60), zone)
    return round(wall.timestamp() * 1000)


class OpenHours:
    """The opening hours of one branch as a clock that stands still while the branch is closed."""

    def __init__(
        self, zone: ZoneInfo, week: dict[int, tuple[int, int]], holidays: frozenset[date], first: date, last: date
    ) -> None:
        """``week``: ISO weekday → (minute it opens, minute it closes), local time."""
        self._opens: list[int] = []
        self._closes: list[int] = []
        day = first
        while day <= last:
            if day not in holidays and day.isoweekday() in week:
                opens, closes = week[day.isoweekday()]
                self._opens.append(local_ms(day, opens, zone))
                self._closes.append(local_ms(day, closes, zone))
            day += timedelta(days=1)
        lengths = [closes - opens for opens, closes in zip(self._opens, self._closes, strict=True)]
        self._before = [0, *accumulate(lengths)]

    def is_open(self, ms: int) -> bool:
        """Whether the branch is open at that moment."""
        index = bisect_right(self._opens, ms) - 1
        return index >= 0 and ms < self._closes[index]

    @overload
    def after(self, ms: int, open_ms: float) -> int: ...

    @overload
    def after(self, ms: float, open_ms: float) -> float: ...

    def after(self, ms: float, open_ms: float) -> float:
        """The moment at which ``open_ms`` milliseconds of opening time have passed since ``ms``."""
        index = bisect_right(self._opens, ms) - 1
        position = 0 if index < 0 else self._before[index] + min(ms, self._closes[index]) - self._opens[index]
        target = position + max(1, round(open_ms))
        index = min(bisect_right(self._before, target - 1) - 1, len(self._opens) - 1)
        return self._opens[index] + target - self._before[index]


class Weighted(Generic[T]):
    """Choices with weights, ready to be drawn from."""

    def __init__(self, weights: dict[T, float]) -> None:
        self.values = list(weights)
        self.limits = [total / sum(weights.values()) for total in accumulate(weights.values())]


class Dice:
    """Draws from one numpy generator, taken from it in blocks (a call per draw would take most of the simulation's time)."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._uniform: list[float] = []
        self._normal: list[float] = []

    def unit(self) -> float:
        """Uniform in [0, 1)."""
        if not self._uniform:
            self._uniform = self._rng.random(4096).tolist()
        return self._uniform.pop()

    def chance(self, probability: float) -> bool:
        """True with that probability."""
        return self.unit() < probability

    def between(self, low: float, high: float) -> float:
        """Uniform in [low, high)."""
        return low + (high - low) * self.unit()

    def whole(self, low: int, high: int) -> int:
        """A whole number, low ≤ n ≤ high."""
        return low + int(self.unit() * (high - low + 1))

    def pick(self, values: Sequence[T]) -> T:
        """One of ``values``, all alike."""
        return values[int(self.unit() * len(values))]

    def weighted(self, choices: Weighted[T]) -> T:
        """One of the choices by its weight."""
        return choices.values[min(bisect_right(choices.limits, self.unit()), len(choices.values) - 1)]

    def around(self, median: float, sigma: float) -> float:
        """Log-normal with that median."""
        if not self._normal:
            self._normal = self._rng.standard_normal(4096).tolist()
        return median * float(np.exp(sigma * self._normal.pop()))
