"""What a warehouse could not judge, in words: which tables say it, worst first, and how much of it a summary shows."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from salesgauge.remarks import TITLES, Remark, remarks, shortened
from salesgauge.warehouse import connect

SCHEMA = """
create schema process; create schema marts; create schema kpi; create schema quality;
create table process.run (as_of timestamp, as_of_date date);
create table process.stages (stage varchar, stage_order integer, kind varchar);
create table marts.fct_lead (lead_id varchar, created_date date, is_won boolean);
create table marts.fct_deal (deal_id varchar, created_date date, closed_date date, is_won boolean, current_stage varchar);
create table marts.fct_stage_transition (case_id varchar, to_stage varchar, moved_date date);
create table kpi.kpi_crm_completeness_by_field (period_grain varchar, segment_type varchar, object varchar, stage varchar, field varchar, n bigint, filled bigint);
create table kpi.kpi_unmapped_stages (source varchar, pipeline varchar, source_stage varchar, events bigint, records bigint);
create table kpi.kpi_unmapped_values (field varchar, value varchar, records bigint, amount decimal(18, 2));
create table kpi.kpi_contradictions (source varchar, subject_type varchar, source_stage varchar, stage varchar, ledger_stage varchar, records bigint, undated bigint, amount decimal(18, 2));
create table kpi.kpi_left_out (record_type varchar, record_id varchar, field varchar, value varchar, reason varchar, left_out_of varchar);
create table kpi.kpi_accounting (source varchar, entity varchar, reason varchar, "rows" bigint, is_counted boolean);
create table quality.checks (origin varchar, suite varchar, name varchar, table_name varchar, severity varchar, passed boolean, observed varchar, expected varchar, rows_checked bigint, failing_rows bigint, examples varchar, action varchar);
insert into process.run values ('2026-06-30 05:00', '2026-06-30');
insert into process.stages values ('inquiry', 1, 'open'), ('proposal', 2, 'open'), ('won', 3, 'won'), ('lost', 4, 'lost');
insert into marts.fct_lead values ('crm:1', '2026-06-01', true);
insert into marts.fct_deal values ('crm:2', '2026-06-02', '2026-06-20', true, 'won'), ('crm:3', '2026-06-02', null, false, 'proposal');
insert into marts.fct_stage_transition values ('crm:1', 'inquiry', '2026-06-01'), ('crm:1', 'proposal', '2026-06-02');
"""  # fmt: skip


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(":memory:") as opened:
        opened.execute(SCHEMA)
        yield opened


def said(con: duckdb.DuckDBPyConnection, kind: str) -> list[str]:
    return [str(one) for one in remarks(con) if one.kind == kind]


def test_where_all_is_judged_there_is_nothing_to_say(con: duckdb.DuckDBPyConnection) -> None:
    assert remarks(con) == []


def test_a_version_without_the_tables_says_nothing() -> None:
    with connect(":memory:") as empty:
        assert remarks(empty) == []


def test_data_that_end_long_before_as_of(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("update process.run set as_of_date = '2026-09-19'")
    assert said(con, "empty") == []
    con.execute("update process.run set as_of_date = '2026-12-01'")
    (text,) = said(con, "empty")
    assert text.startswith(
        "The newest record is of 2026-06-20, 164 days before as_of (2026-12-01): the last 13 weeks are empty"
    )
    assert "salesgauge run --as-of 2026-06-21T06:00:00Z" in text


def test_a_required_field_that_nothing_fills(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        "insert into kpi.kpi_crm_completeness_by_field values ('all', 'total', 'deal', 'proposal', 'need', 12, 0), "
        "('all', 'total', 'deal', 'won', 'need', 3, 0), ('all', 'total', 'lead', 'inquiry', 'phone', 9, 1), ('all', 'rep', 'lead', 'inquiry', 'email', 4, 0)"
    )
    assert said(con, "empty") == [
        "No deal has 'need', which the stage proposal requires (12 records). "
        "If the source has it, map it to 'need' in sources/; else take it out of 'required' in process.yml."
    ]


def test_a_stage_that_nothing_enters(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("delete from marts.fct_stage_transition where to_stage = 'inquiry'")
    con.execute("update marts.fct_lead set is_won = false")
    con.execute("update marts.fct_deal set current_stage = 'proposal'")
    assert [text.split(":")[0] for text in said(con, "empty")] == [
        "No record ever entered the stage 'inquiry'",
        "No record ever entered the stage 'won'",
    ]
    con.execute("delete from marts.fct_lead")
    con.execute("delete from marts.fct_deal")
    assert said(con, "empty") == [], "without records no stage is to blame"


def test_what_nothing_maps_and_what_contradicts(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        "insert into kpi.kpi_unmapped_stages values ('crm', 'default', 'Parked', 9, 7), ('crm', null, null, 2, 2)"
    )
    con.execute(
        "insert into kpi.kpi_unmapped_values values ('branch', 'Downtown', 30, 4500), ('call_outcome', 'Gone', 1, null)"
    )
    con.execute(
        "insert into kpi.kpi_contradictions values ('crm', 'deal', 'Won', 'won', 'proposal', 3, 3, 1200), "
        "('crm', 'deal', 'Won', 'won', null, 50, 50, 9), ('crm', 'lead', 'New', 'inquiry', 'proposal', 8, 0, null)"
    )
    assert [text.split(". ")[0] for text in said(con, "unmapped")] == [
        "The branch 'Downtown' is not known: 30 records, 4,500 in amounts",
        "The stage 'Parked' of crm (pipeline default) is mapped to none of process.yml: 7 records",
        "The stage (none) of crm is mapped to none of process.yml: 2 records",
        "The call outcome 'Gone' is not known: 1 record",
    ]
    assert [text.split(". ")[0] for text in said(con, "contradictions")] == [
        "8 leads of crm: the source says 'New', their dated events end in 'proposal'",
        "3 deals of crm: the source says 'Won', their dated events end in 'proposal', 1,200 in amounts",
    ]


def test_what_feeds_nothing(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        "insert into kpi.kpi_accounting values "
        # nothing of them counts: their most frequent reason, and what can be mended
        "('site', 'web_events', 'received', 61000, false), ('site', 'web_events', 'earlier_reading', 11000, false), "
        "('site', 'web_events', 'no_session', 49963, false), ('site', 'web_events', 'after_as_of', 37, false), "
        "('crm', 'calls', 'received', 90, false), ('crm', 'calls', 'refused_file', 90, false), "
        # a good part counts: a fifth without a lead is said, a few are not, nor is what is no mistake
        "('crm', 'activities', 'received', 100, false), ('crm', 'activities', 'counted', 30, true), ('crm', 'activities', 'no_record', 20, false), "
        "('crm', 'activities', 'deleted', 50, false), "
        "('crm', 'appointments', 'received', 100, false), ('crm', 'appointments', 'counted', 81, true), ('crm', 'appointments', 'no_record', 19, false), "
        # no KPI reads them, or a part of them
        "('crm', 'jobs', 'received', 7, false), ('crm', 'jobs', 'no_kpi_reads_it', 7, false), "
        "('crm', 'accounts', 'received', 70, false), ('crm', 'accounts', 'no_kpi_reads_it', 70, false), "
        "('crm', 'field_history', 'received', 9, false), ('crm', 'field_history', 'no_kpi_reads_it', 8, false), ('crm', 'field_history', 'counted', 1, true)"
    )
    assert [text.split(". ")[0] for text in said(con, "unread")] == [
        "49,963 of 50,000 web events of site have neither a session nor a visitor: none of them counts",
        "90 of 90 calls of crm stand in refused files: none of them counts",
        "20 of 100 activities of crm belong to no lead and no deal",
        "No KPI reads these yet: accounts of crm (70), jobs of crm (7)",
    ]
    assert "Map session_id or visitor_id" in said(con, "unread")[0]
    (title, lines), *_ = shortened(remarks(con))
    assert (title, len(lines)) == ("What feeds nothing", 3)
    assert lines[2].endswith("And 1 more: salesgauge checks")


def test_wins_before_the_creation_of_many_have_a_remedy(con: duckdb.DuckDBPyConnection) -> None:
    row = "('deal', '{}', 'closed_at', '2026-01-01', 'won before it was created (2026-02-01)', 'sales cycle')"
    con.execute(f"insert into kpi.kpi_left_out values {row.format('crm:2')}")
    con.execute(
        "insert into kpi.kpi_left_out values ('deal', 'crm:3', 'amount', '-5.00', 'an amount below zero', 'amounts')"
    )
    first, second = sorted(said(con, "left_out"))
    assert first.startswith("1 deal: an amount below zero (amount, e.g. -5.00); left out of: amounts. They are listed")
    assert second.startswith(
        "1 deal: won before it was created (closed_at, e.g. 2026-01-01); left out of: sales cycle."
    )
    assert "the day of an import" in second
    con.execute(
        "insert into marts.fct_deal select 'crm:' || i, date '2026-06-01', date '2026-06-02', true, 'won' from range(10, 30) t(i)"
    )
    assert "the day of an import" not in " ".join(said(con, "left_out")), "one of many is a slip"


def test_findings_of_the_audit_come_worst_first_and_three_at_most(con: duckdb.DuckDBPyConnection) -> None:
    for place, (severity, passed) in enumerate(
        [("warn", False), ("error", False), ("warn", True), ("warn", False), ("warn", False)]
    ):
        con.execute(
            "insert into quality.checks values ('gx', 's', ?, 't', ?, ?, 'seen', 'wanted', 9, ?, 'crm:…123', 'Do it.')",
            [f"c{place}", severity, passed, place + 1],
        )
    con.execute(
        "insert into quality.checks values ('gx', 's', 'no_unmapped_stages', 't', 'warn', false, 'x', 'y', 1, 99, null, 'z')"
    )
    assert [one.records % 10**12 for one in remarks(con)] == [2, 5, 4, 1]
    ((title, lines),) = shortened(remarks(con))
    assert title == "Findings of the audit" and len(lines) == 3
    assert lines[0] == "t: expected wanted; seen (e.g. crm:…123). Do it."
    assert lines[2].endswith("And 1 more: salesgauge checks")


def test_every_kind_has_a_title() -> None:
    found = [Remark(kind, "x", "y") for kind in TITLES]
    assert [title for title, _ in shortened(found)] == list(TITLES.values())
    assert all(lines == ["x. y"] for _, lines in shortened(found))
