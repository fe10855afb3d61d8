"""Logs of events: activities that are no stage, stages however they are written, what happened at one moment, and who did it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.properties.mappings import DEALS, LOG, PROCESS


def test_days_of_a_deal_and_days_of_a_log_follow_the_process_together(ask: Any) -> None:
    deals = "id,stage,created,closed\na,Sold,2026-01-05,2026-01-05\n"
    log = "case,activity,at,who\na,quote,2026-01-05,ann\n"
    sql = "select list(to_stage order by sequence), list(time_precision order by sequence) from marts.fct_stage_transition"
    assert ask(sql, DEALS + LOG.replace("files:\n", ""), deals=deals, log=log) == [
        (["visit", "quote", "won"], ["day"] * 3)
    ]


def test_activities_that_are_no_stage_stay_in_the_map_and_leave_the_ledger(ask: Any) -> None:
    process = (
        PROCESS + "stage_mapping: {crm: {'*': {Site visit: visit, Offer sent: quote, Signed: won, '*': ignore}}}\n"
    )
    rows = """
    case,activity,at,who
    1,Site visit,2026-01-05 10:00,ann
    1,Coffee,2026-01-05 11:00,bob
    1,Offer sent,2026-01-06 10:00,bob
    1,Signed,2026-01-07 10:00,cy
    """
    sql = (
        "select (select list(to_stage order by sequence) from marts.fct_stage_transition), "
        "(select list(owner_id order by sequence) from marts.fct_stage_transition), "
        "(select list(from_activity order by from_activity) from kpi.kpi_process_edges where from_activity is not null), "
        "(select count(*) from kpi.kpi_unmapped_stages)"
    )
    assert ask(sql, LOG, process=process, log=rows) == [
        (
            ["visit", "quote", "won"],
            ["crm:ann", "crm:bob", "crm:cy"],
            ["Coffee", "Offer sent", "Signed", "Site visit"],
            0,
        )
    ]


def test_stages_of_a_log_are_known_however_they_are_written(ask: Any) -> None:
    """Also where process.yml has a word in two spellings: an event is one event."""
    process = (
        PROCESS
        + "stage_mapping: {crm: {'*': {Site visit: visit, SITE VISIT: visit, Offer sent: quote, Signed: won}}}\n"
    )
    rows = """
    case,activity,at,who
    1,site visit,2026-01-05 10:00,ann
    1,OFFER SENT,2026-01-06 10:00,bob
    1, Signed ,2026-01-07 10:00,cy
    """
    sql = (
        "select (select list(to_stage order by sequence) from marts.fct_stage_transition), (select count(*) from kpi.kpi_unmapped_stages), "
        "(select list(distinct \"rows\") from kpi.kpi_accounting where entity = 'stage_events')"
    )
    assert ask(sql, LOG, process=process, log=rows) == [(["visit", "quote", "won"], 0, [3])]


@pytest.mark.parametrize(("order", "expected"), [("", ["visit", "lost"]), ("    order: file\n", ["lost", "visit"])])
def test_at_one_moment_a_close_comes_last_unless_the_mapping_says_otherwise(
    ask: Any, order: str, expected: list[str]
) -> None:
    rows = "case,activity,at,who\n1,lost,2026-01-05 10:00,ann\n1,visit,2026-01-05 10:00,ann\n"
    sql = "select list(to_stage order by sequence) from marts.fct_stage_transition"
    assert ask(sql, LOG + order, log=rows) == [(expected,)]


def test_who_did_a_step_did_it_also_where_the_deal_has_another_owner(ask: Any) -> None:
    deals = "id,stage,created,rep\n1,Offer,,zoe\n"
    log = "case,activity,at,who\n1,visit,2026-01-05 10:00,ann\n1,quote,2026-01-06 10:00,bob\n"
    mapping = DEALS + LOG.replace("files:\n", "")
    sql = "select list(rep order by sequence) from marts.fct_stage_transition"
    assert ask(sql, mapping, deals=deals, log=log) == [(["ann", "bob"],)]
