"""Conditions of the process file: they mean what they say, and a comparison that can never hold is refused."""

from __future__ import annotations

import re

import duckdb
import pandas as pd
import pytest
from hypothesis import given, settings

from salesgauge.process.expressions import parse_condition, to_sql
from tests.conditions import CONDITIONS, ROWS, Condition

COLUMNS = {
    "lead": {"name": "text", "other": "text", "size": "integer", "price": "decimal", "flag": "boolean", "seen_at": "timestamp", "day": "date"}
}  # fmt: skip
FRAME = pd.DataFrame(ROWS).astype({"size": "Int64", "flag": "boolean"})


def _of_lead(text: str) -> str:
    return re.sub(r"\b(name|other|size|flag)\b", r"lead.\1", text)


@settings(max_examples=150, deadline=None)
@given(CONDITIONS)
def test_a_rule_finds_the_records_of_which_it_is_true(condition: Condition) -> None:
    text, meaning = condition
    sql = to_sql(parse_condition(_of_lead(text), {"lead": frozenset(COLUMNS["lead"])}))
    with duckdb.connect() as con:
        found = con.from_df(FRAME).project(f"{sql} as is_true").fetchall()
    assert [value for (value,) in found] == [meaning(row) for row in ROWS], text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lead.flag = 'maybe'", "compares boolean with text. A boolean is true or false"),
        ("lead.flag in (true, 'no')", "compares boolean with text"),
        ("lead.flag = 1", "compares boolean with number"),
        ("lead.size = 'many'", "compares number with text"),
        ("lead.name = 60614", "compares text with number. Text stands in single quotes"),
        ("lead.price between 1 and 'x'", "compares number with text"),
        ("lead.seen_at > 'yesterday'", "'yesterday' is no date"),
        ("lead.day >= '2025-02-29'", "'2025-02-29' is no date"),
        ("lead.day = 20250131", "compares date with number"),
        ("lead.size like '1%'", "like and lower() are for text"),
        ("lower(lead.flag) = 'x'", "like and lower() are for text"),
        ("lead.size is true", "only a boolean is true or false"),
        ("lead.name", "only a boolean column stands alone"),
        ("lead.flag or lead.size", "only a boolean column stands alone"),
        ("not lead.name", "only a boolean column stands alone"),
        ("lead.flag; lead.size = 1", "not one condition"),
        ("lead.name in lead.other", "field"),
        ("lead.size between symmetric 2 and 1", "symmetric"),
        ("lead.name not like 'a' escape 'b'", "ESCAPE"),
    ],
)
def test_a_comparison_that_can_not_hold_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        parse_condition(text, COLUMNS)


@pytest.mark.parametrize(
    "text",
    [
        "lead.flag",
        "not lead.flag or lead.flag is not true",
        "lead.flag = true",
        "lead.seen_at >= '2025-02-28 10:00' and lead.day < date '2025-03-01'",
        "lead.seen_at < lead.day",
        "lead.price > lead.size",
        "lower(lead.name) not ilike '%x' and lead.other is distinct from 'y'",
    ],
)
def test_what_can_hold_is_accepted(text: str) -> None:
    assert to_sql(parse_condition(text, COLUMNS))
