"""Estimators and intervals of docs/kpis.md ("Statistics, exactly") over plain arrays. Nothing here knows a KPI."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

Z = 1.96
Interval = tuple[float | None, float | None]
NO_INTERVAL: Interval = (None, None)
# What a KPI is of its observations, as `kind` in docs/how-to/add-a-kpi.md
FLOW, MEDIAN, PERCENTILE, SHARE, MEAN, WEIGHTED, QUOTIENT, PER, ODDS, POINTS = range(10)


def quotient(numerator: float, denominator: float) -> float | None:
    """None for a denominator of 0."""
    return numerator / denominator if denominator else None


def wilson(successes: int, n: int) -> Interval:
    """Wilson score interval of a share, without continuity correction."""
    if not n:
        return NO_INTERVAL
    share = successes / n
    scale = 1 + Z * Z / n
    centre = (share + Z * Z / (2 * n)) / scale
    half = Z / scale * math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))


def percentile(ordered: Sequence[float] | np.ndarray, share: float) -> float | None:
    """Percentile of sorted values with linear interpolation."""
    if not len(ordered):
        return None
    place = (len(ordered) - 1) * share
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return float(ordered[below] + (ordered[above] - ordered[below]) * (place - below))


def exact_percentile(ordered: Sequence[int], share: Fraction) -> Fraction:
    """Percentile of sorted whole numbers with linear interpolation, exactly."""
    place = (len(ordered) - 1) * share
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def median_interval(ordered: Sequence[float] | np.ndarray) -> Interval:
    """Order-statistic interval of the median of sorted values; none of fewer than six."""
    n = len(ordered)
    if n < 6:
        return NO_INTERVAL
    low = max(1, math.floor(n / 2 - 0.98 * math.sqrt(n)))
    high = min(n, math.ceil(1 + n / 2 + 0.98 * math.sqrt(n)))
    return float(ordered[low - 1]), float(ordered[high - 1])


def mean_interval(values: np.ndarray) -> Interval:
    """Normal interval of a mean."""
    if len(values) < 2:
        return NO_INTERVAL
    half = Z * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return float(np.mean(values)) - half, float(np.mean(values)) + half


def points_interval(values: np.ndarray) -> Interval:
    """The same for values of 100, 0 and −100."""
    low, high = mean_interval(values)
    return NO_INTERVAL if low is None or high is None else (max(-100.0, low), min(100.0, high))


def ratio_interval(y: np.ndarray, x: np.ndarray) -> Interval:
    """Interval of Σy/Σx over records."""
    n, total = len(x), float(x.sum())
    if n < 2 or total <= 0:
        return NO_INTERVAL
    ratio = float(y.sum()) / total
    half = Z * math.sqrt(n / (n - 1) * float(((y - ratio * x) ** 2).sum())) / total
    return max(0.0, ratio - half), min(1.0, ratio + half)


def odds(share: float | None) -> float | None:
    """A share as odds; None for a share of 1."""
    return None if share is None or share == 1 else share / (1 - share)


def mover(a: float, a_interval: Interval, b: float, b_interval: Interval) -> Interval:
    """Interval of a − b (Zou & Donner 2008); none where an end is missing."""
    (a_low, a_high), (b_low, b_high) = a_interval, b_interval
    if a_low is None or a_high is None or b_low is None or b_high is None:
        return NO_INTERVAL
    low = (a - b) - math.sqrt((a - a_low) ** 2 + (b_high - b) ** 2)
    high = (a - b) + math.sqrt((a_high - a) ** 2 + (b - b_low) ** 2)
    return low, high


def km_median(times: np.ndarray, events: np.ndarray) -> float | None:
    """Kaplan–Meier median: the smallest time with S(t) ≤ 0.5; at equal times events come before censorings."""
    ends, deaths = np.unique(times[events], return_counts=True)
    if not len(ends):
        return None
    at_risk = len(times) - np.searchsorted(np.sort(times), ends, side="left")
    survival = np.cumprod(1 - deaths / at_risk)
    below = np.flatnonzero(survival <= 0.5 + 1e-9)
    return float(ends[below[0]]) if len(below) else None


@dataclass
class Estimate:
    """A KPI of one window; ``n``: how many observations it rests on."""

    value: float | None
    interval: Interval
    n: int


def estimate(kind: int, y: np.ndarray, x: np.ndarray) -> Estimate:
    """The statistic ``kind`` of observations ``y`` (and ``x``, where it has a denominator)."""
    n, total = len(y), float(y.sum())
    ordered = np.sort(y)
    if kind == FLOW:
        return Estimate(total, (None, None), n)
    if kind == MEDIAN:
        return Estimate(percentile(ordered, 0.5), median_interval(ordered), n)
    if kind == PERCENTILE:
        return Estimate(percentile(ordered, 0.9), (None, None), n)
    if kind == SHARE:
        return Estimate(quotient(total, n), wilson(int(total), n), n)
    if kind == ODDS:
        low, high = wilson(int(total), n) if n > total else (None, None)
        return Estimate(quotient(total, n - total), (odds(low), odds(high)), n)
    if kind == WEIGHTED:
        return Estimate(quotient(total, float(x.sum())), ratio_interval(y, x), n)
    if kind in (QUOTIENT, PER):  # PER: x counts what the observations are per
        return Estimate(quotient(total, float(x.sum())), (None, None), n if kind == QUOTIENT else int(x.sum()))
    interval = mean_interval(y) if kind == MEAN else points_interval(y)
    return Estimate(float(y.mean()) if n else None, interval, n)
