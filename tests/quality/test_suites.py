"""The suites: silent on good data, and each kind of expectation catches the defect that it is for."""

from __future__ import annotations

import duckdb
import pytest

from quality import crm_suites, mart_suites
from quality.gx import SuiteRunner
from quality.masking import mask_key
from quality.results import Check
from quality.volumes import measure_volumes

ALL = {suite.name: suite for suite in (*crm_suites.SUITES, *mart_suites.SUITES)}
LEADS, DEALS = "intermediate.int_leads", "intermediate.int_deals"


def _run(
    runner: SuiteRunner, con: duckdb.DuckDBPyConnection, name: str, before: dict | None = None
) -> dict[str, Check]:
    [(as_of,)] = con.execute("select as_of from process.run").fetchall()
    measure_volumes(con, as_of=as_of, before=before, accepted=frozenset())
    suites = {**ALL, **{suite.name: suite for suite in crm_suites.required_field_suites(con)}}
    return {check.name: check for check in runner.run(suites[name])}


# suite, expectation, what breaks it, severity, failing rows
DEFECTS = [
    ("crm_leads", "created_at_in_range", f"update {LEADS} set created_at = '1970-01-01' where lead_id = 'hubspot:1003'", "warn", 1),
    ("crm_leads", "email_format", f"update {LEADS} set email = 'jane at home' where lead_id <= 'hubspot:1009'", "warn", 10),
    ("crm_leads", "email_format", f"update {LEADS} set email = phone", "error", 120),
    ("crm_leads", "phone_format", f"update {LEADS} set phone = '12' where lead_id <= 'hubspot:1009'", "warn", 10),
    ("crm_leads", "phone_format", f"update {LEADS} set phone = email", "error", 120),
    ("crm_leads", "postcode_format", f"update {LEADS} set postcode = '!' where lead_id <= 'hubspot:1009'", "warn", 10),
    ("crm_leads", "customer_type_known", f"update {LEADS} set customer_type = 'sofa' where lead_id <= 'hubspot:1009'", "warn", 10),
    ("crm_leads", "owner_known", f"update {LEADS} set owner_id = 'hubspot:gone' where lead_id <= 'hubspot:1009'", "warn", 10),
    ("crm_leads", "branch_known", f"update {LEADS} set branch = 'moon'", "warn", 120),
    ("crm_required_lead", "phone_present", f"update {LEADS} set phone = ' ' where lead_id < 'hubspot:1070'", "warn", 70),
    ("crm_required_deal", "amount_present", f"update {DEALS} set amount = null", "warn", 60),
    ("crm_deals", "amount_in_range", f"update {DEALS} set amount = -5 where deal_id = 'hubspot:5001'", "warn", 1),
    ("crm_deals", "amount_in_range", f"update {DEALS} set amount = -amount", "error", 60),
    ("crm_deals", "amount_plausible", f"update {DEALS} set amount = 20000000", "warn", 60),
    ("crm_deals", "owner_known", f"update {DEALS} set owner_id = 'hubspot:gone'", "warn", 60),
    ("crm_deals", "lead_exists", f"update {DEALS} set lead_id = null", "warn", 60),
    ("crm_leads", "created_at_present", f"update {LEADS} set created_at = null", "warn", 120),
    ("crm_stage_events", "subject_type_known", "update intermediate.int_stage_events set subject_type = 'person' where subject_id = 'hubspot:5001'", "warn", 1),
    ("crm_stage_events", "subject_type_known", "update intermediate.int_stage_events set subject_type = 'person'", "error", 60),
    ("crm_deals", "amount_in_range", f"update {DEALS} set amount = 99e9 where deal_id = 'hubspot:5001'", "warn", 1),
    ("crm_deals", "currency_format", f"update {DEALS} set currency = '$'", "error", 60),
    ("crm_deals", "closed_at_not_before_created_at", f"update {DEALS} set closed_at = created_at - interval 1 day", "error", 60),
    ("crm_deals", "expected_close_date_not_before_created_day", f"update {DEALS} set expected_close_date = '2020-01-01' where deal_id < 'hubspot:5010'", "warn", 10),
    ("crm_deals", "lead_exists", f"update {DEALS} set lead_id = null where deal_id < 'hubspot:5010'", "warn", 10),
    ("crm_activities", "type_known", "update intermediate.int_activities set type = 'telepathy'", "error", 120),
    ("crm_activities", "direction_known", "update intermediate.int_activities set direction = 'sideways' where activity_id = 'hubspot:c1'", "warn", 1),
    ("crm_activities", "duration_seconds_in_range", "update intermediate.int_activities set duration_seconds = -1", "error", 120),
    ("crm_activities", "is_linked", "update intermediate.int_activities set lead_id = null", "warn", 120),
    ("crm_stage_events", "stage_key_present", "update intermediate.int_stage_events set stage_key = null where subject_id = 'hubspot:5001'", "warn", 1),
    ("crm_stage_events", "stage_key_present", "update intermediate.int_stage_events set stage_key = null", "error", 60),
    ("crm_survey_answers", "nps_score_in_range", "update intermediate.int_survey_answers set nps_score = 11 where response_id = 'typeform:r1'", "warn", 1),
    ("stage_mapping", "no_unmapped_stages", "insert into kpi.kpi_unmapped_stages values ('hubspot', 'default', 'secret', 3)", "warn", 1),
    ("source_freshness", "days_behind_in_range", "delete from intermediate.int_survey_answers where submitted_at > '2026-06-20 05:00'", "warn", 2),
    ("speed_to_lead_values", "minutes_not_too_long", "update marts.fct_speed_to_lead set minutes = 1e7 where lead_id = 'hubspot:1001'", "warn", 1),
    ("speed_to_lead_values", "minutes_not_too_long", "update marts.fct_speed_to_lead set minutes = 1e7", "error", 120),
    ("stage_visit_values", "days_not_too_long", "update marts.fct_stage_visit set days = 9999 where case_id = 'hubspot:1001'", "warn", 1),
    ("money_agrees", "in_marts_equals_in_kpis", "update kpi.kpi_win_loss set won_amount = won_amount + 0.01", "error", 2),
    ("counts_agree", "in_marts_equals_in_kpis", "update kpi.kpi_volume set leads_created = 119", "error", 1),
    ("counted_records", "counted_equals_in_marts", "delete from marts.fct_lead where lead_id = 'hubspot:1000'", "error", 1),
]  # fmt: skip


