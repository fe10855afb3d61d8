"""The gate: what stops publishing, and that it says why in words that help."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import ModuleType

import duckdb
import pytest

import quality
from quality import AuditOutcome, DbtTestResult
from salesgauge.errors import ConfigurationError
from salesgauge.settings import Company

Audit = Callable[..., AuditOutcome]


@pytest.fixture
def audit(con: duckdb.DuckDBPyConnection, company: Company, small: ModuleType) -> Audit:
    def run(*dbt_results: object, company: Company = company) -> AuditOutcome:
        return quality.audit(con, company, as_of=small.AS_OF, dbt_results=dbt_results)

    return run


def _result(status: str, severity: str = "error", failures: int = 3, message: str = "") -> DbtTestResult:
    return DbtTestResult("unique_fct_deal_deal_id", "fct_deal", status, failures, severity, message)


def test_a_sound_warehouse_passes(audit: Audit, con: duckdb.DuckDBPyConnection) -> None:
    outcome = audit(_result("pass", failures=0))
    assert outcome.passed and outcome.failures == ()
    assert outcome.scores == {"completeness": 0.6, "validity": 0.0, "uniqueness": 1.0, "timeliness": 0.9}
    assert outcome.volumes["hubspot"] == {"leads": 120, "deals": 60, "activities": 120}
    written = con.execute(
        "select count(*), count(*) filter (where passed), count(distinct origin) from quality.checks"
    ).fetchone()
    assert written == (len(outcome.checks), len(outcome.checks) - len(outcome.warnings), 3)
    assert pickle.loads(pickle.dumps(outcome)) == outcome


@pytest.mark.parametrize(
    ("status", "words"), [("fail", "failed"), ("error", "could not be run"), ("skipped", "was not run")]
)
def test_a_dbt_test_that_did_not_pass_stops(audit: Audit, status: str, words: str) -> None:
    outcome = audit(_result(status))
    assert not outcome.passed
    (failure,) = outcome.failures
    assert "fct_deal" in str(failure) and "unique_fct_deal_deal_id" in str(failure) and words in str(failure)
    assert ("3 rows" in str(failure)) == (status == "fail")


def test_a_dbt_warning_does_not_stop(audit: Audit) -> None:
    outcome = audit(_result("warn", severity="warn"), _result("fail", severity="warn"))
    assert outcome.passed
    assert len([check for check in outcome.warnings if check.origin == "dbt"]) == 2


def test_a_broken_test_stops_even_as_a_warning(audit: Audit) -> None:
    outcome = audit(_result("error", severity="warn", message="Binder Error: no such column"))
    assert not outcome.passed
    assert "no such column" in str(outcome.failures[0])


def test_dbt_results_may_be_mappings_or_any_object(audit: Audit) -> None:
    @dataclass
    class Other:
        name: str = "t"
        table: str = "fct_lead"
        status: str = "FAIL"
        failures: int = 1
        severity: str = "ERROR"
        message: str = ""

    mapping = {
        "name": "m",
        "table": "fct_lead",
        "status": "fail",
        "failures": None,
        "severity": "error",
        "message": None,
    }
    outcome = audit(Other(), mapping)
    assert [(failure.where, failure.count) for failure in outcome.failures] == [("fct_lead", 1), ("fct_lead", None)]


def test_an_expectation_of_severity_error_stops_and_a_warning_does_not(
    audit: Audit, con: duckdb.DuckDBPyConnection
) -> None:
    con.execute("update intermediate.int_leads set email = 'nobody' where lead_id < 'hubspot:1010'")
    outcome = audit()
    assert outcome.passed and "email_format" in {check.name for check in outcome.warnings}
    con.execute("update kpi.kpi_win_loss set win_rate = 35")
    outcome = audit()
    assert not outcome.passed
    (failure,) = outcome.failures
    assert failure.where == "kpi.kpi_win_loss" and failure.count == 1
    assert "win_rate_in_range" in failure.what and failure.action


def test_rows_that_got_lost_stop(audit: Audit, con: duckdb.DuckDBPyConnection) -> None:
    con.execute("update raw_log.loads set loaded = 59 where table_name = 'deals'")
    (failure,) = audit().failures
    assert failure.where == "raw_log.loads" and "hubspot.deals" in failure.what


def test_a_quarantine_without_its_rows_stops(audit: Audit, con: duckdb.DuckDBPyConnection) -> None:
    con.execute("delete from raw_log.quarantine")
    (failure,) = audit().failures
    assert failure.where == "raw_log.quarantine" and "hubspot.contacts" in failure.what


def test_a_missing_accounting_stops(audit: Audit, con: duckdb.DuckDBPyConnection) -> None:
    con.execute("drop table raw_log.loads")
    assert [failure.where for failure in audit().failures] == ["raw_log.loads"]


def _bad_load(
    con: duckdb.DuckDBPyConnection, received: int, quarantined: int, load: str = "2.0", hour: int = 9
) -> None:
    con.execute(
        "insert into raw_log.loads values ('hubspot', ?, timestamp '2026-06-30' + to_hours(?), 'deals', ?, ?, ?, 0, null)",
        [load, hour, received, received - quarantined, quarantined],
    )
    con.execute(
        "insert into raw_log.quarantine select 'hubspot', ?, timestamp '2026-06-30', 'deals', 'amount' from range(?)",
        [load, quarantined],
    )


@pytest.mark.parametrize(
    ("received", "quarantined", "passes"), [(50, 11, False), (50, 10, True), (49, 49, True), (1000, 201, False)]
)
def test_too_large_a_share_of_quarantine_stops(
    audit: Audit, con: duckdb.DuckDBPyConnection, received: int, quarantined: int, passes: bool
) -> None:
    _bad_load(con, received, quarantined)
    outcome = audit()
    assert outcome.passed is passes
    if not passes:
        (failure,) = outcome.failures
        assert failure.where == "hubspot.deals" and failure.count == quarantined
        assert f"{quarantined:,} of {received:,}" in failure.what and "raw_log.quarantine" in failure.action


def test_the_limit_of_quarantine_is_a_setting(
    audit: Audit, con: duckdb.DuckDBPyConnection, tmp_path: Path, small: ModuleType
) -> None:
    _bad_load(con, 100, 60)
    assert not audit(company=small.make_company(tmp_path / "a", "max_quarantine_share = 0.5")).passed
    assert audit(company=small.make_company(tmp_path / "b", "max_quarantine_share = 0.6")).passed
    with pytest.raises(ConfigurationError, match="max_quarantine_share = 20"):
        audit(company=small.make_company(tmp_path / "c", "max_quarantine_share = 20"))


def test_a_repaired_load_does_not_stop_for_ever(audit: Audit, con: duckdb.DuckDBPyConnection) -> None:
    _bad_load(con, 100, 60, "2.0", hour=9)
    assert not audit().passed
    _bad_load(con, 10, 0, "3.0", hour=10)
    assert not audit().passed, "a small load repairs nothing"
    _bad_load(con, 100, 1, "4.0", hour=11)
    assert audit().passed


def _publish(
    company: Company, small: ModuleType, outcome: AuditOutcome, con: duckdb.DuckDBPyConnection
) -> duckdb.DuckDBPyConnection:
    con.close()
    quality.publish(company, as_of=small.AS_OF, audit=outcome, semantic_manifest=small.semantic_manifest(company))
    return small.connect(company.warehouse_file)


def test_a_load_that_was_accepted_once_is_accepted(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, small: ModuleType
) -> None:
    company = small.make_company(tmp_path / "accepts", "max_quarantine_share = 1")
    again = small.fill(company)
    _bad_load(again, 100, 60)
    outcome = quality.audit(again, company, as_of=small.AS_OF, dbt_results=[])
    again = _publish(company, small, outcome, again)
    (company.root / ".dlt" / "config.toml").write_text("")
    strict = Company.open(company.root, environ={})
    assert quality.audit(again, strict, as_of=small.AS_OF, dbt_results=[]).passed
    _bad_load(again, 100, 60, "5.0", hour=12)
    assert not quality.audit(again, strict, as_of=small.AS_OF, dbt_results=[]).passed
    again.close()


@pytest.fixture
def published(company: Company, con: duckdb.DuckDBPyConnection, small: ModuleType) -> duckdb.DuckDBPyConnection:
    """The warehouse after its first version was published."""
    return _publish(company, small, quality.audit(con, company, as_of=small.AS_OF, dbt_results=[]), con)


def _again(con: duckdb.DuckDBPyConnection, company: Company, small: ModuleType) -> AuditOutcome:
    return quality.audit(con, company, as_of=small.AS_OF + timedelta(hours=1), dbt_results=[])


def test_an_emptied_or_missing_mart_stops(
    published: duckdb.DuckDBPyConnection, company: Company, small: ModuleType
) -> None:
    assert _again(published, company, small).passed
    published.execute("delete from marts.fct_stage_visit")
    (failure,) = _again(published, company, small).failures
    assert failure.where == "marts.fct_stage_visit" and "0 rows" in failure.what and "120" in failure.what
    published.execute("drop table marts.fct_stage_visit")
    whats = [
        failure.what
        for failure in _again(published, company, small).failures
        if failure.where == "marts.fct_stage_visit"
    ]
    assert len(whats) == 2 and any("can't be read" in what for what in whats)
    published.close()


def test_a_mart_that_may_be_empty_is_accepted(
    published: duckdb.DuckDBPyConnection, company: Company, small: ModuleType
) -> None:
    published.execute("delete from marts.fct_stage_visit")
    (company.root / ".dlt" / "config.toml").write_text('[salesgauge]\naccept_empty = ["marts.fct_stage_visit"]')
    assert _again(published, Company.open(company.root, environ={}), small).passed
    published.close()


def test_a_source_that_dropped_stops(published: duckdb.DuckDBPyConnection, company: Company, small: ModuleType) -> None:
    published.execute("delete from intermediate.int_survey_answers where response_id > 'typeform:r2'")
    published.execute("delete from marts.fct_survey_response where response_id > 'typeform:r2'")
    published.execute("update kpi.kpi_satisfaction set nps_n = (select count(*) from marts.fct_survey_response)")
    (failure,) = _again(published, company, small).failures
    assert "share_of_before" in failure.what and "typeform survey_answers" in failure.what
    (company.root / ".dlt" / "config.toml").write_text('[salesgauge]\naccept_volume_drop = "typeform"')
    assert _again(published, Company.open(company.root, environ={}), small).passed
    published.close()


def test_scores_are_those_of_the_kpi(audit: Audit, con: duckdb.DuckDBPyConnection) -> None:
    audit()
    levels = con.execute(
        "select level, count(*) from quality.scores where dimension = 'completeness' group by 1 order by 1"
    ).fetchall()
    assert levels == [("field", 2), ("owner", 1), ("record", 120), ("source", 1), ("stage", 1), ("total", 1)]
    total, source = con.execute(
        "select max(score) filter (where level = 'total'), max(score) filter (where level = 'source') from quality.scores where dimension = 'completeness'"
    ).fetchone()
    assert total == pytest.approx(source) == pytest.approx(0.6)
    phone = con.execute(
        "select score, n from quality.scores where level = 'field' and key = 'phone' and dimension = 'completeness'"
    ).fetchall()
    assert phone == [(1.0, 120)]


def test_scores_of_a_company_without_records_are_empty(audit: Audit, con: duckdb.DuckDBPyConnection) -> None:
    con.execute("delete from marts.fct_field_completeness")
    con.execute("delete from kpi.kpi_crm_completeness")
    outcome = audit()
    assert outcome.scores == {"completeness": None, "validity": None, "uniqueness": None, "timeliness": None}
    assert con.execute("select count(*) from quality.scores").fetchone() == (0,)


def test_every_suite_is_listed_for_the_asset_checks(audit: Audit) -> None:
    listed = dict(quality.audit_checks())
    assert len(listed) == len(quality.audit_checks())
    for check in audit().checks:
        if check.origin == "gx":
            assert listed[check.suite] == check.table


def test_nothing_temporary_stays_in_the_warehouse(audit: Audit, con: duckdb.DuckDBPyConnection) -> None:
    before = con.execute("select count(*) from duckdb_tables() where schema_name <> 'quality'").fetchone()
    audit()
    assert con.execute("select count(*) from duckdb_tables() where schema_name <> 'quality'").fetchone() == before
