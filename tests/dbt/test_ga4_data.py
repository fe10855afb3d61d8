"""Counts of the GA4 Data API: the newest reading of a day is the day, cost becomes spend, and no count becomes a session."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from ingestion.sources.ga4 import events as ga4_events
from salesgauge.warehouse import connect
from tests.dbt.project import PROJECT, build, run_dbt

AS_OF = datetime(2026, 6, 17, 12)
FIRST, SECOND = date(2026, 6, 15), date(2026, 6, 16)


def _row(load: str, day: date, **columns: Any) -> dict[str, Any]:
    return {"property_id": "1", "date": day, **columns, "_load_id": load, "_loaded_at": AS_OF, "_row": 1, "record": json.dumps({})}  # fmt: skip


def _day(load: str, report: str, day: date, **flags: bool) -> dict[str, Any]:
    every = dict.fromkeys(("is_thresholded", "is_sampled", "has_other_row", "is_truncated", "is_restricted"), False)
    return _row(load, day, report=report, row_count=1, digest=load, currency="EUR", time_zone="Europe/Berlin", **{**every, **flags})  # fmt: skip


def _sessions(load: str, day: date, campaign: str, sessions: int, group: str = "Paid Search") -> dict[str, Any]:
    return _row(load, day, channel_group=group, source="google", medium="cpc", campaign=campaign, sessions=sessions, engaged_sessions=1, total_users=2, new_users=1, key_events=0.5)  # fmt: skip


def _cost(load: str, day: date, campaign: str, cost: str) -> dict[str, Any]:
    return _row(load, day, source="google", medium="cpc", campaign=campaign, cost=Decimal(cost), clicks=3, impressions=30)  # fmt: skip


def test_days_are_replaced_and_cost_is_spend(
    bench: Path, new_warehouse: Callable[[datetime], duckdb.DuckDBPyConnection]
) -> None:
    rows = {
        "days": [
            _day("1.1", "sessions", FIRST),
            _day("1.1", "sessions", SECOND, is_sampled=True),
            _day("1.1", "ad_cost", FIRST),
            _day("1.2", "sessions", FIRST, is_thresholded=True),  # read again: other rows
            _day("1.2", "ad_cost", SECOND),
            _day("1.3", "ad_cost", SECOND),  # read again: no row is left
        ],
        "sessions": [
            _sessions("1.1", FIRST, "brand", 5),
            _sessions("1.1", FIRST, "gone", 9),
            _sessions("1.1", SECOND, "(not set)", 4, "(not set)"),
            _sessions("1.2", FIRST, "brand", 6),
            _sessions("1.2", FIRST, "(other)", 2, "Unassigned"),
            _sessions("1.5", SECOND, "replayed", 7),  # it waited in quarantine
        ],
        "ad_cost": [
            _cost("1.1", FIRST, "brand", "12.345"),
            _cost("1.1", FIRST, "(not set)", "7.00"),
            _cost("1.1", FIRST, "free", "0"),
            _cost("1.2", SECOND, "brand", "99.00"),
        ],
    }
    with new_warehouse(AS_OF) as con:
        for name, table in rows.items():
            con.register("rows", pa.Table.from_pylist(table))
            con.execute(f"insert into raw_ga4_data.{name} by name select * from rows")
            con.unregister("rows")
    models = "int_web_sessions int_spend int_campaigns int_web_events stg_ga4_data__landing_pages stg_ga4_data__events"
    build(
        bench,
        *(f"+{name}" for name in models.split()),
        sources=["hubspot", "ga4", "ga4_data", "typeform"],
        is_tested=True,
    )
    with connect(bench / "salesgauge.duckdb") as con:
        sessions = con.execute(
            "select date, channel, traffic_source, campaign, sessions, conversions, is_sampled, is_thresholded from intermediate.int_web_sessions order by date, sessions"
        ).fetchall()
        spend = con.execute(
            "select date, channel, campaign, amount, currency from intermediate.int_spend order by amount"
        ).fetchall()
        campaigns = con.execute(
            "select campaign_id, name, channel from intermediate.int_campaigns order by 1"
        ).fetchall()
        events = con.execute("select count(*) from intermediate.int_web_events").fetchall()
    assert sessions == [
        (FIRST, "Unassigned", "google", "(other)", 2, 0.5, False, True),
        (FIRST, "Paid Search", "google", "brand", 6, 0.5, False, True),
        (SECOND, None, "google", None, 4, 0.5, True, False),
        (SECOND, "Paid Search", "google", "replayed", 7, 0.5, True, False),
    ]
    assert spend == [
        (FIRST, None, None, Decimal("7.00"), "EUR"),
        (FIRST, "Paid Search", "brand", Decimal("12.35"), "EUR"),
    ]
    assert campaigns == [
        ("ga4_data:brand", "brand", "Paid Search"),
        ("ga4_data:free", "free", None),
        ("ga4_data:replayed", "replayed", "Paid Search"),
    ]
    assert events == [(0,)]  # no count becomes an event, and so none becomes a session


def test_click_ids_of_files_are_those_of_ga4s_export(bench: Path) -> None:
    inline = "{{ tojson(click_networks()) }}"
    found = run_dbt(bench, "compile", "--inline", inline, "--no-populate-cache").results[0].node.compiled_code
    assert json.loads(found) == ga4_events._CLICKS
    assert ga4_events._PAID in (PROJECT / "macros" / "clicks.sql").read_text(encoding="utf-8")
