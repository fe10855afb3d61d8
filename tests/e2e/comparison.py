"""Compares a table of the warehouse with the truth, row by row and column by column; what differs is shown from both sides.

Integers, texts, dates, booleans and money must be equal, floats within 1e-9 (relative above 1). Which tables are compared is ``truth_tables``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

TOLERANCE = 1e-9
SHOWN = 10


def differences(
    expected: pd.DataFrame, found: pd.DataFrame, keys: Sequence[str], not_compared: Sequence[str] = ()
) -> str:
    """A readable account of what differs; empty when nothing does.

    ``expected`` is the truth. Every column of both must be in the other one but those in ``not_compared``.
    """
    account = _columns(expected, found, set(not_compared))
    truth, warehouse = _by_key(expected, keys), _by_key(found, keys)
    account += _doubles("truth", expected, keys, truth) + _doubles("warehouse", found, keys, warehouse)
    account += _missing("in the truth only", [key for key in truth if key not in warehouse], truth)
    account += _missing("in the warehouse only", [key for key in warehouse if key not in truth], warehouse)
    shared = [key for key in truth if key in warehouse]
    for column in expected.columns:
        if column in keys or column in not_compared or column not in found.columns:
            continue
        wrong = [key for key in shared if not same(truth[key][column], warehouse[key][column])]
        if wrong:
            account.append(f"{column}: {len(wrong)} of {len(shared)} rows differ")
            account += [
                f"    {_shown(key)}: truth {truth[key][column]!r}, warehouse {warehouse[key][column]!r}"
                for key in sorted(wrong, key=_sortable)[:SHOWN]
            ]
    return "\n".join(account)


def same(expected: Any, found: Any) -> bool:
    """Whether two values are equal as their kind demands."""
    expected, found = plain(expected), plain(found)
    if expected is None or found is None:
        return expected is None and found is None
    if isinstance(expected, Decimal) or isinstance(found, Decimal):
        return Decimal(str(expected)) == Decimal(str(found))
    if isinstance(expected, float) or isinstance(found, float):
        return math.isclose(expected, found, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return expected == found


def plain(value: Any) -> Any:
    """A value without the types of pandas and numpy; every kind of nothing is None; midnights are dates."""
    if (
        value is None
        or value is pd.NaT
        or value is pd.NA
        or (isinstance(value, float | np.floating) and math.isnan(value))
    ):
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, datetime) and value.time() == datetime.min.time():
        return value.date()
    return value


def _by_key(frame: pd.DataFrame, keys: Sequence[str]) -> dict[tuple, dict[str, Any]]:
    return {tuple(plain(row[key]) for key in keys): row for row in frame.to_dict("records")}


def _columns(expected: pd.DataFrame, found: pd.DataFrame, not_compared: set[str]) -> list[str]:
    missing = [column for column in expected.columns if column not in found.columns and column not in not_compared]
    unknown = [column for column in found.columns if column not in expected.columns and column not in not_compared]
    return [f"the warehouse has no column {column}" for column in missing] + [
        f"the truth has no column {column}" for column in unknown
    ]


def _doubles(side: str, frame: pd.DataFrame, keys: Sequence[str], rows: dict) -> list[str]:
    return [f"{side}: {len(frame) - len(rows)} rows share their key {list(keys)}"] if len(frame) != len(rows) else []


def _missing(what: str, keys: list[tuple], rows: dict[tuple, dict[str, Any]]) -> list[str]:
    if not keys:
        return []
    lines = [f"    {_shown(key)}: {_shown(rows[key].values())}" for key in sorted(keys, key=_sortable)[:SHOWN]]
    return [f"{len(keys)} rows {what}", *lines]


def _sortable(key: tuple) -> tuple:
    return tuple((value is not None, str(value)) for value in key)


def _shown(values: Any) -> str:
    return ", ".join(str(value.isoformat() if isinstance(value, date) else value) for value in values)
