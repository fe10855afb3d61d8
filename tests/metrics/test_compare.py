"""Answers beside another time or a target: the same numbers as when that is asked for, and those of the scorecard."""

from __future__ import annotations

import datetime as dt
from typing import Any

import duckdb
import pytest

from metrics import Answer, MetricStore, compared
from salesgauge.errors import ConfigurationError
from salesgauge.kpis import kpis
from tests.metrics import reference

METRICS = ["win_rate", "won_amount", "nps"]


def _by_key(answer: Answer) -> dict[tuple[Any, ...], dict[str, Any]]:
    return {tuple(row[: answer.keys]): dict(zip(answer.names, row, strict=True)) for row in answer.rows}


def _month_before(day: dt.date) -> dt.date:
    return (day - dt.timedelta(days=1)).replace(day=1)


@pytest.mark.parametrize(
    ("grain", "to", "back"),
    [
        ("month", "previous_period", _month_before),
        ("month", "previous_year", lambda day: day.replace(year=day.year - 1)),
        ("week", "previous_period", lambda day: day - dt.timedelta(days=7)),
        ("week", "previous_year", lambda day: day - dt.timedelta(days=364)),
        ("quarter", "previous_period", lambda day: _month_before(_month_before(_month_before(day)))),
    ],
)
def test_a_period_stands_beside_the_one_before(store: MetricStore, grain: str, to: str, back: Any) -> None:
    alone = _by_key(store.ask(METRICS, by=["branch"], grain=grain))
    found, checked = _by_key(compared(store, METRICS, ["branch"], grain, None, to)), 0
    assert found.keys() == alone.keys()
    for (start, branch), row in found.items():
        other = alone.get((back(start), branch)) if start else None
        if other is None:
            assert row["win_rate_before"] is None and row["win_rate_change"] is None and row["win_rate_before_n"] == 0
            continue
        for metric in METRICS:
            a, b = row[metric], other[metric]
            assert (row[f"{metric}_before"], row[f"{metric}_before_n"]) == (b, other[f"{metric}_n"])
            assert reference.is_same(row[f"{metric}_change"], None if a is None or b is None else a - b)
        checked += 1
    assert checked > 5


def test_a_condition_on_time_does_not_take_the_period_before_away(store: MetricStore) -> None:
    where = "metric_time >= '2026-03-01' and metric_time < '2026-05-01' and branch = 'north'"
    found = compared(store, METRICS, [], "month", where, "previous_period")
    whole = _by_key(store.ask(METRICS, grain="month", where="branch = 'north'"))
    assert [row[0] for row in found.rows] == [dt.date(2026, 3, 1), dt.date(2026, 4, 1)]
    for (start,), row in _by_key(found).items():
        before = whole[(_month_before(start),)]
        assert [row[f"{metric}_before"] for metric in METRICS] == [before[metric] for metric in METRICS]


def test_what_did_not_happen_is_nothing_within_the_data_and_unknown_before_them(store: MetricStore) -> None:
    found = _by_key(compared(store, ["deals_won"], ["rep"], "week", None, "previous_period"))
    first = min(start for start, _ in found if start)
    for (start, rep), row in found.items():
        if start and (start - dt.timedelta(days=7), rep) not in found:
            assert row["deals_won_before"] == (None if start == first else 0)


def test_a_period_that_is_not_over_is_named(store: MetricStore) -> None:
    note = "The month of 2026-06-01 is not over: the data are as of 2026-06-17."
    assert compared(store, ["leads_created"], [], "month", None, "previous_period").notes == (note,)
    past = compared(store, ["leads_created"], [], "month", "metric_time < '2026-06-01'", "previous_period")
    assert past.notes == ()


def test_before_is_what_the_scorecard_says(store: MetricStore, con: duckdb.DuckDBPyConnection) -> None:
    rows = con.sql(
        "select kpi, segment_type, segment, current_value, current_low, current_high, current_n, baseline, baseline_n, difference, "
        "difference_low, difference_high from kpi.kpi_scorecard where from_stage is null"
    ).fetchall()
    checked = []
    for kpi, kind, segment, *expected in rows:
        if kpi not in kpis():
            continue
        answer = compared(store, [kpi], [] if kind == "total" else [kind], None, None, "before")
        row = _by_key(answer)[() if kind == "total" else (segment,)]
        parts = ("", "_low", "_high", "_n", "_before", "_before_n", "_change", "_change_low", "_change_high")
        for part, value in zip(parts, expected, strict=True):
            assert reference.is_same(row.get(f"{kpi}{part}"), value), f"{kpi} {segment}{part}"
        checked.append(kpi)
    assert len(checked) == 7


def test_targets_are_those_of_the_segment_else_of_the_company_and_of_the_stages(store: MetricStore) -> None:
    answer = compared(store, ["win_rate", "deals_won"], ["branch"], None, None, "target")
    rows = _by_key(answer)
    assert {branch: row["win_rate_target"] for (branch,), row in rows.items()} == {
        **dict.fromkeys(["south", "west", None], 0.55),
        "north": 0.5,
    }
    for row in rows.values():
        assert row["win_rate_is_met"] == (row["win_rate"] >= row["win_rate_target"])
        assert row["win_rate_to_target"] == row["win_rate"] - row["win_rate_target"]
        assert row["deals_won_target"] is row["deals_won_to_target"] is row["deals_won_is_met"] is None
    down = _by_key(compared(store, ["speed_to_lead_median_minutes"], [], None, None, "target"))[()]
    assert down["speed_to_lead_median_minutes_is_met"] == (down["speed_to_lead_median_minutes"] <= 15)


@pytest.mark.parametrize(
    ("to", "question", "words"),
    [
        ("previous_period", {}, "say which, for example --grain month"),
        ("before", {"grain": "month"}, "leave --grain and metric_time out"),
        ("before", {"where": "metric_time > '2026-01-01'"}, "leave --grain and metric_time out"),
        ("target", {"metrics": ["leads_created"]}, r"no target \(targets:\) of leads_created"),
        ("yesterday", {}, "Comparisons: previous_period, previous_year, before, target"),
    ],
)
def test_what_can_not_be_compared_is_said(store: MetricStore, to: str, question: dict[str, Any], words: str) -> None:
    asked = {"metrics": ["win_rate"], "by": [], "grain": None, "where": None} | question
    with pytest.raises(ConfigurationError, match=words):
        compared(store, to=to, **asked)
