"""The comparison finds what differs: a check that can't fail proves nothing."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from tests.e2e.comparison import differences, same

TRUTH = pd.DataFrame(
    [
        ("all", None, "total", 3, 0.5, Decimal("10.00"), True),
        ("month", date(2026, 1, 1), "total", 2, None, Decimal("7.50"), False),
    ],
    columns=["grain", "start", "segment", "n", "rate", "amount", "flag"],
    dtype=object,
)
KEYS = ["grain", "start", "segment"]


def test_equal_tables_whatever_their_types_and_order() -> None:
    found = TRUTH.iloc[::-1][["flag", "amount", "rate", "n", "segment", "start", "grain"]].copy()
    found["rate"] = found["rate"].astype(float)
    found["n"] = found["n"].astype("Int64")
    found["start"] = [datetime(2026, 1, 1), pd.NaT]
    assert differences(TRUTH, found.assign(as_of=1), KEYS, ["as_of"]) == ""


@pytest.mark.parametrize(
    ("column", "value"),
    [("n", 4), ("rate", 0.5 + 2e-9), ("rate", None), ("amount", Decimal("10.01")), ("flag", False), ("flag", None)],
)
def test_one_wrong_value_is_shown_from_both_sides(column: str, value: object) -> None:
    found = TRUTH.copy()
    found.at[0, column] = value
    account = differences(TRUTH, found, KEYS)
    assert f"{column}: 1 of 2 rows differ" in account
    assert f"truth {TRUTH.at[0, column]!r}, warehouse {value!r}" in account


def test_rows_and_columns_that_one_side_lacks() -> None:
    assert "1 rows in the truth only" in differences(TRUTH, TRUTH.iloc[:1], KEYS)
    assert "1 rows in the warehouse only" in differences(TRUTH.iloc[:1], TRUTH, KEYS)
    assert "the warehouse has no column rate" in differences(TRUTH, TRUTH.drop(columns="rate"), KEYS)
    assert "the truth has no column rate" in differences(TRUTH.drop(columns="rate"), TRUTH, KEYS)
    assert "warehouse: 2 rows share their key" in differences(TRUTH, pd.concat([TRUTH, TRUTH]), KEYS)


def test_tables_without_rows_or_without_keys() -> None:
    assert differences(pd.DataFrame(), pd.DataFrame(), KEYS) == ""
    assert "1 rows in the truth only" in differences(TRUTH.iloc[:1], pd.DataFrame(columns=TRUTH.columns), KEYS)
    one = pd.DataFrame({"value": [1.0]})
    assert differences(one, one, []) == ""
    assert "value: 1 of 1 rows differ" in differences(one, one + 1, [])


def test_a_long_account_is_cut() -> None:
    many = pd.DataFrame({"key": range(500), "value": range(500)})
    account = differences(many, many.assign(value=1 - many["value"]), ["key"])
    assert len(account.splitlines()) == 11


def test_values() -> None:
    assert same(np.float64(1e6), 1e6 + 1e-5) and not same(1e6, 1e6 + 1e-2)
    assert same(np.nan, None) and not same(None, 0)
    assert same(1, True) and not same("1", 1)
