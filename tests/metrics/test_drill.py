"""What is behind a number: as many rows as its n, which add up to it; and what is said of how it is computed."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pytest

from metrics import MetricStore
from salesgauge.errors import ConfigurationError
from salesgauge.kpis import kpis
from tests.metrics import reference


def _value(kind: str, rows: list[dict[str, Any]]) -> float | None:
    """The statistic of a kind over the rows, as macros/kpis.sql says in words."""
    if kind == "count":
        return len(rows)
    if kind in ("share", "odds"):
        counted = sum(row["is_counted"] for row in rows)
        return counted / (len(rows) if kind == "share" else len(rows) - counted)
    if kind in ("weighted", "quotient"):
        return float(sum(row["numerator"] for row in rows)) / float(sum(row["denominator"] for row in rows))
    values = [float(row["value"]) for row in rows]
    if kind == "sum":
        return sum(values)
    if kind in ("median", "p90"):
        return float(np.quantile(values, 0.5 if kind == "median" else 0.9))
    return float(np.mean(values))


@pytest.mark.parametrize("name", [name for name, kpi in kpis().items() if kpi.kind != "per"])
def test_the_rows_add_up_to_the_number(store: MetricStore, name: str) -> None:
    level = "level" in kpis()[name].defaults
    where = "branch = 'north'" if level else "branch = 'north' and metric_time >= '2026-02-01'"
    answer = store.ask([name], where=where)
    found = dict(zip(answer.names, answer.rows[0], strict=True))
    drilled = store.drill(name, where=where)
    rows = [dict(zip(drilled.names, row, strict=True)) for row in drilled.rows]
    assert len(rows) == found.get(f"{name}_n", found[name]) > 0
    assert len(drilled.names) == len(set(drilled.names))
    assert reference.is_same(_value(kpis()[name].kind, rows), float(found[name]))


def test_rows_are_named_and_grouped_as_they_are_asked_for(store: MetricStore, con: duckdb.DuckDBPyConnection) -> None:
    answer = store.drill("stage_conversion_rate", by=["rep", "from_stage"], grain="month")
    assert answer.names == [
        "lead_id",
        "deal_id",
        "from_stage",
        "to_stage",
        "month",
        "rep",
        "entered_date",
        "is_counted",
    ]
    days = [row[6] for row in answer.rows if row[6] is not None]
    assert days == sorted(days, reverse=True)
    assert all(row[4] is None if row[6] is None else row[4] == row[6].replace(day=1) for row in answer.rows)
    (expected,) = con.sql("select count(*) from marts.fct_stage_conversion where is_next_stage").fetchall()
    assert (len(answer.rows),) == expected


def test_what_has_no_rows_of_its_own_is_said(store: MetricStore) -> None:
    with pytest.raises(ConfigurationError, match="drill into deals_won or leads_created"):
        store.drill("period_conversion_rate")
    with pytest.raises(ConfigurationError, match="a part of another metric"):
        store.drill("closed_amount")
    with pytest.raises(ConfigurationError, match="no dimension 'moon'"):
        store.drill("win_rate", by=["moon"])


def test_an_explanation_has_the_definition_and_sql_that_gives_the_answer(
    store: MetricStore, con: duckdb.DuckDBPyConnection
) -> None:
    question: dict[str, Any] = {"by": ["rep"], "grain": "month", "where": "service_line = 'hvac'"}
    for name in ("sales_cycle_days_median", "deals_won", "win_rate_by_amount"):
        one, answer = store.explain(name, **question), store.ask([name], **question)
        again = [[None if row[0] is None else row[0].date(), *row[1:]] for row in con.sql(one.sql).fetchall()]
        assert sorted(map(str, again)) == sorted(map(str, answer.rows)) and len(again) > 5
        assert one.version == "version-1"
    assert store.explain("win_rate").declared["definition"] == kpis()["win_rate"].definition
    assert store.explain("win_rate").declared["version"] == 1
