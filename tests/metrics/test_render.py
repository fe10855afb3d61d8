"""Tables, CSV and JSON of results."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json

import pandas as pd
import pytest

from metrics import render
from salesgauge.errors import ConfigurationError

FRAME = pd.DataFrame(
    {
        "month": [dt.date(2026, 1, 1), dt.date(2026, 2, 1), None],
        "rep": ["=HYPERLINK(1)", "Zoë, \"the\" best", None],
        "deals": pd.array([4238, None, 3], dtype="Int64"),
        "rate": [0.1 + 0.2, float("nan"), -5.0],
    }
)  # fmt: skip


def test_csv_keeps_full_precision_and_defuses_formulas() -> None:
    rows = list(csv.reader(io.StringIO(render(FRAME, "csv"))))
    assert rows[0] == ["month", "rep", "deals", "rate"]
    assert rows[1] == ["2026-01-01", "'=HYPERLINK(1)", "4238", "0.30000000000000004"]
    assert rows[2] == ["2026-02-01", 'Zoë, "the" best', "", ""]
    assert rows[3] == ["", "", "3", "-5"]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_every_dangerous_beginning_is_escaped(start: str) -> None:
    text = render(pd.DataFrame({"rep": [start + "1+1"]}), "csv")
    assert list(csv.reader(io.StringIO(text, newline="")))[1] == ["'" + start + "1+1"]


def test_json_has_numbers_and_nulls() -> None:
    records = json.loads(render(FRAME, "json"))
    assert records[0] == {"month": "2026-01-01", "rep": "=HYPERLINK(1)", "deals": 4238, "rate": 0.30000000000000004}
    assert records[1]["deals"] is None and records[1]["rate"] is None


def test_table_lines_up_and_control_characters_do_nothing() -> None:
    lines = render(pd.DataFrame({"rep": ["a\x1b[31m", "longer name"], "n": [1, 20000]}), "table").splitlines()
    assert lines[0].split() == ["rep", "n"]
    assert "\x1b" not in "".join(lines)
    assert len({len(line) for line in lines}) == 1
    assert lines[-1].endswith("20,000")


def test_a_column_with_fractions_shows_them_everywhere() -> None:
    lines = render(pd.DataFrame({"win_rate": [1.0, 0.5], "won_amount": [10005534.0, 2.0]}), "table").splitlines()
    assert [line.split() for line in lines[2:]] == [["1.0000", "10,005,534"], ["0.5000", "2"]]


def test_empty_results_keep_their_header() -> None:
    empty = pd.DataFrame({"rep": pd.Series(dtype=object), "win_rate": pd.Series(dtype=float)})
    assert render(empty, "csv") == "rep,win_rate\n"
    assert json.loads(render(empty, "json")) == []
    assert render(empty, "table").splitlines()[0].split() == ["rep", "win_rate"]


def test_another_format_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="table, csv, json"):
        render(FRAME, "xlsx")
