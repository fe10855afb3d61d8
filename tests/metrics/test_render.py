"""Tables, CSV and JSON of results."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from typing import Any

import pytest

from metrics import Answer, Column, render
from metrics.answers import Role
from salesgauge.errors import ConfigurationError

ANSWER = Answer(
    (Column("month"), Column("rep"), Column("deals", "value", "deals"), Column("rate", "value", "rate")),
    [
        [dt.date(2026, 1, 1), "=HYPERLINK(1)", 4238, 0.1 + 0.2],
        [dt.date(2026, 2, 1), 'Zoë, "the" best', None, float("nan")],
        [None, None, 3, -5.0],
    ],
)


def _of(**columns: list) -> Answer:
    """Values that no unit is declared of."""
    return Answer(
        tuple(Column(name, "value", name) for name in columns),
        [list(row) for row in zip(*columns.values(), strict=True)],
    )


def test_csv_keeps_full_precision_and_defuses_formulas() -> None:
    rows = list(csv.reader(io.StringIO(render(ANSWER, "csv"))))
    assert rows[0] == ["month", "rep", "deals", "rate"]
    assert rows[1] == ["2026-01-01", "'=HYPERLINK(1)", "4238", "0.30000000000000004"]
    assert rows[2] == ["2026-02-01", 'Zoë, "the" best', "", ""]
    assert rows[3] == ["", "", "3", "-5"]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_every_dangerous_beginning_is_escaped(start: str) -> None:
    text = render(_of(rep=[start + "1+1"]), "csv")
    assert list(csv.reader(io.StringIO(text, newline="")))[1] == ["'" + start + "1+1"]


def test_json_has_numbers_and_nulls() -> None:
    records = json.loads(render(ANSWER, "json"))
    assert records[0] == {"month": "2026-01-01", "rep": "=HYPERLINK(1)", "deals": 4238, "rate": 0.30000000000000004}
    assert records[1]["deals"] is None and records[1]["rate"] is None


def test_table_lines_up_and_control_characters_do_nothing() -> None:
    lines = render(
        Answer((Column("rep"), Column("n", "value")), [["a\x1b[31m", 1], ["longer name", 20000]]), "table"
    ).splitlines()
    assert lines[0].split() == ["rep", "n"]
    assert "\x1b" not in "".join(lines)
    assert len({len(line) for line in lines}) == 1
    assert lines[-1].endswith("20,000")


def test_a_column_with_fractions_shows_them_everywhere() -> None:
    lines = render(_of(win_rate=[1.0, 0.5], won_amount=[10005534.0, 2.0]), "table").splitlines()
    assert [line.split() for line in lines[2:]] == [["1.0000", "10,005,534"], ["0.5000", "2"]]


def test_empty_results_keep_their_header() -> None:
    empty = _of(rep=[], win_rate=[])
    assert render(empty, "csv") == "rep,win_rate\n"
    assert json.loads(render(empty, "json")) == []
    assert render(empty, "table").splitlines()[0].split() == ["rep", "win_rate"]


def test_another_format_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="table, csv, json"):
        render(ANSWER, "xlsx")


def test_a_table_is_written_for_people_and_the_others_for_programs() -> None:
    columns = [Column("rep")]
    with_interval: tuple[Role, ...] = ("n", "low", "high", "is_low_n")
    plain: tuple[Role, ...] = ("n", "is_low_n")
    for name, unit, roles in (
        ("win_rate", "share", with_interval),
        ("won_amount", "money", plain),
        ("nps", "points", with_interval),
    ):
        columns += [Column(name, "value", name, unit), *(Column(f"{name}_{role}", role, name, unit) for role in roles)]
    rows: list[list[Any]] = [
        ["Ann", 0.5125, 1200, 0.4, 0.6, False, 1250.5, 40, False, -3.0, 21, -9.5, 4.0, False],
        [None, None, 0, None, None, True, 85.5, 2, True, None, 0, None, None, True],
    ]
    answer = Answer(tuple(columns), rows, ("A note.",))
    assert render(answer, "table", "USD").splitlines() == [
        "rep     win_rate      n  95 % interval  won_amount   n  nps   n  95 % interval",
        "------  --------  -----  -------------  ----------  --  ---  --  -------------",
        "Ann       51.2 %  1,200    40.0–60.0 %      $1,250  40   −3  21      −10 to +4",
        "(none)         –     0*              –      $85.50  2*    –  0*              –",
        "* fewer than 20: do not read much into it.",
        "A note.",
    ]
    assert json.loads(render(answer, "json", "USD"))[0]["won_amount"] == 1250.5
    bare = render(answer.plain(), "table", "USD").splitlines()
    assert bare[2].split() == ["Ann", "0.5125", "1,250.50", "-3"]


def test_weekdays_have_names_in_a_table_and_numbers_elsewhere() -> None:
    answer = Answer(
        (Column("weekday"), Column("hour"), Column("leads", "value")), [[1, 0, 3], [7, 23, 4], [None, None, 1]]
    )
    assert [line.split() for line in render(answer, "table").splitlines()[2:]] == [
        ["Mon", "0", "3"],
        ["Sun", "23", "4"],
        ["(none)", "(none)", "1"],
    ]
    assert render(answer, "csv").splitlines()[2] == "7,23,4"
