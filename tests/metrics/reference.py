"""The statistics of docs/kpis.md ("Statistics, exactly") once more, in plain Python, to compare the marts with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

Z = 1.96
Interval = tuple[float | None, float | None]


def wilson(successes: int, n: int) -> Interval:
    """Wilson score interval."""
    if n == 0:
        return None, None
    p = successes / n
    denominator = 1 + Z * Z / n
    centre = (p + Z * Z / (2 * n)) / denominator
    half = Z * math.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n)) / denominator
    return max(0.0, centre - half), min(1.0, centre + half)


def median_interval(values: Sequence[float]) -> Interval:
    """Order-statistic interval of the median; of fewer than six values even the ends hold it in less than 95 % of cases."""
    n = len(values)
    if n < 6:
        return None, None
    ordered = sorted(values)
    low = max(1, math.floor(n / 2 - 0.98 * math.sqrt(n)))
    high = min(n, math.ceil(1 + n / 2 + 0.98 * math.sqrt(n)))
    return ordered[low - 1], ordered[high - 1]


def mean_interval(values: Sequence[float]) -> Interval:
    """Normal approximation with the sample deviation."""
    n = len(values)
    if n < 2:
        return None, None
    half = Z * float(np.std(values, ddof=1)) / math.sqrt(n)
    mean = float(np.mean(values))
    return mean - half, mean + half


def ratio_interval(pairs: Sequence[tuple[float, float]]) -> Interval:
    """Ratio estimator over (y, x) per record, clamped to 0..1."""
    n, total_x = len(pairs), sum(x for _, x in pairs)
    if n < 2 or total_x == 0:
        return None, None
    ratio = sum(y for y, _ in pairs) / total_x
    error = math.sqrt(n / (n - 1) * sum((y - ratio * x) ** 2 for y, x in pairs)) / total_x
    return max(0.0, ratio - Z * error), min(1.0, ratio + Z * error)


def kaplan_meier_median(observations: Sequence[tuple[float, bool]]) -> float | None:
    """Smallest time at which the estimate is at most a half; exact fractions, ties as one factor 1 - d/r."""
    survival = Fraction(1)
    for time in sorted({time for time, is_event in observations if is_event}):
        at_risk = sum(1 for other, _ in observations if other >= time)
        events = sum(1 for other, is_event in observations if is_event and other == time)
        survival *= 1 - Fraction(events, at_risk)
        if survival <= Fraction(1, 2):
            return time
    return None


def is_same(a: float | None, b: float | None) -> bool:
    """Both unknown, or equal but for the order of floating-point operations."""
    if a is None or b is None:
        return a is b
    return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9)
