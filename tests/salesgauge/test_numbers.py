"""Numbers for people: units, rounding at their borders, missing values."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from salesgauge import numbers


def plain(text: str) -> str:
    return text.replace("\u202f", " ").replace("\u2060", "").replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0, "$0"),
        (0.25, "$0.25"),
        (85.4, "$85"),
        (999.4, "$999"),
        (999.6, "$1.0 k"),
        (9_940, "$9.9 k"),
        (9_960, "$10 k"),
        (999_400, "$999 k"),
        (999_600, "$1.00 M"),
        (1_234_000, "$1.23 M"),
        (-45_100, "−$45 k"),
        (2.5e9, "$2.50 B"),
    ],
)
def test_money(value: float | None, text: str) -> None:
    assert plain(numbers.money(value, "USD")) == text


def test_money_of_other_currencies() -> None:
    assert plain(numbers.money(1_200, "EUR")) == "€1.2 k"
    assert plain(numbers.money(1_200, "CHF")) == "CHF 1.2 k"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.3421, "share", "34.2 %"),
        (-0.00001, "share", "0.0 %"),
        (1.0, "share", "100.0 %"),
        (1.385, "share", "138 %"),
        (9.9, "minutes", "9.9 min"),
        (9.97, "minutes", "10 min"),
        (119.4, "minutes", "119 min"),
        (120, "minutes", "2.0 h"),
        (4_320, "minutes", "3.0 days"),
        (6.84, "days", "6.8 days"),
        (24.2, "points", "+24"),
        (-3.6, "points", "−4"),
        (4_238, "count", "4,238"),
        (1.714, "ratio", "1.71"),
        (None, "share", "–"),
    ],
)
def test_values_by_unit(value: float | None, unit: str, text: str) -> None:
    assert plain(numbers.value_of(value, unit, "USD")) == text


@pytest.mark.parametrize(
    ("low", "high", "unit", "text"),
    [
        (0.351, 0.468, "share", "35.1–46.8 %"),
        (16.2, 21.0, "minutes", "16–21 min"),
        (100, 180, "minutes", "100 min–3.0 h"),
        (-12.0, 30.0, "points", "−12 to +30"),
        (345_000, 471_000, "money", "$345 k–$471 k"),
        (None, 0.2, "share", "–"),
    ],
)
def test_intervals(low: float | None, high: float | None, unit: str, text: str) -> None:
    assert plain(numbers.span(low, high, unit, "USD")) == text


def test_dates_and_ages() -> None:
    assert numbers.day(date(2026, 3, 8)) == "Mar 8, 2026"
    assert numbers.month(date(2026, 3, 1)) == "Mar 2026"
    now = datetime(2026, 3, 18, 6)
    assert plain(numbers.ago(datetime(2026, 3, 18, 5, 30), now)) == "under 1 h old"
    assert plain(numbers.ago(datetime(2026, 3, 17, 6), now)) == "24 h old"
    assert numbers.ago(datetime(2026, 3, 15, 3), now) == "3 days old"
    assert numbers.ago(datetime(2026, 11, 23, 9), now) == "Nov 23, 2026"


def test_every_kpi_has_a_name() -> None:
    assert numbers.kpi_name("win_rate") == "Win rate"
    assert numbers.kpi_name("something_new") == "Something new"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (447_539.23, "money", "$447,539"),
        (999.99, "money", "$999.99"),
        (999.996, "money", "$1,000"),
        (-85.5, "money", "−$85.50"),
        (0.3421, "share", "34.2 %"),
        (None, "money", "–"),
    ],
)
def test_in_full(value: float | None, unit: str, text: str) -> None:
    assert plain(numbers.in_full(value, unit, "USD")) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0312, "share", "+3.1 points"),
        (-0.0004, "share", "0.0 points"),
        (-19.2, "points", "−19 points"),
        (-1_250, "money", "−$1,250"),
        (1_250.4, "money", "+$1,250"),
        (2.52, "days", "+2.5 days"),
        (-118, "minutes", "−118 min"),
        (-1_200, "count", "−1,200"),
        (0, "count", "0"),
        (0.254, "ratio", "+0.25"),
        (None, "share", "–"),
    ],
)
def test_changes_have_a_sign(value: float | None, unit: str, text: str) -> None:
    assert plain(numbers.change_of(value, unit, "USD")) == text
