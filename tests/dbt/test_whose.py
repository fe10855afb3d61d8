"""Whose a deal and an activity is where a customer returns, or a record names several persons."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from salesgauge.warehouse import connect
from tests.dbt.project import EVERY_SOURCE, build
from tests.dbt.raw_rows import fill

AS_OF = datetime(2026, 6, 17, 12)
NewWarehouse = Callable[[datetime], duckdb.DuckDBPyConnection]


def _row(key: str, record: dict[str, Any], **columns: Any) -> dict[str, Any]:
    return {"id": key, **columns, "_load_id": "1.1", "_row": 0, "record": json.dumps(record)}


def _hubspot(key: str, at: str, **properties: str) -> dict[str, Any]:
    moment = datetime.fromisoformat(at)
    return _row(
        key, {"id": key, "properties": properties}, created_at=moment, updated_at=moment, is_archived=key == "gone"
    )


def _link(kind: str, one: str, other: str, *ids: str) -> dict[str, Any]:
    return {
        "from_type": kind, "from_id": one, "to_type": other, "to_ids": sorted(ids), "_load_id": "1.1", "_row": 0, "record": "{}"
    }  # fmt: skip


def _salesforce(key: str, at: str, **fields: Any) -> dict[str, Any]:
    moment = datetime.fromisoformat(at)
    return _row(key, {"Id": key, **fields}, created_at=moment, modified_at=moment, is_deleted=False)


def test_of_several_contacts_the_newest_that_there_was(bench: Path, new_warehouse: NewWarehouse) -> None:
    rows = {
        "raw_hubspot.contacts": [
            _hubspot("99", "2026-05-30T10:00:00"),
            _hubspot("101999", "2019-01-01T10:00:00"),
            _hubspot("500", "2026-06-10T10:00:00"),
            _hubspot("501", "2026-06-11T10:00:00"),
            _hubspot("1000", "2026-06-10T10:00:00"),
            _hubspot("gone", "2026-05-31T10:00:00"),
        ],
        "raw_hubspot.deals": [_hubspot(f"d{number}", "2026-06-01T10:00:00") for number in range(1, 8)],
        "raw_hubspot.associations": [
            _link("deals", "d1", "contacts", "99", "101999"),
            _link("deals", "d2", "contacts", "101999", "500"),  # one came after the deal
            _link("deals", "d3", "contacts", "501", "500"),  # both came after it: the first of them
            _link("deals", "d4", "contacts", "500", "1000"),  # of one moment: the higher number
            _link("deals", "d5", "contacts", "101999"),
            _link("deals", "d6", "contacts", "101999", "gone"),
            _link("deals", "d7", "contacts", "99", "unknown"),
            _link("deals", "d1", "companies", "99", "101999"),
            _link("calls", "c1", "contacts", "101999", "99"),
            _link("calls", "c2", "contacts", "101999", "99"),
        ],
        "raw_hubspot.calls": [
            _hubspot("c1", "2026-06-02T10:00:00", hs_timestamp="2026-06-02T10:00:00Z"),
            _hubspot("c2", "2020-06-02T10:00:00", hs_timestamp="2020-06-02T10:00:00Z"),
        ],
    }
    with new_warehouse(AS_OF) as con:
        fill(con, rows, AS_OF)
    build(bench, "+int_deals", "+int_activities", sources=EVERY_SOURCE)
    with connect(bench / "salesgauge.duckdb") as con:
        deals = dict(con.execute("select deal_id, lead_id from intermediate.int_deals").fetchall())
        accounts = con.execute("select account_id from intermediate.int_deals where deal_id = 'hubspot:d1'").fetchall()
        calls = dict(con.execute("select activity_id, lead_id from intermediate.int_activities").fetchall())
    assert deals == {
        "hubspot:d1": "hubspot:99",
        "hubspot:d2": "hubspot:101999",
        "hubspot:d3": "hubspot:500",
        "hubspot:d4": "hubspot:1000",
        "hubspot:d5": "hubspot:101999",
        "hubspot:d6": "hubspot:101999",
        "hubspot:d7": "hubspot:99",
    }
    assert accounts == [("hubspot:99",)]
    assert calls == {"hubspot:call-c1": "hubspot:99", "hubspot:call-c2": "hubspot:101999"}


def test_a_customer_who_returns_is_a_lead_again(bench: Path, new_warehouse: NewWarehouse) -> None:
    rows = {
        "raw_salesforce.leads": [
            _salesforce("00Q1", "2025-03-01T10:00:00", ConvertedContactId="003A", ConvertedOpportunityId="0061"),
            _salesforce("00Q2", "2026-03-01T10:00:00", ConvertedContactId="003A", ConvertedOpportunityId="0062"),
            _salesforce("00Q3", "2026-05-01T10:00:00", ConvertedContactId="003B"),
            {**_salesforce("00Q0", "2026-05-20T10:00:00", ConvertedContactId="003A"), "is_deleted": True},
        ],
        "raw_salesforce.contacts": [_salesforce("003A", "2025-03-02T10:00:00", LastName="Frost")],
        "raw_salesforce.opportunities": [
            _salesforce("0061", "2025-03-02T10:00:00", StageName="Won", ContactId="003A"),
            _salesforce("0062", "2026-03-02T10:00:00", StageName="Won"),
            # without a lead of its own: the contact's at that time
            _salesforce("0063", "2025-09-01T10:00:00", StageName="Won", ContactId="003A"),
            _salesforce("0064", "2026-04-01T10:00:00", StageName="Won"),
            _salesforce("0065", "2024-01-01T10:00:00", StageName="Won", ContactId="003A"),
        ],
        "raw_salesforce.opportunity_contact_roles": [
            _salesforce("r1", "2026-03-02T10:00:00", OpportunityId="0062", ContactId="003B", IsPrimary=True),
            _salesforce("r2", "2026-03-02T10:00:00", OpportunityId="0064", ContactId="003A", IsPrimary=True),
        ],
        "raw_salesforce.tasks": [
            _salesforce(key, at, TaskSubtype="Call", CallType="Outbound", WhoId="003A", IsClosed=True)
            for key, at in (
                ("before", "2025-02-01T10:00:00"),
                ("first", "2026-02-28T10:00:00"),
                ("second", "2026-03-01T10:00:05"),
                ("now", "2026-06-01T10:00:00"),
            )
        ],
    }
    with new_warehouse(AS_OF) as con:
        fill(con, rows, AS_OF)
    build(bench, "+int_deals", "+int_activities", "+int_contacts", sources=EVERY_SOURCE)
    with connect(bench / "salesgauge.duckdb") as con:
        deals = dict(con.execute("select deal_id, lead_id from intermediate.int_deals").fetchall())
        calls = dict(con.execute("select activity_id, lead_id from intermediate.int_activities").fetchall())
        persons = con.execute("select contact_id, lead_id from intermediate.int_contacts").fetchall()
    first, second = "salesforce:00Q1", "salesforce:00Q2"
    assert {key.removeprefix("salesforce:"): lead for key, lead in deals.items()} == {
        "0061": first, "0062": second, "0063": first, "0064": second, "0065": first
    }  # fmt: skip
    assert {key.removeprefix("salesforce:"): lead for key, lead in calls.items()} == {
        "before": first, "first": first, "second": second, "now": second
    }  # fmt: skip
    assert persons == [("salesforce:003A", second)]
