"""What a source says is the state: exports in which a stage has no date, a date no time, or a record no date at all."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from tests.properties.mappings import DEALS, LEADS, LOG, PROCESS

OUTCOMES = "select deal_id, current_stage, outcome, is_undated, closed_date is not null from marts.fct_deal order by 1"


def test_a_present_stage_without_a_date_is_the_state(ask: Any) -> None:
    rows = """
    id,amount,stage,created,closed,changed
    a,100,Sold,2026-01-05,,
    b,200,Dead,2026-01-06,,2026-02-01 10:00
    c,300,Offer,2026-01-07,,
    d,400,Sold,2026-01-08,2026-01-20,
    """
    assert ask(OUTCOMES, DEALS, deals=rows) == [
        ("crm:a", "won", "won", True, False),
        ("crm:b", "lost", "lost", False, True),
        ("crm:c", "quote", "open", True, False),
        ("crm:d", "won", "won", False, True),
    ]


def test_an_undated_close_counts_in_the_total_and_in_no_period(ask: Any) -> None:
    rows = """
    id,amount,stage,created,closed
    a,100,Sold,,
    b,250,Dead,2026-01-06,
    c,300,Sold,2026-01-07,2026-03-01
    """
    sql = (
        "select period_grain, deals_won, deals_lost, undated, won_amount from kpi.kpi_win_loss "
        "where segment_type = 'total' and period_grain in ('all', 'year') order by 1"
    )
    assert ask(sql, DEALS, deals=rows) == [("all", 2, 1, 2, 400), ("year", 1, 0, 0, 300)]


def test_what_contradicts_is_published(ask: Any) -> None:
    rows = """
    id,amount,stage,created,closed
    a,100,Sold,2026-01-05,
    b,200,Looked at,2026-01-06,
    c,300,Limbo,2026-01-07,
    """
    sql = "select source_stage, stage, ledger_stage, records, undated, amount from kpi.kpi_contradictions order by 1"
    assert ask(sql, DEALS, deals=rows) == [("Limbo", None, "visit", 1, 1, 300), ("won", "won", "visit", 1, 1, 100)]


def test_a_stage_that_nothing_maps_is_no_older_one(ask: Any) -> None:
    rows = """
    id,amount,stage,created
    a,100,Limbo,2026-01-05
    b,100,,2026-01-05
    c,100,,
    """
    sql = "select source_stage, events, records from kpi.kpi_unmapped_stages order by 1 nulls last"
    assert ask(sql, DEALS, deals=rows) == [("Limbo", 0, 1), (None, 0, 1)]


def test_before_it_was_observed_a_move_did_not_exist(ask: Any) -> None:
    rows = """
    id,amount,stage,created,closed,changed
    a,100,Offer,2026-01-05,,2026-02-01 10:00
    b,100,Sold,2026-01-05,2026-02-03,
    """
    sql = "select deal_id, current_stage from marts.fct_deal order by 1"
    assert ask(sql, DEALS, as_of=datetime(2026, 2, 1, 15, 59), deals=rows) == [("crm:a", "visit"), ("crm:b", "visit")]


def test_a_deal_of_the_day_of_its_lead_is_its_deal(ask: Any) -> None:
    leads = """
    id,created
    1,2026-01-05 14:30
    2,2026-01-05
    3,2026-01-06 09:00
    """
    deals = """
    id,lead,stage,created,closed
    a,1,Sold,2026-01-05,2026-01-09
    b,2,Sold,2026-01-05 08:00,2026-01-09
    c,3,Sold,2026-01-05,2026-01-09
    """
    sql = "select n, customers from kpi.kpi_overall_conversion where period_grain = 'all' and segment_type = 'total'"
    assert ask(sql, DEALS + LEADS, leads=leads, deals=deals) == [(3, 2)]


@pytest.mark.parametrize("timezone", ["America/Chicago", "UTC", "Europe/London"])
def test_a_close_on_the_day_of_the_creation_takes_no_days(ask: Any, timezone: str) -> None:
    rows = """
    id,amount,stage,created,closed,branch
    a,100,Sold,2026-01-05 15:30,2026-01-05,loop
    b,100,Sold,2026-01-05 15:30,2026-01-06,mile_high
    c,100,Dead,2026-01-05 15:30,2026-01-05,loop
    """
    sql = "select deal_id, outcome, cycle_days, closed_date::varchar, is_negative_cycle from marts.fct_deal order by 1"
    found = ask(sql, DEALS.replace("timezone: America/Chicago", f"timezone: {timezone}"), deals=rows)
    assert found[0] == ("crm:a", "won", 0, "2026-01-05", False)
    assert found[1] == ("crm:b", "won", 1, "2026-01-06", False)
    assert found[2][1:3] == ("lost", None)


def test_a_deal_made_and_won_on_the_day_of_its_lead_comes_after_it(ask: Any) -> None:
    leads = """
    id,created
    1,2026-01-05 14:30
    2,2026-01-05 23:45
    3,2026-01-05
    """
    deals = """
    id,lead,stage,created,closed
    a,1,Sold,2026-01-05,2026-01-05
    b,2,Sold,2026-01-05,2026-01-06
    c,3,Dead,2026-01-05 09:00,2026-01-05
    """
    sql = (
        "select case_id, list(to_stage order by sequence), "
        "(select closed_date::varchar from marts.fct_deal where case_id = any_value(moves.case_id)) from marts.fct_stage_transition as moves group by 1 order by 1"
    )
    assert ask(sql, DEALS + LEADS, leads=leads, deals=deals) == [
        ("lead/crm:1", ["inquiry", "visit", "won"], "2026-01-05"),
        ("lead/crm:2", ["inquiry", "visit", "won"], "2026-01-06"),
        ("lead/crm:3", ["inquiry", "visit", "lost"], "2026-01-05"),
    ]


def test_days_of_a_deal_come_after_the_moments_that_the_process_has_before_them(ask: Any) -> None:
    deals = "id,stage,created,closed\na,Sold,2026-01-05,2026-01-05\n"
    log = "case,activity,at,who\na,quote,2026-01-05 15:00,ann\n"
    sql = "select list(to_stage order by sequence) from marts.fct_stage_transition"
    assert ask(sql, DEALS + LOG.replace("files:\n", ""), deals=deals, log=log) == [(["visit", "quote", "won"],)]


def test_a_lead_that_was_closed_on_the_day_of_its_creation_is_closed_on_that_day(ask: Any) -> None:
    """Also where an event log gives an order, which the creation is no part of."""
    dates = "    stages: {entered: {inquiry: created, junk: {column: closed, optional: true}}}\n"
    log = LOG.replace("deal: case", "lead: case").replace("files:\n", "") + "    order: file\n"
    leads = """
    id,created,closed
    1,2026-01-05,2026-01-05
    2,2026-01-05 10:00,2026-01-05
    3,2026-01-05,
    """
    events = "case,activity,at,who\n3,junk,2026-01-05,ann\n"
    sql = (
        "select lead_id, is_undated, (select list(to_stage order by sequence) from marts.fct_stage_transition as moves where moves.lead_id = leads.lead_id) "
        "from marts.fct_lead as leads order by 1"
    )
    mapping = "files:" + LEADS + dates + log
    assert ask(sql, mapping, leads=leads, log=events) == [
        (f"crm:{number}", False, ["inquiry", "junk"]) for number in (1, 2, 3)
    ]


def test_a_win_before_the_creation_has_no_cycle(ask: Any) -> None:
    rows = """
    id,amount,stage,created,closed,changed
    a,100,Sold,2026-01-05,2026-01-01,2026-03-01
    b,100,Sold,2026-01-05,2026-01-15,2026-03-01
    """
    sql = (
        "select (select list(cycle_days order by deal_id) from marts.fct_deal), "
        "(select (n, negative_cycles) from kpi.kpi_sales_cycle where period_grain = 'all' and segment_type = 'total'), "
        "(select list((record_id, value, reason)) from kpi.kpi_left_out)"
    )
    reason = ("crm:a", "2026-01-01", "won before it was created (2026-01-05)")
    assert ask(sql, DEALS, deals=rows) == [([None, 10], (1, 1), [reason])]


@pytest.mark.parametrize("mapped", ["closed_at", "won"])
def test_a_close_that_is_still_to_come_is_named(ask: Any, mapped: str) -> None:
    rows = """
    id,amount,stage,created,closed
    a,100,Sold,2026-01-05,2062-01-09
    b,100,Dead,2026-01-05,2026-06-02
    c,100,Offer,2026-01-05,2026-07-01
    d,100,Sold,2026-01-05,2026-01-09
    """
    line = "      closed_at: {column: closed, optional: true}\n"
    only = {
        "closed_at": DEALS.replace(
            ", won: {column: closed, optional: true}, lost: {column: closed, optional: true}", ""
        ),
        "won": DEALS.replace(line, ""),
    }
    sql = "select record_id, value, reason from kpi.kpi_left_out order by 1"
    reason = "closed in the future: it is open until then"
    assert ask(sql, only[mapped], deals=rows) == [("crm:a", "2062-01-09", reason), ("crm:b", "2026-06-02", reason)]


def test_words_are_known_however_they_are_written(ask: Any) -> None:
    rows = """
    id,amount,stage,created,closed
    a,1,SOLD,2026-01-05,2026-01-06
    b,2, sold ,2026-01-05,2026-01-06
    c,4,looked  AT,2026-01-05,
    d,8,Dead,2026-01-05,2026-01-06
    e,16,Sold out,2026-01-05,2026-01-06
    """
    sql = "select deal_id, current_stage from marts.fct_deal order by 1"
    found = dict(ask(sql, DEALS, deals=rows))
    assert found == {"crm:a": "won", "crm:b": "won", "crm:c": "visit", "crm:d": "lost", "crm:e": None}


def test_amounts_that_no_rate_is_to_blame_for(ask: Any) -> None:
    rows = """
    id,amount,stage,created
    a,5000000000000,Offer,2026-01-05
    b,-5,Offer,2026-01-05
    c,5,Offer,2026-01-05
    """
    sql = "select reason, records from kpi.kpi_reconciliation where entity = 'deal_amount' order by 1"
    assert ask(sql, DEALS, deals=rows) == [
        ("below zero", 1),
        ("counted", 1),
        ("more than a trillion", 1),
        ("received", 3),
    ]


def test_a_lead_that_only_has_a_status_counts(ask: Any) -> None:
    mapping = "files:" + LEADS
    process = PROCESS + "stage_mapping: {crm: {lead: {Customer: won, Spam: junk, Asked: inquiry}}}\n"
    rows = """
    id,created,status
    1,,Customer
    2,,Spam
    3,,Asked
    4,2026-01-05,Customer
    """
    sql = "select outcome, is_undated, count(*) from marts.fct_lead group by all order by 1, 2"
    assert ask(sql, mapping, process=process, leads=rows) == [
        ("disqualified", True, 1),
        ("open", True, 1),
        ("won", True, 2),
    ]


def test_a_deal_without_a_creation_stays_with_its_lead_and_its_cycle_begins_there(ask: Any) -> None:
    leads = "id,created\n1,2026-01-05 10:00\n2,2026-01-05 10:00\n"
    deals = "id,lead,stage,created,closed\na,1,Sold,,2026-01-15\n"
    sql = (
        "select n, customers, (select (n, mean_days, from_lead) from kpi.kpi_sales_cycle where period_grain = 'all' and segment_type = 'total') "
        "from kpi.kpi_overall_conversion where period_grain = 'all' and segment_type = 'total'"
    )
    assert ask(sql, DEALS + LEADS, leads=leads, deals=deals) == [(2, 1, (1, 10.0, 1))]


def test_a_lead_that_was_never_dealt_with_is_no_bad_record(ask: Any) -> None:
    rows = """
    id,created,touched
    1,2026-01-05 10:00,2026-01-05 10:12
    2,2026-01-05 10:00,
    3,2026-01-05 10:00,2026-01-05
    """
    sql = "select n, contacted, not_measured, median_minutes, within_5_minutes_rate from kpi.kpi_speed_to_lead where period_grain = 'all' and segment_type = 'total'"
    assert ask(sql, "files:" + LEADS, leads=rows) == [(3, 2, 1, 12.0, 0.0)]


def test_segments_and_unknown_values(ask: Any) -> None:
    rows = """
    id,amount,stage,created,branch,rep
    a,100,Offer,2026-01-05, LOOP ,Ann
    b,50,Offer,2026-01-05,loop,Ann
    c,70,Offer,2026-01-05,Downtown,Bob
    """
    sql = (
        "select (select list((segment, deals) order by segment) from kpi.kpi_pipeline where segment_type = 'branch'), "
        "(select list((field, value, records, amount) order by field) from kpi.kpi_unmapped_values), "
        "(select list(distinct rep order by rep) from marts.fct_deal)"
    )
    assert ask(sql, DEALS, deals=rows) == [
        ([("Downtown", 1), ("loop", 2)], [("branch", "Downtown", 1, 70)], ["Ann", "Bob"])
    ]
