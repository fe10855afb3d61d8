"""What a source says is the state: exports in which a stage has no date, a date no time, a record no date at all, or an activity is no stage."""

from __future__ import annotations

import textwrap
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from salesgauge.settings import Company
from tests.properties.compiled import build

AS_OF = datetime(2026, 6, 1, 12)
PROCESS = """
company:
  name: Example
  currency: USD
  timezone: America/Chicago
  branches: {loop: {}, mile_high: {timezone: America/Denver}}
process:
  versions: [{key: baseline, effective_from: 2024-01-01}]
  stages:
    - {key: inquiry, object: lead}
    - {key: visit, object: deal}
    - {key: quote, object: deal}
    - {key: won, kind: won}
    - {key: lost, kind: lost}
    - {key: junk, kind: disqualified, object: lead}
"""
DEALS = """
files:
  - path: deals.csv
    entity: deals
    key: id
    columns:
      lead: {column: lead, optional: true}
      amount: {column: amount, optional: true}
      created_at: created
      closed_at: {column: closed, optional: true}
      updated_at: {column: changed, optional: true}
      branch: {column: branch, optional: true}
      owner: {column: rep, optional: true}
    dates: {format: iso8601, timezone: America/Chicago}
    stages:
      current: {column: stage, map: {Sold: won, Dead: lost, Offer: quote, Looked at: visit}}
      entered: {visit: created, won: {column: closed, optional: true}, lost: {column: closed, optional: true}}
"""
LEADS = """
  - path: leads.csv
    entity: leads
    key: id
    columns:
      created_at: created
      status: {column: status, optional: true}
      first_touch_at: {column: touched, optional: true}
    dates: {format: iso8601, timezone: America/Chicago}
"""


@pytest.fixture
def ask(tmp_path: Path) -> Any:
    """Builds a company of a mapping and files, and answers a query."""

    def answer(
        sql: str, mapping: str, *, process: str = PROCESS, as_of: datetime = AS_OF, **files: str
    ) -> list[tuple[Any, ...]]:
        for folder in (".dlt", "sources", "data"):
            (tmp_path / folder).mkdir()
        (tmp_path / ".dlt" / "config.toml").write_text("", encoding="utf-8")
        (tmp_path / "process.yml").write_text(process, encoding="utf-8")
        (tmp_path / "sources" / "crm.yml").write_text(mapping, encoding="utf-8")
        for name, rows in files.items():
            (tmp_path / "data" / f"{name}.csv").write_text(textwrap.dedent(rows).strip() + "\n", encoding="utf-8")
        with build(Company.open(tmp_path, {}), as_of) as con:
            return con.execute(sql).fetchall()

    return answer


OUTCOMES = "select deal_id, current_stage, outcome, is_undated, closed_date is not null from marts.fct_deal order by 1"
TOTAL = "select deals_won, deals_lost, undated, won_amount from kpi.kpi_win_loss where period_grain = 'all' and segment_type = 'total'"


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


