"""Several metrics in one answer, and its order."""

from __future__ import annotations

import duckdb
import pytest

from metrics import MetricStore
from metrics.answers import Answer, Column, merged
from salesgauge.errors import ConfigurationError


def _counts(name: str, rows: list[list]) -> Answer:
    return Answer((Column("rep"), Column(name, "value", name, "count", is_sum=True)), rows)


def _shares(name: str, rows: list[list]) -> Answer:
    columns = (
        Column(name, "value", name, "share"),
        Column(f"{name}_n", "n", name),
        Column(f"{name}_is_low_n", "is_low_n", name),
    )
    return Answer((Column("rep"), *columns), rows)


def test_metrics_stand_beside_each_other_by_key_and_no_group_is_lost_or_doubled() -> None:
    answer = merged(
        [_counts("won", [["Ann", 2], [None, 1]]), _shares("rate", [["Ben", 0.5, 40, False], [None, 0.25, 4, True]])]
    )
    assert answer.names == ["rep", "won", "rate", "rate_n", "rate_is_low_n"]
    assert answer.rows == [["Ann", 2, None, 0, True], ["Ben", 0, 0.5, 40, False], [None, 1, 0.25, 4, True]]


def test_a_mean_of_nothing_is_not_known_and_a_sum_of_nothing_is_0(store: MetricStore) -> None:
    """Both are money: what there is when there is nothing depends on the statistic."""
    answer = store.ask(["leads_created", "average_ticket", "won_amount"], by=["rep"], grain="day")
    place = {name: number for number, name in enumerate(answer.names)}
    without = [row for row in answer.rows if not row[place["average_ticket_n"]]]
    assert without and all(row[place["average_ticket"]] is None for row in without)
    found = {row[place["won_amount"]] for row in without}
    assert found == {0}


def test_order_is_by_the_named_columns_and_null_is_last() -> None:
    answer = _counts("won", [["a", 1], ["b", None], ["c", 3], ["d", 3]])
    assert [row[0] for row in answer.sorted_by(["-won"]).rows] == ["c", "d", "a", "b"]
    assert [row[0] for row in answer.sorted_by(["won", "-rep"]).rows] == ["a", "d", "c", "b"]
    with pytest.raises(ConfigurationError, match="no column 'wonn' to sort by; did you mean 'won'"):
        answer.sorted_by(["-wonn"])


def test_what_is_cut_off_is_said() -> None:
    answer = _counts("won", [["a", 1], ["b", 2]])
    assert (answer.first(1).rows, answer.first(1).notes) == ([["a", 1]], ("1 of 2 rows.",))
    assert answer.first(2) == answer


def test_several_metrics_are_each_what_they_are_alone(store: MetricStore, con: duckdb.DuckDBPyConnection) -> None:
    metrics = ["win_rate", "leads_created", "period_conversion_rate", "nps"]
    together = store.ask(metrics, by=["rep"], grain="month", where="branch is not null")
    keys = [tuple(row[:2]) for row in together.rows]
    assert len(set(keys)) == len(keys) and any(rep is None for _, rep in keys)
    place = together.keys
    for metric in metrics:
        alone = store.ask([metric], by=["rep"], grain="month", where="branch is not null")
        size = len(alone.names) - 2
        found = {tuple(row[:2]): row[place : place + size] for row in together.rows}
        assert {key: found[key] for key in (tuple(row[:2]) for row in alone.rows)} == {
            tuple(row[:2]): row[2:] for row in alone.rows
        }
        assert together.names[place : place + size] == alone.names[2:]
        place += size
    assert place == len(together.names)


def test_no_metric_and_one_twice_are_refused(store: MetricStore) -> None:
    with pytest.raises(ConfigurationError, match="No metric"):
        store.ask([])
    with pytest.raises(ConfigurationError, match="win_rate is asked for twice"):
        store.ask(["win_rate", "nps", "win_rate"])


def test_n_is_of_the_rows_that_the_condition_leaves(store: MetricStore, con: duckdb.DuckDBPyConnection) -> None:
    answer = store.ask(["win_rate", "crm_completeness"], where="rep = 'Rep A' and metric_time >= '2026-03-01'")
    (row,) = answer.rows
    won = con.sql(
        "select count(*) from marts.fct_closed_deal where rep = 'Rep A' and closed_date >= '2026-03-01'"
    ).fetchone()
    records = con.sql(
        "select count(*) from marts.fct_record_completeness where rep = 'Rep A' and created_date >= '2026-03-01'"
    ).fetchone()
    found = dict(zip(answer.names, row, strict=True))
    assert won and records and (found["win_rate_n"], found["crm_completeness_n"]) == (won[0], records[0])


def test_completeness_of_a_field_has_an_n_and_an_interval_too(
    store: MetricStore, con: duckdb.DuckDBPyConnection
) -> None:
    answer = store.ask(["crm_completeness", "crm_complete_record_rate"], by=["object", "stage", "field"])
    mart = con.sql(
        "select object, stage, field, completeness, n, low, high from kpi.kpi_crm_completeness_by_field where period_grain = 'all' and segment_type = 'total'"
    ).fetchall()
    records = {tuple(row[:3]): row[3:] for row in mart}
    rate, n, low, high = (answer.names.index(f"crm_complete_record_rate{part}") for part in ("", "_n", "_low", "_high"))
    for row in answer.rows:
        assert [row[rate], row[n], row[low], row[high]] == pytest.approx(list(records[tuple(row[:3])])), row
        assert row[answer.names.index("crm_completeness_n")] == row[n]
    assert len(answer.rows) == len(records) > 5
