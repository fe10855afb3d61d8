"""80 % intervals from the errors that the same forecast made before. Formula: docs/kpis/forecast.md.

Works on arrays of lock rows; what a forecast is, and what came true, is handed in.
"""

from __future__ import annotations

import numpy as np

MIN_ERRORS = 8
_LOW_TENTHS, _HIGH_TENTHS = 1, 9  # the 10 % and 90 % quantiles, as tenths, so that everything stays an integer


def round_tenths(tenths: np.ndarray) -> np.ndarray:
    """Tenths of a cent to cents, half to even; exact for integers."""
    cents, rest = np.divmod(tenths, 10)
    return cents + ((rest > 5) | ((rest == 5) & (cents % 2 == 1)))


def _quantile_tenths(ordered: np.ndarray, start: np.ndarray, count: np.ndarray, tenths: int) -> np.ndarray:
    place = (count - 1) * tenths
    lower = ordered[start + place // 10]
    upper = ordered[start + np.minimum(place // 10 + 1, count - 1)]
    return lower * 10 + (place % 10) * (upper - lower)


def interval(
    forecast: np.ndarray, group: np.ndarray, errors: np.ndarray, error_group: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ends of the interval of each forecast, and whether there is one (a group with 8 errors or more).

    ``forecast``, ``group``: integer cents and group number per lock row. ``errors``, ``error_group``: past errors A − F in
    cents with theirs. Returns (low, high, has) of the length of ``forecast``; low and high are 0 where ``has`` is false.
    """
    low, high = np.zeros_like(forecast), np.zeros_like(forecast)
    order = np.lexsort((errors, error_group))
    ordered, groups = errors[order], error_group[order]
    start = np.searchsorted(groups, group, side="left")
    count = np.searchsorted(groups, group, side="right") - start
    has = count >= MIN_ERRORS
    for ends, tenths in ((low, _LOW_TENTHS), (high, _HIGH_TENTHS)):
        ends[has] = round_tenths(forecast[has] * 10 + _quantile_tenths(ordered, start[has], count[has], tenths))
    return low, high, has
