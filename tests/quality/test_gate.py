"""The checks of the gate itself: dbt's tests, balances, quarantine, emptied tables."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import duckdb
import pytest

from quality import Check, DbtTestResult
from quality.audit import dbt_failures
from quality.gate import balances, dbt_check, emptied, nothing_loaded, quarantine, refused_files, safe_message
from quality.rules import rule_of
from salesgauge.errors import ConfigurationError
from salesgauge.settings import Company


def _failed(checks: list[Check]) -> list[Check]:
    assert all(check.action and check.expected and check.observed for check in checks)
    return [check for check in checks if not check.passed]


@pytest.mark.parametrize(
    ("status", "severity", "passed", "stops", "words"),
    [
        ("pass", "error", True, False, "pass"),
        ("fail", "error", False, True, "failed"),
        ("error", "error", False, True, "could not be run"),
        ("error", "warn", False, True, "could not be run"),
        ("skipped", "error", False, True, "was not run"),
        ("warn", "warn", False, False, "warn"),
        ("fail", "warn", False, False, "failed"),
    ],
)
def test_what_a_dbt_test_means(status: str, severity: str, passed: bool, stops: bool, words: str) -> None:
    check = dbt_check(DbtTestResult("unique_fct_deal", "fct_deal", status, 3, severity, ""))
    assert (check.passed, check.severity == "error" and not check.passed) == (passed, stops)
    assert check.observed == words
    assert check.failing_rows == (3 if status in ("fail", "warn") else None)


def test_a_failed_dbt_test_says_its_rule_and_names_three_rows(con: duckdb.DuckDBPyConnection) -> None:
    sql = "select lead_id, created_at, 'jane@example.com' as email, 'inquiry' as stage, 2 as copies from marts.fct_lead order by lead_id"
    rule = rule_of("grain", {"columns": ["lead_id"]})
    result = DbtTestResult("grain_fct_lead", "fct_lead", "fail", 120, "error", "", rule, sql)
    check = dbt_check(result, con)
    assert check.expected == "lead_id is never empty and names one row" and len(check.examples) == 3
    assert check.examples[0] == "lead_id=hubspot:…000 created_at=2026-01-01 email=… stage=inquiry copies=2"
    (failure,) = dbt_failures([result])
    assert str(failure).startswith(
        "fct_lead: lead_id is never empty and names one row: the dbt test grain_fct_lead failed (120 rows)."
    )
    assert dbt_check(replace(result, sql="select nothing"), con).examples == ()
    assert dbt_check(replace(result, status="pass"), con).examples == ()


@pytest.mark.parametrize(
    ("kind", "arguments", "sql", "words"),
    [
        ("grain", {"columns": ["a", "b"]}, "", "a, b are never empty and name one row"),
        ("grain", {"columns": ["a", "b"], "nullable": True}, "", "a, b together name one row"),
        ("accepted_values", {"column_name": "kind", "values": ["won", "lost"]}, "", "kind is one of: won, lost"),
        ("relationships", {"column_name": "lead_id", "to": "ref('fct_lead')", "field": "lead_id"}, "", "every lead_id is a lead_id of fct_lead"),
        ("within", {"columns": ["low", "high"], "low": 0, "high": 1}, "", "low, high are from 0 to 1"),
        ("within", {"columns": ["n"], "low": 0}, "", "n is at least 0"),
        ("holds", {"rule": "flags agree", "sql": "a = b"}, "", "flags agree"),
        ("", {}, "-- A mart has exactly\n-- its rows. And more.\nselect 1", "A mart has exactly its rows"),
        ("something_new", {}, "", ""),
    ],
)  # fmt: skip
def test_the_rule_of_a_test_in_words(kind: str, arguments: dict[str, object], sql: str, words: str) -> None:
    assert rule_of(kind, arguments, sql) == words


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (
            'Runtime Error in model a\n  Binder Error: no column "rep"',
            'Runtime Error in model a Binder Error: no column "rep"',
        ),
        (
            "Conversion Error: Could not convert string 'Jane Doe' to INT32",
            "Conversion Error: Could not convert string '…' to INT32",
        ),
        ("Parser Error near jane@example.com", "Parser Error near …"),
        ("called +1 (312) 555-0134 twice", "called … twice"),
        ("x" * 500, "x" * 240),
    ],
)
def test_messages_hold_no_values(message: str, shown: str) -> None:
    assert safe_message(message) == shown


def test_dbt_results_may_be_mappings_or_any_object() -> None:
    @dataclass
    class Other:
        name: str = "t"
        table: str = "fct_lead"
        status: str = "FAIL"
        failures: int = 1
        severity: str = "ERROR"
        message: str = ""

    mapping = {"name": "t", "table": "fct_lead", "status": "fail", "failures": None, "severity": None, "message": None}
    assert DbtTestResult.of(Other()) == DbtTestResult("t", "fct_lead", "fail", 1, "error", "")
    assert DbtTestResult.of(mapping) == DbtTestResult("t", "fct_lead", "fail", 0, "error", "")


def test_sound_accounting_passes(con: duckdb.DuckDBPyConnection, company: Company) -> None:
    checks = [*balances(con), *quarantine(con, company, None)]
    assert [check.name for check in checks] == ["accounting", "quarantine_kept", *["quarantine_share"] * 3]
    assert not _failed(checks)


@pytest.mark.parametrize("change", ["loaded = 59", "received = null", "loaded = 61, duplicates = -1"])
def test_rows_that_got_lost(con: duckdb.DuckDBPyConnection, change: str) -> None:
    con.execute(f"update raw_log.loads set {change} where table_name = 'deals'")
    (check,) = _failed(balances(con))
    assert check.name == "accounting" and "hubspot.deals" in check.observed and check.failing_rows == 1


def test_a_quarantine_without_its_rows(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("delete from raw_log.quarantine")
    (check,) = _failed(balances(con))
    assert check.name == "quarantine_kept" and "hubspot.contacts" in check.observed


def test_quarantined_rows_of_no_load(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        "insert into raw_log.quarantine select 'ga4', '9', timestamp '2026-06-30', 'events', 'day' from range(2)"
    )
    (check,) = _failed(balances(con))
    assert check.name == "quarantine_kept" and "ga4.events" in check.observed


def test_missing_accounting(con: duckdb.DuckDBPyConnection, company: Company) -> None:
    con.execute("drop table raw_log.loads")
    (check,) = _failed([*balances(con), *quarantine(con, company, None)])
    assert check.table == "raw_log.loads"


def _load(con: duckdb.DuckDBPyConnection, received: int, quarantined: int, hour: int = 9) -> None:
    con.execute(
        "insert into raw_log.loads values ('hubspot', ?, timestamp '2026-06-30' + to_hours(?), 'deals', ?, ?, ?, 0, null)",
        [f"{hour}.0", hour, received, received - quarantined, quarantined],
    )


@pytest.mark.parametrize(
    ("received", "quarantined", "passes"),
    [(50, 11, False), (50, 10, True), (1000, 201, False), (49, 49, False), (20, 19, False), (5, 3, True), (1, 1, True)],
)
def test_too_large_a_share_of_quarantine(
    con: duckdb.DuckDBPyConnection, company: Company, received: int, quarantined: int, passes: bool
) -> None:
    _load(con, received, quarantined)
    failed = _failed(quarantine(con, company, None))
    assert (not failed) is passes
    for check in failed:
        assert check.table == "hubspot.deals" and check.failing_rows == quarantined
        assert f"{quarantined:,} of {received:,}" in check.observed and "raw_log.quarantine" in check.action


def test_the_limit_of_quarantine_is_a_setting(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, small: ModuleType
) -> None:
    _load(con, 100, 60)
    assert _failed(quarantine(con, small.make_company(tmp_path / "a", "max_quarantine_share = 0.59"), None))
    assert not _failed(quarantine(con, small.make_company(tmp_path / "b", "max_quarantine_share = 0.6"), None))
    for number, wrong in enumerate(("20", '"a lot"', "-0.1")):
        company = small.make_company(tmp_path / f"wrong{number}", f"max_quarantine_share = {wrong}")
        with pytest.raises(ConfigurationError, match="max_quarantine_share"):
            quarantine(con, company, None)


def test_a_repaired_load_does_not_stop_for_ever(con: duckdb.DuckDBPyConnection, company: Company) -> None:
    _load(con, 100, 60, hour=9)
    assert _failed(quarantine(con, company, None))
    _load(con, 10, 0, hour=10)
    assert _failed(quarantine(con, company, None)), "a small load repairs nothing"
    _load(con, 100, 1, hour=11)
    assert not _failed(quarantine(con, company, None))


def test_a_small_first_load_is_judged(con: duckdb.DuckDBPyConnection, company: Company) -> None:
    con.execute("delete from raw_log.loads")
    _load(con, 7, 5)
    (check,) = _failed(quarantine(con, company, None))
    assert check.observed == "5 of 7 received rows are in quarantine (71%)"
    _load(con, 7, 1, hour=10)
    assert not _failed(quarantine(con, company, None)), "the newest is judged, and one bad row stops nobody"


def _files(con: duckdb.DuckDBPyConnection, hour: int = 9, **files: tuple[int, str | None, str | None]) -> None:
    states = {name: {"size": size, "refused": why, "load_id": load} for name, (size, why, load) in files.items()}
    con.execute(
        "insert into raw_log.loads values ('crm', ?, timestamp '2026-06-30' + to_hours(?), 'deals', 10, 9, 1, 0, ?)",
        [f"{hour}.0", hour, json.dumps({"mapping": "m", "files": states})],
    )


def test_a_refused_file_counts_with_its_size(
    con: duckdb.DuckDBPyConnection, company: Company, tmp_path: Path, small: ModuleType
) -> None:
    assert refused_files(con, company) == []
    _files(con, old=(290, None, "1.0"), new=(710, "the column 'id' is not there", None))
    (check,) = _failed(refused_files(con, company))
    assert check.table == "crm.deals" and check.observed == "1 of 2 files refused (new), 71% of their bytes"
    assert not _failed(refused_files(con, small.make_company(tmp_path / "a", "max_quarantine_share = 0.75")))

    _files(con, hour=10, old=(290, None, "1.0"), new=(710, None, "10.0"))
    assert refused_files(con, company) == [], "it was mended"
    _files(con, hour=11, old=(290, None, "1.0"), new=(710, "damaged", "10.0"))
    assert refused_files(con, company) == [], "the rows of the version before are there"
    _files(con, hour=12, old=(290, None, "1.0"), new=(710, None, "10.0"), tiny=(20, "empty", None))
    assert [check.passed for check in refused_files(con, company)] == [True]


def test_where_nothing_was_ever_loaded_nothing_is_published(con: duckdb.DuckDBPyConnection) -> None:
    assert not _failed(nothing_loaded(con))
    con.execute("update raw_log.loads set quarantined = received, loaded = 0, duplicates = 0")
    (check,) = _failed(nothing_loaded(con))
    assert check.observed == "0 of 230 received rows were loaded, of all sources" and "sources check" in check.action
    con.execute("delete from raw_log.loads")
    assert _failed(nothing_loaded(con))


def test_what_was_published_once_is_accepted(con: duckdb.DuckDBPyConnection, company: Company) -> None:
    _load(con, 100, 60, hour=9)
    before = {"sources": {"hubspot": {"loaded_at": "2026-06-30T09:00:00Z"}}}
    assert not _failed(quarantine(con, company, before))
    _load(con, 100, 60, hour=10)
    assert _failed(quarantine(con, company, before))


VISITS = {
    "tables": {
        "marts.fct_stage_visit": {"rows": 120},
        "process.versions": {"rows": 1},
        "kpi.kpi_unmapped_stages": {"rows": 0},
    }
}


def test_an_emptied_table(con: duckdb.DuckDBPyConnection, company: Company) -> None:
    assert not _failed(emptied(con, company, VISITS))
    con.execute("delete from marts.fct_stage_visit")
    (check,) = _failed(emptied(con, company, VISITS))
    assert check.table == "marts.fct_stage_visit" and check.observed == "0 rows" and "120" in check.expected


def test_a_table_that_is_gone_or_broken(con: duckdb.DuckDBPyConnection, company: Company) -> None:
    con.execute("drop table marts.fct_stage_visit")
    assert [check.observed for check in _failed(emptied(con, company, VISITS))] == ["can't be read"]
    con.execute("create view marts.fct_stage_visit as select * from kpi.kpi_volume")
    con.execute("drop table kpi.kpi_volume")
    assert [check.observed for check in _failed(emptied(con, company, VISITS))] == ["can't be read"]


def test_nothing_was_there_before(con: duckdb.DuckDBPyConnection, company: Company) -> None:
    con.execute("delete from marts.fct_stage_visit")
    assert emptied(con, company, None) == []


@pytest.mark.parametrize("setting", ['["marts.fct_stage_visit"]', '"fct_stage_visit, other"'])
def test_a_table_that_may_be_empty(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, small: ModuleType, setting: str
) -> None:
    con.execute("delete from marts.fct_stage_visit")
    assert emptied(con, small.make_company(tmp_path / "accepts", f"accept_empty = {setting}"), VISITS) == []