@pytest.mark.parametrize(
    ("suite", "name", "defect", "severity", "failing"), DEFECTS, ids=[f"{row[0]}-{row[1]}-{row[3]}" for row in DEFECTS]
)
def test_a_defect_is_caught(
    runner: SuiteRunner, con: duckdb.DuckDBPyConnection, suite: str, name: str, defect: str, severity: str, failing: int
) -> None:
    con.execute(defect)
    check = _run(runner, con, suite)[name]
    assert not check.passed
    assert (check.severity, check.failing_rows) == (severity, failing)
    assert check.action and check.expected and check.observed


def test_sound_data_passes_every_suite(runner: SuiteRunner, con: duckdb.DuckDBPyConnection) -> None:
    found = [check for suite in ALL for check in _run(runner, con, suite).values()]
    assert len(found) > 35
    assert [check.name for check in found if not check.passed] == ["days_behind_in_range"]


def test_activities_that_are_ignored_need_no_stage(runner: SuiteRunner, con: duckdb.DuckDBPyConnection) -> None:
    con.execute("update intermediate.int_stage_events set stage_key = null, is_ignored = true")
    assert _run(runner, con, "crm_stage_events")["stage_key_present"].passed


def test_nobody_is_unknown_where_the_company_names_nobody(runner: SuiteRunner, con: duckdb.DuckDBPyConnection) -> None:
    con.execute("delete from intermediate.int_users")
    con.execute("delete from process.branches")
    found = {**_run(runner, con, "crm_leads"), **_run(runner, con, "crm_activities")}
    assert found["owner_known"].passed and found["branch_known"].passed and found["user_known"].passed


def test_a_source_that_lost_more_than_half_is_an_error(con: duckdb.DuckDBPyConnection) -> None:
    before = {
        "sources": {
            "hubspot": {"records": {"leads": 300, "deals": 61}},
            "gone": {"records": {"leads": 25, "deals": 19}},
        }
    }
    check = _run(SuiteRunner(con), con, "source_volume", before)["share_of_before_in_range"]
    assert not check.passed and check.severity == "error"
    # 120 of 300 leads; deals grew; the source that is gone counts for what it had plenty of.
    assert check.failing_rows == 2 and set(check.examples) == {"hubspot leads", "gone leads"}
    assert _run(SuiteRunner(con), con, "source_volume", {"sources": {"hubspot": {"records": {"leads": 240}}}})[
        "share_of_before_in_range"
    ].passed


