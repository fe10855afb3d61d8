"""The verdict: what stops publishing, that it says why in words that help, and what it leaves in the warehouse."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from datetime import timedelta
from types import ModuleType

import duckdb
import pytest

import quality
from quality import AuditOutcome, DbtTestResult
from quality.scores import write_scores
from salesgauge.settings import Company

Audit = Callable[..., AuditOutcome]


@pytest.fixture
def audit(con: duckdb.DuckDBPyConnection, company: Company, small: ModuleType) -> Audit:
    def run(*dbt_results: object) -> AuditOutcome:
        return quality.audit(con, company, as_of=small.AS_OF, dbt_results=dbt_results)

    return run


def test_a_sound_warehouse_passes(audit: Audit, con: duckdb.DuckDBPyConnection) -> None:
    [(before,)] = con.execute("select count(*) from duckdb_tables()").fetchall()
    outcome = audit(DbtTestResult("unique_deal", "fct_deal", "pass", 0, "error", ""))
    assert outcome.passed and outcome.failures == ()
    assert outcome.scores == {"completeness": 0.6, "validity": 0.0, "uniqueness": 1.0, "timeliness": 0.9}
    assert outcome.volumes["hubspot"] == {"leads": 120, "deals": 60, "activities": 120}
    written = con.execute(
        "select count(*), count(*) filter (where passed), count(distinct origin) from quality.checks"
    ).fetchone()
    assert written == (len(outcome.checks), len(outcome.checks) - len(outcome.warnings), 3)
    assert pickle.loads(pickle.dumps(outcome)) == outcome
    after = con.execute("select count(*) from duckdb_tables()").fetchall()
    assert after == [(before + 2,)], "scores and checks, nothing temporary"
    listed = dict(quality.audit_checks())
    assert len(listed) == len(quality.audit_checks())
    assert all(listed[check.suite] == check.table for check in outcome.checks if check.origin == "gx")


def test_everything_that_is_wrong_is_said_at_once(audit: Audit, con: duckdb.DuckDBPyConnection) -> None:
    con.execute("update kpi.kpi_volume set leads_created = 35")
    con.execute("update raw_log.loads set loaded = 59 where table_name = 'deals'")
    con.execute("update intermediate.int_leads set email = 'nobody' where lead_id < 'hubspot:1010'")
    outcome = audit(
        DbtTestResult("unique_deal", "fct_deal", "fail", 3, "error", "Got 3 results"),
        DbtTestResult("builds", "kpi_volume", "error", 1, "error", "Binder Error: no such column"),
        DbtTestResult("not_null_rep", "fct_lead", "warn", 7, "warn", ""),
        *(DbtTestResult(f"t{i}", f"kpi_{i % 7}", "skipped", 0, "error", "") for i in range(9)),
    )
    assert not outcome.passed
    assert [str(failure).removesuffix(f". {failure.action}") for failure in outcome.failures] == [
        "fct_deal: the dbt test unique_deal failed (3 rows)",
        "kpi_volume: the dbt test builds could not be run (Binder Error: no such column)",
        "kpi.kpi_volume: in_marts_equals_in_kpis: 1 of 4 rows fail (25.0%), expected in_marts = in_kpis; e.g. leads total",
        "raw_log.loads: accounting: does not add up in hubspot.deals, expected received = loaded + quarantined + duplicates (1 row)",
        "kpi_0, kpi_1, kpi_2, kpi_3, kpi_4 and 2 more: 9 dbt tests were not run",
    ]
    assert {"email_format", "not_null_rep"} <= {check.name for check in outcome.warnings}
    assert not any(failure.action == "" for failure in outcome.failures)
    [stored] = con.execute(
        "select severity, failing_rows, examples from quality.checks where name = 'email_format'"
    ).fetchall()
    assert stored[:2] == ("warn", 10) and "hubspot:…000" in stored[2]


def test_the_version_before_is_what_is_compared_with(
    con: duckdb.DuckDBPyConnection, company: Company, small: ModuleType
) -> None:
    outcome = quality.audit(con, company, as_of=small.AS_OF, dbt_results=[])
    con.close()
    quality.publish(company, as_of=small.AS_OF, audit=outcome, semantic_manifest=small.semantic_manifest(company))
    again = small.connect(company.warehouse_file)
    again.execute("delete from intermediate.int_survey_answers where response_id > 'typeform:r2'")
    again.execute("delete from marts.fct_stage_visit")
    later = small.AS_OF + timedelta(hours=1)
    failures = quality.audit(again, company, as_of=later, dbt_results=[]).failures
    assert [failure.where for failure in failures] == ["kpi.kpi_reconciliation", "marts.fct_stage_visit"]
    assert "typeform survey_answers" in failures[0].what and "0 rows" in failures[1].what
    (company.root / ".dlt" / "config.toml").write_text(
        '[salesgauge]\naccept_volume_drop = "typeform"\naccept_empty = ["fct_stage_visit"]'
    )
    assert quality.audit(again, Company.open(company.root, environ={}), as_of=later, dbt_results=[]).passed
    again.close()


def test_a_model_is_to_blame_only_where_the_same_data_passed_before(
    con: duckdb.DuckDBPyConnection, company: Company, small: ModuleType
) -> None:
    def action_of(con: duckdb.DuckDBPyConnection) -> str:
        failures = quality.audit(con, company, as_of=small.AS_OF, dbt_results=[]).failures
        return next(failure.action for failure in failures if failure.where == "kpi.kpi_volume")

    defect = "update kpi.kpi_volume set leads_created = 119"
    con.execute("begin transaction")
    con.execute(defect)
    assert "mistake of a model" not in action_of(con) and "salesgauge show KEY" in action_of(con)
    con.execute("rollback")
    outcome = quality.audit(con, company, as_of=small.AS_OF, dbt_results=[])
    con.close()
    quality.publish(company, as_of=small.AS_OF, audit=outcome, semantic_manifest=small.semantic_manifest(company))
    with small.connect(company.warehouse_file) as again:
        again.execute(defect)
        assert "The same data passed before: this is a mistake of a model" in action_of(again)
        again.execute("update raw_log.loads set loaded_at = loaded_at + interval 1 hour where source = 'hubspot'")
        assert "mistake of a model" not in action_of(again), "other data"
        again.execute("update raw_log.loads set loaded_at = loaded_at - interval 1 hour where source = 'hubspot'")
        again.execute("update process.stages set days_in_stage = 9")
        assert "mistake of a model" not in action_of(again), "another process"


def test_scores_are_those_of_the_kpi(con: duckdb.DuckDBPyConnection) -> None:
    write_scores(con)
    query = (
        "select level, count(*), min(score) from quality.scores where dimension = 'completeness' group by 1 order by 1"
    )
    assert con.execute(query).fetchall() == [
        ("field", 2, 0.0), ("owner", 1, 0.6), ("record", 120, 0.6), ("source", 1, 0.6), ("stage", 1, 0.6), ("total", 1, 0.6),
    ]  # fmt: skip
    phone = "select score, n from quality.scores where level = 'field' and key = 'phone' and dimension = 'completeness'"
    assert con.execute(phone).fetchall() == [(1.0, 120)]


def test_scores_of_a_company_without_records_are_empty(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("delete from marts.fct_field_completeness")
    con.execute("delete from kpi.kpi_crm_completeness")
    assert write_scores(con) == {"completeness": None, "validity": None, "uniqueness": None, "timeliness": None}
    assert con.execute("select count(*) from quality.scores").fetchone() == (0,)


def test_scores_without_their_tables_are_empty_too(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("drop table kpi.kpi_crm_completeness")
    assert set(write_scores(con).values()) == {None}


@pytest.mark.parametrize("table", ["intermediate.int_leads", "kpi.kpi_win_loss", "process.branches"])
def test_a_missing_table_is_a_failure_not_a_crash(audit: Audit, con: duckdb.DuckDBPyConnection, table: str) -> None:
    con.execute(f"drop table {table}")
    outcome = audit()
    assert not outcome.passed
    assert any(table in str(failure) for failure in outcome.failures)
