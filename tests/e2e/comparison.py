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
_PLAIN = frozenset({str, int, bool, Decimal, date, type(None)})


def differences(
    expected: pd.DataFrame, found: pd.DataFrame, keys: Sequence[str], not_compared: Sequence[str] = ()
) -> str:
    """A readable account of what differs; empty when nothing does.

    ``expected`` is the truth. Every column of both must be in the other one but those in ``not_compared``.
    """
    account = _columns(expected, found, set(not_compared))
    truth, warehouse = _Side(expected, keys), _Side(found, keys)
    account += truth.doubles("truth") + warehouse.doubles("warehouse")
    account += truth.missing("in the truth only", warehouse) + warehouse.missing("in the warehouse only", truth)
    shared = [(key, place, warehouse.places[key]) for key, place in truth.places.items() if key in warehouse.places]
    for column in expected.columns:
        if column in keys or column in not_compared or column not in found.columns:
            continue
        due, there = truth.columns[column], warehouse.columns[column]
        wrong = {
            key: (due[one], there[other])
            for key, one, other in shared
            # equal values, which most are, need no second look
            if due[one] != there[other] and not same(due[one], there[other])
        }
        if wrong:
            account.append(f"{column}: {len(wrong)} of {len(shared)} rows differ")
            account += [
                f"    {_shown(key)}: truth {wrong[key][0]!r}, warehouse {wrong[key][1]!r}"
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


class _Side:
    """A table as plain values, column by column, with the place of each key."""

    def __init__(self, frame: pd.DataFrame, keys: Sequence[str]) -> None:
        self.keys = keys
        self.rows = len(frame)
        self.columns = {name: _values(column) for name, column in frame.items()}
        named = zip(*(self.columns[key] for key in keys), strict=True) if keys and self.rows else [()] * self.rows
        self.places = {key: place for place, key in enumerate(named)}

    def doubles(self, name: str) -> list[str]:
        doubles = self.rows - len(self.places)
        return [f"{name}: {doubles} rows share their key {list(self.keys)}"] if doubles else []

    def missing(self, what: str, other: _Side) -> list[str]:
        """The rows that ``other`` does not have."""
        keys = [key for key in self.places if key not in other.places]
        if not keys:
            return []
        lines = [
            f"    {_shown(key)}: {_shown(column[self.places[key]] for column in self.columns.values())}"
            for key in sorted(keys, key=_sortable)[:SHOWN]
        ]
        return [f"{len(keys)} rows {what}", *lines]


def _values(column: pd.Series) -> list[Any]:
    """``plain`` of every value, with short ways for those that most columns hold."""
    if column.dtype.kind == "f":
        return [value if value == value else None for value in column.tolist()]
    return [value if type(value) in _PLAIN else plain(value) for value in column.tolist()]


def _columns(expected: pd.DataFrame, found: pd.DataFrame, not_compared: set[str]) -> list[str]:
    missing = [column for column in expected.columns if column not in found.columns and column not in not_compared]
    unknown = [column for column in found.columns if column not in expected.columns and column not in not_compared]
    return [f"the warehouse has no column {column}" for column in missing] + [
        f"the truth has no column {column}" for column in unknown
    ]


def _sortable(key: tuple) -> tuple:
    return tuple((value is not None, str(value)) for value in key)


def _shown(values: Any) -> str:
    return ", ".join(str(value.isoformat() if isinstance(value, date) else value) for value in values)
