"""Conditions of ``--where``: what is written means what it says, row by row; what is not understood is refused."""

from __future__ import annotations

import re

import duckdb
import pandas as pd
import pytest
from hypothesis import given, settings

from metrics.engine import TIME, TIME_TEMPLATE, Dimension
from metrics.where import render_where
from salesgauge.errors import ConfigurationError
from tests.conditions import CONDITIONS, ROWS, Condition

DIMENSIONS = {name: Dimension(name, name, is_entity=False).template for name in ("name", "other", "size", "flag")}
FRAME = pd.DataFrame({"place": range(len(ROWS)), **{name: [row[name] for row in ROWS] for name in DIMENSIONS}}).astype(
    {"size": "Int64", "flag": "boolean"}
)


def rendered(condition: str) -> str:
    """The condition as DuckDB gets it: MetricFlow puts the column in the place of each template."""
    return re.sub(r"\{\{ Dimension\('(\w+)'\) \}\}", r'"\1"', render_where(condition, DIMENSIONS, "win_rate"))


@settings(max_examples=250, deadline=None)
@given(CONDITIONS)
def test_a_condition_finds_the_rows_of_which_it_is_true(condition: Condition) -> None:
    text, meaning = condition
    with duckdb.connect() as con:
        found = con.from_df(FRAME).filter(rendered(text)).project("place").order("place").fetchall()
    expected = FRAME["place"][[meaning(row) is True for row in ROWS]]
    assert [place for (place,) in found] == list(expected), text


@pytest.mark.parametrize("word", ["not like", "not ilike"])
def test_not_like_finds_the_others(word: str) -> None:
    with duckdb.connect() as con:
        found = con.from_df(FRAME).filter(rendered(f"name {word} 'a%'")).project("name").fetchall()
    beginnings = ("a",) if word == "not like" else ("a", "A")
    others = {row["name"] for row in ROWS if isinstance(row["name"], str) and not row["name"].startswith(beginnings)}
    assert {name for (name,) in found} == others and len(others) > 5


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("name not similar to 'a'", "SIMILAR TO"),
        ("name !~ 'a'", "not allowed"),
        ("name glob 'a*'", "GLOB"),
        ("name ^@ 'a'", "not allowed"),
        ("name not like 'a!%' escape '!'", "ESCAPE"),
        ("name not ilike any ('a', 'b')", "ANY"),
        ("name = any ('a')", "ANY"),
        ("size between symmetric 2 and 1", "symmetric"),
        ("name in other", "field"),
        ("name in ()", "needs a list"),
        ("name not in (select 1)", "not allowed"),
        ("name in ('a', null)", "is null"),
        ("name <> null", "is null"),
        ("name is json", "not allowed"),
        ("name is other", "null, true or false"),
        ("size = 1 is null", "compares a condition"),
        ("(size = 1) = flag", "compares a condition"),
        ("1 < size < 3", "compares a condition"),
        ("not 'a'", "is a value"),
        ("size = 1 and 'a'", "is a value"),
        ("'a'", "is a value"),
        ("name collate nocase = 'a'", "not allowed"),
        ("name::date = '2026-01-01'", "the only cast"),
        ("try_cast('2026-01-01' as date) = name", "not allowed"),
        ("date '2026-02-30' = name", "the only cast"),
        ("name = 'a' limit 1", "can't be read"),
        ("name = 'a' xor flag", "can't be read"),
        ("name = $1", "not allowed"),
        ("-size = 1", "not allowed"),
        ("name = 'a' as x", "not allowed"),
        ("name = E'a'", "not allowed"),
        ("name, other", "can't be read"),
        ("name = 'a'; flag", "not one condition"),
        ("lower(name) = 'a'", "LOWER"),
        (" or ".join(["flag"] * 2000), "levels"),
        ("(" * 3000 + "flag" + ")" * 3000, "can't be read"),
    ],
)  # fmt: skip
def test_what_is_not_written_out_is_refused(condition: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=r"(?s)can't be used.*Allowed: = <>") as caught:
        render_where(condition, DIMENSIONS, "win_rate")
    assert words in str(caught.value)


def test_a_date_is_one_that_exists() -> None:
    assert render_where("metric_time >= date '2026-02-28'", {TIME: TIME_TEMPLATE}, "win_rate") == (
        "({{ TimeDimension('metric_time', 'day') }} >= cast('2026-02-28' as date))"
    )
