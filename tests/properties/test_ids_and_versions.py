"""Which rows are one record: ids that look alike, numbers that begin again in each file, and exports that hold a record again."""

from __future__ import annotations

from typing import Any

from tests.properties.mappings import DEALS, LEADS, LOG

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


def test_a_lead_and_a_deal_may_have_the_same_id(ask: Any) -> None:
    leads = "id,created\n" + "\n".join(f"{number},2026-01-05 10:00" for number in range(1, 6))
    deals = "id,lead,stage,created,closed\n1,5,Sold,2026-01-06 10:00,2026-01-09\n2,,Dead,2026-01-06 10:00,2026-01-09\n"
    sql = "select case_id, count(*) from marts.fct_stage_transition group by 1 order by 1"
    assert ask(sql, DEALS + LEADS, leads=leads, deals=deals) == [
        ("deal/crm:2", 2),
        *((f"lead/crm:{number}", 1) for number in range(1, 5)),
        ("lead/crm:5", 3),
    ]


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