def test_an_accepted_drop_passes(con: duckdb.DuckDBPyConnection) -> None:
    before = {"sources": {"hubspot": {"records": {"leads": 300}}}}
    [(as_of,)] = con.execute("select as_of from process.run").fetchall()
    volumes = measure_volumes(con, as_of=as_of, before=before, accepted=frozenset({"hubspot"}))
    assert SuiteRunner(con).run(ALL["source_volume"]) == []
    assert volumes["hubspot"] == {"leads": 120, "deals": 60, "activities": 120}


def test_a_missing_table_fails_and_an_empty_one_does_not(runner: SuiteRunner, con: duckdb.DuckDBPyConnection) -> None:
    con.execute("delete from marts.fct_stage_visit")
    assert _run(runner, con, "stage_visit_values") == {}
    con.execute("drop table marts.fct_stage_visit")
    (check,) = _run(SuiteRunner(con), con, "stage_visit_values").values()
    assert (check.name, check.passed, check.severity) == ("table_exists", False, "error")


def test_a_missing_column_is_named(runner: SuiteRunner, con: duckdb.DuckDBPyConnection) -> None:
    con.execute("alter table marts.fct_stage_visit drop column days")
    (check,) = _run(runner, con, "stage_visit_values").values()
    assert not check.passed and check.severity == "error"
    assert "days" in check.observed


def test_a_column_of_another_type_fails_without_showing_a_value(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("alter table marts.fct_stage_visit alter days type varchar")
    con.execute("update marts.fct_stage_visit set days = 'jane@example.com'")
    check = _run(SuiteRunner(con), con, "stage_visit_values")["days_not_too_long"]
    assert not check.passed and check.severity == "error"
    assert "jane" not in repr(check)


def test_no_value_of_a_person_leaves_the_suites(runner: SuiteRunner, con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        f"update {LEADS} set email = 'jane at home', phone = '12-secret', lead_id = 'jane@example.com' || lead_id"
    )
    text = repr(_run(runner, con, "crm_leads"))
    assert "jane" not in text and "secret" not in text and "example.com" not in text


@pytest.mark.parametrize(
    ("key", "masked"),
    [
        ("hubspot:123456", "hubspot:…456"),
        ("hubspot:12", "hubspot:12"),
        ("deal/hubspot:123456", "deal/hubspot:…456"),
        ("jane/hubspot:123456", "…"),
        ("123456", "…456"),
        ("12", "…"),
        ("jane@example.com", "…"),
        ("mail:jane@example.com", "…"),
        ("+1 (555) 010-1234", "…"),
        ("", "…"),
    ],
)
def test_keys_are_masked(key: str, masked: str) -> None:
    assert mask_key(key) == masked


@pytest.mark.parametrize(
    "phone",
    ["+1 (312) 555-0134", "312.555.0134", "3125550134", "0049 30 123456", "(555) 010-1234 ext. 12", "555-0134 x9"],
)
def test_real_phone_numbers_pass(con: duckdb.DuckDBPyConnection, phone: str) -> None:
    con.execute(f"update {LEADS} set phone = ?", [phone])
    assert _run(SuiteRunner(con), con, "crm_leads")["phone_format"].passed


@pytest.mark.parametrize("phone", ["555-01", "n/a", "call me", "1234567890123456789"])
def test_what_is_no_phone_number_fails(con: duckdb.DuckDBPyConnection, phone: str) -> None:
    con.execute(f"update {LEADS} set phone = ?", [phone])
    assert not _run(SuiteRunner(con), con, "crm_leads")["phone_format"].passed


def test_names_are_unique_and_every_suite_can_fail() -> None:
    assert len(ALL) == len(crm_suites.SUITES) + len(mart_suites.SUITES)
    for suite in ALL.values():
        names = [expect.name for expect in suite.expects]
        assert names and len(names) == len(set(names)), suite.name
        assert all(expect.action for expect in suite.expects), suite.name


def test_a_rule_that_every_row_of_one_table_keeps_is_no_suites() -> None:
    """It is a dbt test. Here is what tables say together, and what a share of the rows decides."""
    strict = {
        suite.name
        for suite in ALL.values()
        if suite.source is None and any(e.severity == "error" and e.mostly == 1 for e in suite.expects)
    }
    assert strict == set()
