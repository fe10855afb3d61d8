"""Forecast locks of the truth on hand-made logs."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from demo.truth import forecast
from demo.truth.forecast import NAIVE, PIPELINE, Period, age_bucket, bucket, periods_of
from tests.demo.stories import Story, at

JANUARY, FEBRUARY = date(2026, 1, 1), date(2026, 2, 1)


def lock(
    frame: pd.DataFrame, day: date, month: date, method: str, level: str = "total", segment: str = "total"
) -> dict:
    for name, value in (
        ("lock_date", day),
        ("period_start_date", month),
        ("method", method),
        ("level", level),
        ("segment", segment),
    ):
        frame = frame[frame[name] == value]
    assert len(frame) == 1
    return frame.iloc[0].to_dict()


@pytest.fixture
def story() -> Story:
    """Three sales in January, one of them of a deal that came and went between two Mondays; one deal without amount stays open."""
    story = Story()
    story.deal("dA", "01-05 07:00", stage="proposal", amount=100, owner="2").stages("dA", ("01-14 12:00", "won"))
    story.deal("dB", "01-06 12:00", stage="proposal", amount=200, owner="2").stages("dB", ("01-20 12:00", "won"))
    story.deal("dC", "01-07 12:00", owner="1")
    story.deal("dD", "01-15 12:00", stage="proposal", amount=300, owner="1").stages("dD", ("01-16 12:00", "won"))
    story.add("01-15 12:00", "deal_owner", None, "dA", owner="1").add(
        "01-30 12:00", "deal_amount", None, "dB", amount=999
    )
    return story


def test_locks_are_the_mondays_that_know_a_deal(story: Story, tmp_path: Path) -> None:
    """The first deal came an hour after midnight of Monday, 5 January."""
    frame = story.truth(tmp_path).mart("forecast_locks")
    days = sorted(set(frame["lock_date"]))
    assert days[-1] == date(2026, 3, 2)
    assert min(frame["lock_date"]) == date(2026, 1, 26), (
        "earlier Mondays have nothing to learn from, and no month to repeat"
    )


def test_pipeline_forecast(story: Story, tmp_path: Path) -> None:
    """Lock of 26 January for January: six days are left. Mondays to learn from: 12 and 19 January.

    Open then: A, B, C and B, C; two of the five were won within six days. Stage of C: 0 of 2, shrunk to (0 + 10·0.4)/(2 + 10) = 1/3; its age (two
    weeks) was never seen: 1/3. C has no amount: the mean of the three sales, 200. New deals: 300 and 0, so 150.
    600 + 200/3 + 150 = 816.67; of Ann 300 + 200/3 + 150, of Bob 300 + 0 + 0: he owned A when it was won.
    """
    frame = story.truth(tmp_path).mart("forecast_locks")
    day = date(2026, 1, 26)
    total = lock(frame, day, JANUARY, PIPELINE)
    assert (total["forecast"], total["horizon_days"], total["deals_open"], total["low"]) == (81667, 5, 1, None)
    assert lock(frame, day, JANUARY, PIPELINE, "rep", "Ann")["forecast"] == 51667
    assert lock(frame, day, JANUARY, PIPELINE, "rep", "Bob")["forecast"] == 30000
    assert lock(frame, day, JANUARY, PIPELINE, "rep", "Bob")["deals_open"] == 0
    assert lock(frame, day, JANUARY, PIPELINE, "service_line", "(none)")["forecast"] == 81667


def test_seasonal_naive_begins_with_the_first_complete_month(story: Story, tmp_path: Path) -> None:
    """On 2 March February is complete, January was not (the data begin on the 5th): nothing was sold in it."""
    truth = story.truth(tmp_path)
    frame = truth.mart("forecast_locks")
    assert set(frame.loc[frame["method"] == NAIVE, "lock_date"]) == {date(2026, 3, 2)}
    story.deal("dE", "02-03 12:00", amount=80, branch="denver").stages("dE", ("02-10 12:00", "won"))
    frame = story.truth(tmp_path).mart("forecast_locks")
    assert lock(frame, date(2026, 3, 2), date(2026, 3, 1), NAIVE)["forecast"] == 8000
    assert lock(frame, date(2026, 3, 2), date(2026, 5, 1), NAIVE, "branch", "denver")["forecast"] == 8000


def test_what_came_true_is_judged_today(story: Story, tmp_path: Path) -> None:
    frame = story.truth(tmp_path).mart("fct_forecast")
    assert lock(frame, date(2026, 1, 26), JANUARY, PIPELINE)["actual"] == 10000 + 99900 + 30000
    assert lock(frame, date(2026, 1, 26), JANUARY, PIPELINE, "rep", "Bob")["actual"] == 10000 + 99900
    assert lock(frame, date(2026, 2, 23), FEBRUARY, PIPELINE)["actual"] == 0
    assert pd.isna(lock(frame, date(2026, 2, 23), date(2026, 3, 1), PIPELINE)["actual"])


def test_intervals_are_quantiles_of_past_errors(tmp_path: Path) -> None:
    """100 a month for three years, 200 in January 2026: until then no error of the seasonal naive was anything but 0."""
    story = Story("03-30 12:00")
    months = pd.date_range("2023-04-01", "2026-03-01", freq="MS")
    for month in months:
        deal, day = f"d{month:%y%m}", f"{month:%Y-%m}-10"
        story.deal(deal, f"{day} 12:00", amount=200 if month == pd.Timestamp(2026, 1, 1) else 100)
        story.stages(deal, (f"{day} 13:00", "won"))
    frame = story.truth(tmp_path).mart("forecast_locks")
    total = frame[(frame["method"] == NAIVE) & (frame["level"] == "total")]
    far = total[[31 <= days <= 60 for days in total["horizon_days"]]].sort_values(["lock_date", "period_start_date"])
    assert far["low"].isna().sum() > 0
    over = far[[start <= date(2026, 1, 1) for start in far["period_start_date"]]]
    newest = far[far["lock_date"] == date(2026, 2, 2)].iloc[0]
    past = over[over["period_end_date"] < date(2026, 2, 2)]
    errors = [10000 if start == JANUARY else 0 for start in past["period_start_date"]]
    assert len(errors) >= 8 and 0 < sum(errors) < sum(errors) * len(errors)
    assert (newest["low"], newest["high"]) == (
        newest["forecast"] + round(np.quantile(errors, 0.1)),
        newest["forecast"] + round(np.quantile(errors, 0.9)),
    )
    known = far[far["low"].notna()].iloc[0]
    assert (known["low"], known["high"]) == (10000, 10000)
    before = far[[end < known["lock_date"] for end in far["period_end_date"]]]
    assert len(before) >= 8


def test_months_in_sight_and_their_windows() -> None:
    """From Monday, 26 January: its own month with six days left, February after a gap of six days, March; April ends after 94 days."""
    assert periods_of(date(2026, 1, 26)) == [
        Period(JANUARY, date(2026, 1, 31), 5, 0, 6),
        Period(FEBRUARY, date(2026, 2, 28), 33, 6, 28),
        Period(date(2026, 3, 1), date(2026, 3, 31), 64, 34, 31),
    ]
    assert [bucket(days) for days in (0, 7, 8, 30, 31, 60, 61, 90)] == ["0-7"] * 2 + ["8-30"] * 2 + ["31-60"] * 2 + [
        "61-90"
    ] * 2
    ages = [age_bucket(at("01-01 00:00"), at(f"01-{day:02d} 00:00")) for day in (1, 7, 8, 22, 29)]
    assert ages == [0, 0, 1, 3, 4]
    assert [age_bucket(at("01-01 00:00"), at(moment)) for moment in ("02-25 00:00", "02-26 00:00")] == [4, 8]


def test_accuracy() -> None:
    """Errors +10 and −20 of 100 each; a naive forecast of 150 for the first one only; one of two intervals holds."""
    first = {
        "lock_date": date(2026, 1, 5),
        "period_start_date": JANUARY,
        "level": "total",
        "segment": "total",
        "horizon_bucket": "8-30",
    }
    second = {**first, "lock_date": date(2026, 1, 12)}
    rows = [
        {**first, "method": PIPELINE, "forecast": 11000, "low": 9000, "high": 12000, "actual": 10000},
        {**second, "method": PIPELINE, "forecast": 8000, "low": 7000, "high": 9000, "actual": 10000},
        {**first, "method": NAIVE, "forecast": 15000, "low": None, "high": None, "actual": 10000},
        {
            **second,
            "method": PIPELINE,
            "period_start_date": FEBRUARY,
            "forecast": 1,
            "low": None,
            "high": None,
            "actual": None,
        },
    ]
    frame = forecast.accuracy(pd.DataFrame(rows, dtype=object))
    wanted = (frame["period_grain"] == "all") & (frame["method"] == PIPELINE) & (frame["horizon_bucket"] == "all")
    (found,) = frame[wanted & (frame["segment_type"] == "total")].to_dict("records")
    assert (found["n"], found["wape"], found["bias"], found["accuracy"]) == (2, 0.15, -0.05, 0.85)
    assert (found["skill"], found["coverage_rate"], found["with_interval"]) == (pytest.approx(0.8), 0.5, 2)
    assert found["absolute_error_amount"] == Decimal("30.00")