def test_days_of_a_deal_and_days_of_a_log_follow_the_process_together(ask: Any) -> None:
    deals = "id,stage,created,closed\na,Sold,2026-01-05,2026-01-05\n"
    log = "case,activity,at,who\na,quote,2026-01-05,ann\n"
    sql = "select list(to_stage order by sequence), list(time_precision order by sequence) from marts.fct_stage_transition"
    assert ask(sql, DEALS + LOG.replace("files:\n", ""), deals=deals, log=log) == [
        (["visit", "quote", "won"], ["day"] * 3)
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


def test_a_lead_and_a_deal_may_have_the_same_id(ask: Any) -> None:
    leads = "id,created\n" + "\n".join(f"{number},2026-01-05 10:00" for number in range(1, 6))
    deals = "id,lead,stage,created,closed\n1,5,Sold,2026-01-06 10:00,2026-01-09\n2,,Dead,2026-01-06 10:00,2026-01-09\n"
    sql = "select case_id, count(*) from marts.fct_stage_transition group by 1 order by 1"
    assert ask(sql, DEALS + LEADS, leads=leads, deals=deals) == [
        ("deal/crm:2", 2),
        *((f"lead/crm:{number}", 1) for number in range(1, 5)),
        ("lead/crm:5", 3),
    ]


def test_a_deal_without_a_creation_stays_with_its_lead_and_its_cycle_begins_there(ask: Any) -> None:
    leads = "id,created\n1,2026-01-05 10:00\n2,2026-01-05 10:00\n"
    deals = "id,lead,stage,created,closed\na,1,Sold,,2026-01-15\n"
    sql = (
        "select n, customers, (select (n, mean_days, from_lead) from kpi.kpi_sales_cycle where period_grain = 'all' and segment_type = 'total') "
        "from kpi.kpi_overall_conversion where period_grain = 'all' and segment_type = 'total'"
    )
    assert ask(sql, DEALS + LEADS, leads=leads, deals=deals) == [(2, 1, (1, 10.0, 1))]


def test_ids_that_a_program_took_for_numbers_are_the_same_ids(ask: Any) -> None:
    leads = "id,created\n22,2026-01-05 10:00\n23.0,2026-01-05 10:00\n24,2026-01-05 10:00\n"
    deals = "id,lead,stage,created\n1.0,22.0,Offer,2026-01-06\n2.0,23,Offer,2026-01-06\n3.0,24,Offer,2026-01-06\n4.0,,Offer,2026-01-06\n"
    log = "case,activity,at,who\n3.0,won,2026-01-07 10:00,ann\n"
    sql = "select deal_id, lead_id from marts.fct_deal order by 1"
    mapping = DEALS + LEADS + LOG.replace("files:\n", "")
    assert ask(sql, mapping, leads=leads, deals=deals, log=log) == [
        ("crm:1", "crm:22"), ("crm:2", "crm:23"), ("crm:3", "crm:24"), ("crm:4", None)
    ]  # fmt: skip


def test_a_lead_that_nobody_knows_is_named(ask: Any) -> None:
    leads = "id,created\n7,2026-01-05 10:00\n"
    deals = "id,lead,stage,created,closed\n1,007,Sold,2026-01-06,2026-01-07\n2,7,Sold,2026-01-06,2026-01-07\n3,,Sold,2026-01-06,2026-01-07\n"
    sql = "select record_id, field, value, reason from kpi.kpi_left_out"
    assert ask(sql, DEALS + LEADS, leads=leads, deals=deals) == [
        ("crm:1", "lead_id", "007", "names a lead that no lead has as its id")
    ]


LOG = """
files:
  - path: log.csv
    entity: stage_events
    columns: {deal: case, stage: activity, at: at, owner: who}
    dates: {format: iso8601, timezone: America/Chicago}
"""


def test_numbers_of_events_that_begin_again_in_another_file_are_other_events(ask: Any) -> None:
    mapping = LOG.replace("path: log.csv", "path: log*.csv").replace("    columns", "    key: no\n    columns")
    first = "no,case,activity,at,who\n1,a,visit,2026-01-05 10:00,ann\n2,a,quote,2026-01-06 10:00,ann\n"
    second = "no,case,activity,at,who\n1,b,visit,2026-02-05 10:00,ann\n2,b,won,2026-02-06 10:00,ann\n"
    again = "no,case,activity,at,who\n2,b,lost,2026-02-06 11:00,ann\n"
    sql = "select case_id, list(to_stage order by sequence) from marts.fct_stage_transition group by 1 order by 1"
    assert ask(sql, mapping, log1=first, log2=second, log3=again) == [
        ("deal/crm:a", ["visit", "quote"]),
        ("deal/crm:b", ["visit", "lost"]),
    ]


def test_numbers_of_deals_that_begin_again_in_another_file_are_named(ask: Any) -> None:
    mapping = DEALS.replace("path: deals.csv", "path: 'deals*.csv'")
    year = "id,amount,stage,created\n1,1,Offer,{0}-01-05\n2,2,Offer,{0}-01-06\n3,4,Offer,{0}-01-07\n"
    sql = "select reason, \"rows\" from kpi.kpi_accounting where entity = 'deals' order by 1"
    found = ask(sql, mapping, deals_2025=year.format(2025), deals_2026=year.format(2026), deals_2026b=year.format(2026))
    assert found == [("counted", 3), ("id_of_another_record", 3), ("received", 9), ("superseded", 3)]


def test_deals_that_weekly_exports_hold_again_are_versions(ask: Any) -> None:
    mapping = DEALS.replace("path: deals.csv", "path: 'deals*.csv'")
    first = "id,amount,stage,created\n1,1,Offer,2026-01-05\n2,2,Offer,2026-01-06\n3,4,Offer,2026-01-07\n"
    second = "id,amount,stage,created\n1,8,Offer,2026-01-05\n2,2,Offer,2026-01-16\n3,4,Offer,2026-01-07 10:00\n"
    sql = "select reason, \"rows\" from kpi.kpi_accounting where entity = 'deals' order by 1"
    assert ask(sql, mapping, deals_1=first, deals_2=second) == [("counted", 3), ("received", 6), ("superseded", 3)]


SNAPSHOTS = """
files:
  - path: "*.csv"
    entity: deals
    key: id
    columns: {amount: amount, created_at: {column: created, optional: true}}
    dates: {format: iso8601, timezone: UTC}
    stages:
      current: {column: stage, map: {Sold: won, Dead: lost, Offer: quote, Looked at: visit}}
      snapshot: "%m-%d-%Y"
"""


def test_snapshots_without_a_date_tell_when_a_deal_moved(ask: Any) -> None:
    snapshots = {
        "open_12-28-2025": "id,amount,stage\na,1,Looked at\nb,2,Dead\nc,4,Limbo\n",
        "open_01-04-2026": "id,amount,stage\na,1,Looked at\nb,2,Offer\nc,4,Offer\n",
        "open_01-11-2026": "id,amount,stage\na,8,Sold\nb,2,Offer\nc,4,\nd,16,Sold\n",
        "open_07-05-2026": "id,amount,stage\nd,16,Dead\n",  # after as_of
    }
    sql = (
        "select (select list((deal_id, current_stage, amount, closed_date::varchar) order by deal_id) from marts.fct_deal), "
        "(select list((case_id, to_stage, moved_date::varchar, time_precision) order by case_id, sequence) from marts.fct_stage_transition), "
        "(select list((source_stage, events, records)) from kpi.kpi_unmapped_stages), "
        "(select list((reason, \"rows\") order by reason) from kpi.kpi_accounting where entity = 'stage_events')"
    )
    ((deals, moves, unmapped, rows),) = ask(sql, SNAPSHOTS, **snapshots)
    assert deals == [
        ("crm:a", "won", 8, "2026-01-11"),
        ("crm:b", "quote", 2, None),
        ("crm:c", "quote", 4, None),
        ("crm:d", "won", 16, "2026-01-11"),
    ]
    assert moves == [
        ("deal/crm:a", "visit", "2025-12-28", "day"),
        ("deal/crm:a", "won", "2026-01-11", "day"),
        ("deal/crm:b", "lost", "2025-12-28", "day"),
        ("deal/crm:b", "quote", "2026-01-04", "day"),
        ("deal/crm:c", "quote", "2026-01-04", "day"),
        ("deal/crm:d", "won", "2026-01-11", "day"),
    ]
    assert unmapped == [("Limbo", 1, 1)]
    assert rows == [("after_as_of", 1), ("counted", 6), ("received", 10), ("superseded", 2), ("unmapped_stage", 1)]


def test_snapshots_that_know_the_dates_of_closes_and_of_changes(ask: Any) -> None:
    mapping = (
        SNAPSHOTS.replace("amount: amount", "amount: amount, updated_at: changed")
        .replace("      snapshot", "      entered: {won: closed}\n      snapshot")
        .replace("%m-%d-%Y", "%b %d %Y")
    )
    snapshots = {
        "Jan 04 2026": "id,amount,stage,created,closed,changed\na,1,Offer,2026-01-02,,2026-01-03 10:00\n",
        "Jan 11 2026": "id,amount,stage,created,closed,changed\na,2,Sold,2026-01-02,2026-01-09,2026-01-09 10:00\n",
        "Jan 18 2026": "id,amount,stage,created,closed,changed\na,4,Sold,2026-01-02,2026-01-09,2026-01-08 10:00\n",
    }
    sql = (
        "select current_stage, amount, cycle_days, (select list((to_stage, moved_date::varchar) order by sequence) from marts.fct_stage_transition) "
        "from marts.fct_deal"
    )
    assert ask(sql, mapping, **snapshots) == [("won", 2, 7, [("quote", "2026-01-04"), ("won", "2026-01-09")])]


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
