"""The truth's statistics against numbers of textbooks and of one's own arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from demo.truth import estimates


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(0, 10, 0.0, 0.27753), (5, 10, 0.23659, 0.76341), (10, 10, 0.72247, 1.0), (81, 263, 0.25529, 0.36621)],
)
def test_wilson(successes: int, n: int, low: float, high: float) -> None:
    assert estimates.wilson(successes, n) == pytest.approx((low, high), abs=2e-5)


def test_nothing_has_no_estimate() -> None:
    none = np.array([])
    assert estimates.wilson(0, 0) == (None, None)
    assert estimates.percentile(none, 0.5) is None
    assert estimates.median_interval(none) == (None, None)
    assert estimates.mean_interval(np.array([3.0])) == (None, None)
    assert estimates.ratio_interval(np.array([1.0]), np.array([2.0])) == (None, None)
    assert estimates.km_median(none, none.astype(bool)) is None
    assert estimates.quotient(1, 0) is None


def test_percentiles_interpolate() -> None:
    values = [1.0, 2.0, 4.0, 8.0]
    assert estimates.percentile(values, 0.5) == 3.0
    assert estimates.percentile(values, 0.9) == pytest.approx(6.8)
    assert estimates.exact_percentile([1, 2, 4, 8], Fraction(9, 10)) == Fraction(34, 5)


def test_ranks_of_the_median() -> None:
    """n = 25: floor(12.5 − 4.9) = 7 and ceil(1 + 12.5 + 4.9) = 19. n = 6: clamped to 1 and 6. Of five values the ends hold the median in 94 % of cases."""
    assert estimates.median_interval(list(range(1, 26))) == (7.0, 19.0)
    assert estimates.median_interval([3.0, 4.0, 5.0, 6.0, 8.0, 9.0]) == (3.0, 9.0)
    assert estimates.median_interval([3.0, 4.0, 5.0, 6.0, 9.0]) == (None, None)


def test_mean_and_points() -> None:
    """2, 4, 6: s = 2, 1.96·2/√3 = 2.2632. 100, 100, −100 is clamped at 100."""
    assert estimates.mean_interval(np.array([2.0, 4.0, 6.0])) == pytest.approx((1.7368, 6.2632), abs=1e-4)
    low, high = estimates.points_interval(np.array([100.0, 100.0, -100.0]))
    assert low == pytest.approx(-97.3333, abs=1e-3) and high == 100.0


def test_ratio() -> None:
    """y = 1, 3 of x = 2, 4: R = 2/3; residuals −1/3, 1/3; se = √(2·2/9)/6 = 1/9."""
    low, high = estimates.ratio_interval(np.array([1.0, 3.0]), np.array([2.0, 4.0]))
    assert (low, high) == pytest.approx((2 / 3 - 1.96 / 9, 2 / 3 + 1.96 / 9))


def test_difference_of_two_shares() -> None:
    low, high = estimates.mover(0.6, (0.5, 0.7), 0.4, (0.3, 0.5))
    assert (low, high) == pytest.approx((0.2 - 0.02**0.5, 0.2 + 0.02**0.5))
    assert estimates.mover(0.6, (None, 0.7), 0.4, (0.3, 0.5)) == (None, None)


def test_kaplan_meier_of_the_leukaemia_trial() -> None:
    """Freireich et al. 1963, 6-MP arm: S(22) = 0.538, S(23) = 0.448."""
    events = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    censored = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    times = np.array(events + censored, dtype=float)
    assert estimates.km_median(times, np.array([True] * 9 + [False] * 12)) == 23.0


def test_kaplan_meier_that_never_falls_to_a_half() -> None:
    assert estimates.km_median(np.array([1.0, 2.0, 3.0, 4.0]), np.array([True, False, False, False])) is None
    assert estimates.km_median(np.array([1.0, 2.0]), np.array([True, False])) == 1.0


def test_odds() -> None:
    assert estimates.odds(0.75) == pytest.approx(3.0)
    assert estimates.odds(1) is None
    assert estimates.odds(None) is None
