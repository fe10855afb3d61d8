"""Every KPI of a published version equals the truth that is computed from the event log: marts in all their rows, and metrics."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from demo.truth import METRICS
from metrics import MetricStore
from salesgauge.errors import ConfigurationError
from salesgauge.warehouse import open_published
from tests.e2e.comparison import differences
from tests.e2e.conftest import Published
from tests.e2e.truth_metrics import QUERIES, Answers, without_nothing
from tests.e2e.truth_tables import TABLES, compare


@pytest.mark.parametrize("table", TABLES)
def test_a_mart_equals_the_truth(published: Published, table: str) -> None:
    assert len(published.truth.mart(table)) > 0
    assert compare(published.truth, published.pointer, table) == ""


def test_every_mart_is_compared(published: Published) -> None:
    with open_published(published.pointer) as con:
        marts = {
            row[0] for row in con.sql("select table_name from duckdb_tables() where schema_name = 'kpi'").fetchall()
        }
        assert con.sql("select count(*) from kpi.kpi_unmapped_stages").fetchall() == [(0,)]
    assert marts - set(TABLES) == {
        "kpi_accounting", "kpi_contradictions", "kpi_left_out", "kpi_unmapped_stages", "kpi_unmapped_values",
    }  # fmt: skip


def test_every_row_is_accounted_for(published: Published) -> None:
    with open_published(published.pointer) as con:
        differing = con.execute(
            'select source, entity, sum(case when reason = \'received\' then "rows" else -"rows" end) from kpi.kpi_accounting group by all having sum(case when reason = \'received\' then "rows" else -"rows" end) <> 0'
        ).fetchall()
        counted = dict(
            con.execute('select entity, sum("rows") from kpi.kpi_accounting where is_counted group by all').fetchall()
        )
        marts = {
            "leads": "select count(*) from marts.fct_lead",
            "deals": "select count(*) from marts.fct_deal",
            # an inbound call of nobody who is known is no activity of a record, and counts all the same
            "activities": "select count(*) from (select activity_id from marts.fct_activity union select call_id from marts.fct_call)",
            "web_events": "select sum(events) from marts.fct_web_session",
            "survey_answers": "select count(*) from marts.fct_survey_response where nps_score is not null or csat_score is not null",
            "users": "select count(*) from marts.dim_user",
        }
        found = {entity: con.execute(sql).fetchall()[0][0] for entity, sql in marts.items()}
    assert differing == []
    assert {entity: counted.get(entity, 0) for entity in marts} == found


def test_every_row_says_when_and_by_which_definition(published: Published) -> None:
    with open_published(published.pointer) as con:
        for table in TABLES:
            if table.startswith("kpi_"):
                stamps = con.sql(f"select distinct definition_version, as_of from kpi.{table}").fetchall()
                assert stamps == [(1, published.log.as_of)], table


MOMENTS = {"fct_lead": "created", "fct_deal": "created", "fct_closed_deal": "closed", "fct_speed_to_lead": "created", "fct_call": "called",
           "fct_stage_conversion": "entered", "fct_survey_response": "submitted"}  # fmt: skip


@pytest.mark.parametrize("fact", MOMENTS)
def test_hour_and_weekday_are_those_of_the_branchs_clock(published: Published, fact: str) -> None:
    """By Python's own zones. At midnight the company's systems write what is known to the day only, so a moment then has no hour."""
    name = MOMENTS[fact]
    with open_published(published.pointer) as con:
        zones = dict(con.sql("select branch, timezone from process.branches").fetchall())
        ((company,),) = con.sql("select timezone from process.run").fetchall()
        rows = con.sql(
            f"select {name}_at, branch, {name}_date, {name}_hour, {name}_weekday from marts.{fact}"
        ).fetchall()
    hours = 0
    for at, branch, day, hour, weekday in rows:
        if at is None:
            assert hour is None and weekday is None
            continue
        utc = at.replace(tzinfo=UTC)
        local = utc.astimezone(ZoneInfo(zones.get(branch) or company))
        if utc.astimezone(ZoneInfo(company)).time() == time():
            assert hour is None
            continue
        assert (day, hour, weekday) == (local.date(), local.hour, local.isoweekday())
        hours += 1
    assert hours > 0.9 * len(rows) > 0


def test_questions_by_hour_and_weekday_are_answered_of_every_fact_with_a_moment(store: MetricStore) -> None:
    for metric in (
        "leads_created",
        "deals_created",
        "win_rate",
        "speed_to_lead_median_minutes",
        "stage_conversion_rate",
        "nps",
        "call_answer_rate_all_hours",
    ):
        answer = store.ask([metric], by=["weekday", "hour"])
        total = store.ask([metric])
        assert {row[0] for row in answer.rows} >= {1, 5} and all(
            row[1] is None or 0 <= row[1] <= 23 for row in answer.rows
        )
        n = f"{metric}_n" if f"{metric}_n" in answer.names else metric
        assert sum(row[answer.names.index(n)] for row in answer.rows) == total.rows[0][total.names.index(n)]
    with pytest.raises(ConfigurationError, match="has no dimension 'hour'"):
        store.ask(["crm_completeness"], by=["hour"])


@pytest.fixture(scope="module")
def store(published: Published, questions: Path) -> Iterator[MetricStore]:
    with MetricStore(published.pointer, questions) as opened:
        yield opened


def test_every_metric_is_compared(store: MetricStore) -> None:
    assert {metric.name for metric in store.list()} <= set(METRICS)


@pytest.fixture(scope="module")
def answers(published: Published) -> Answers:
    return Answers(published.truth)


@pytest.mark.parametrize("metric", [name for name, columns in METRICS.items() if columns.is_asked])
def test_a_metric_equals_the_truth(answers: Answers, store: MetricStore, metric: str) -> None:
    account = {}
    for query in QUERIES:
        if query.fits(metric):
            found = store.query(metric, by=query.by_of(metric), grain=query.grain, where=query.where)
            found = found.rename(columns={metric: "value"})
            expected = answers.expected(metric, query)
            account[str(query)] = differences(
                without_nothing(metric, expected, found),
                without_nothing(metric, found, expected),
                list(found.columns[:-1]),
            )
    assert len(account) >= 2
    assert {query: text for query, text in account.items() if text} == {}
