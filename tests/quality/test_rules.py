"""The rules of single tables, as dbt compiled them: silent on good data, and each catches the defect that it is for."""

from __future__ import annotations

from dataclasses import replace

import duckdb
import pytest

from orchestration.transform import plan_of
from quality.results import DbtTestResult
from tests.dbt.project import variables

# table, what the rule says, what breaks it, failing rows
DEFECTS = [
    ("fct_deal", "a cycle lasts", "set cycle_days = -3 where deal_id = 'hubspot:5000'", 1),
    ("fct_deal", "a cycle lasts", "set cycle_days = 9999 where deal_id = 'hubspot:5000'", 1),
    ("fct_deal", "a cycle to the first close", "set first_close_cycle_days = -3 where deal_id = 'hubspot:5000'", 1),
    ("fct_deal", "amount is at least 0", "set amount = -3 where deal_id = 'hubspot:5000'", 1),
    ("fct_deal", "a deal is open, won, lost or disqualified", "set is_won = true where deal_id = 'hubspot:5002'", 1),
    ("fct_deal", "flags agree", "set outcome = 'lost' where deal_id = 'hubspot:5000'", 1),
    ("fct_deal", "outcome is one of", "set outcome = 'maybe' where deal_id = 'hubspot:5002'", 1),
    ("fct_deal", "a closed deal with dated events", "set closed_at = null where deal_id = 'hubspot:5000'", 1),
    ("fct_deal", "deal_id is never empty", "set deal_id = 'hubspot:5000' where deal_id = 'hubspot:5001'", 1),
    ("fct_closed_deal", "every closed deal", "set is_won = false where deal_id = 'hubspot:5000'", 1),
    ("fct_closed_deal", "only won deals", "set won_amount = 5 where deal_id = 'hubspot:5001'", 1),
    ("fct_closed_deal", "only lost deals", "set lost_amount = 5 where deal_id = 'hubspot:5000'", 1),
    ("fct_speed_to_lead", "minutes, open_minutes", "set minutes = -1, open_minutes = -1 where lead_id = 'hubspot:1001'", 1),
    ("fct_speed_to_lead", "leads_in_group", "set leads_in_group = 0 where lead_id = 'hubspot:1001'", 1),
    ("fct_speed_to_lead", "nobody has minutes", "set is_contacted = false where lead_id = 'hubspot:1001'", 1),
    ("fct_speed_to_lead", "open minutes are not more", "set open_minutes = 21 where lead_id = 'hubspot:1001'", 1),
    ("fct_speed_to_lead", "the first touch", "set touch_at = '2020-01-01' where lead_id = 'hubspot:1001'", 1),
    ("fct_stage_visit", "a visit lasts", "set days = -1 where case_id = 'hubspot:1001'", 1),
    ("fct_stage_visit", "open_hours", "set open_hours = -1 where case_id = 'hubspot:1001'", 1),
    ("fct_stage_visit", "visit_number", "set visit_number = 0 where case_id = 'hubspot:1001'", 1),
    ("fct_stage_visit", "a visit does not end", "set left_at = '2020-01-01' where case_id = 'hubspot:1001'", 1),
    ("fct_stage_conversion", "every pair", "set to_order = 1 where case_id = 'hubspot:1001'", 1),
    ("fct_stage_conversion", "who moved directly", "set is_reached = false where case_id = 'hubspot:1001'", 1),
    ("fct_field_completeness", "weight", "set weight = -1, filled_weight = -1 where record_id = 'hubspot:1001' and is_filled", 1),
    ("fct_field_completeness", "the filled weight", "set filled_weight = 9 where record_id = 'hubspot:1001'", 2),
    ("fct_survey_response", "nps_points is one of", "set nps_points = 50 where response_id = 'typeform:r1'", 1),
    ("fct_survey_response", "nps_score", "set nps_score = 11 where response_id = 'typeform:r1'", 1),
    ("fct_survey_response", "csat_score", "set csat_score = 0 where response_id = 'typeform:r1'", 1),
    ("fct_forecast", "horizon_days", "set horizon_days = 91", 1),
    ("fct_forecast", "forecast_amount, absolute_error_amount", "set absolute_error_amount = -1", 1),
    ("fct_forecast", "the interval", "set low_amount = 200", 1),
    ("kpi_stage_conversion", "conversion_rate, open_share, low, high", "set conversion_rate = 1.01", 1),
    ("kpi_volume", "leads_created, deals_created", "set deals_created = -1", 1),
    ("kpi_satisfaction", "nps is", "set nps = 101", 1),
    ("kpi_reconciliation", "received", "set records = 3 where reason = 'deleted'", 1),
    ("int_owner_periods", "a period", "set valid_to = '1800-01-01' where subject_id = 'hubspot:1001'", 1),
    ("int_stage_events", "subject_id is never empty", "set subject_id = null where subject_id = 'hubspot:5001'", 1),
    ("int_leads", "lead_id is never empty", "set lead_id = null where lead_id = 'hubspot:1000'", 1),
    ("int_users", "user_id is never empty", "set user_id = 'hubspot:u0'", 1),
]  # fmt: skip


def ask(con: duckdb.DuckDBPyConnection, table: str, rule: str) -> DbtTestResult:
    plan = plan_of(variables())
    (one,) = (test for test in plan.tests if test.table == table and test.rule.startswith(rule))
    (result,) = replace(plan, models=(), tests=(one,)).run(con).tests
    return result


@pytest.mark.parametrize(
    ("table", "rule", "defect", "failing"),
    DEFECTS,
    ids=[f"{row[0]}-{row[1]}-{number}" for number, row in enumerate(DEFECTS)],
)
def test_a_defect_is_caught(con: duckdb.DuckDBPyConnection, table: str, rule: str, defect: str, failing: int) -> None:
    assert ask(con, table, rule).status == "pass"
    schema = {"fct": "marts", "kpi": "kpi", "int": "intermediate"}[table[:3]]
    con.execute(f"update {schema}.{table} {defect}")
    result = ask(con, table, rule)
    assert (result.status, result.failures) == ("fail", failing), result.message


def test_sums_of_floats_are_not_wrong_in_their_last_bits(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("update kpi.kpi_stage_conversion set conversion_rate = 1.0000000000000002, low = -0.0000000000000001")
    assert ask(con, "kpi_stage_conversion", "conversion_rate").status == "pass"
