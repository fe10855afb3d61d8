"""Records that can't be true: the KPIs that need the value do without it, the record stays, and one table lists it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from orchestration.transform import AFTER_ANALYSIS
from salesgauge.entities import ENTITIES, Entity
from salesgauge.warehouse import connect
from tests.dbt.project import build

AS_OF = datetime(2026, 6, 17, 12)
NewWarehouse = Callable[[datetime], duckdb.DuckDBPyConnection]


def deal(number: str, amount: str, created: str, *moves: tuple[str, str], **more: Any) -> dict[str, Any]:
    return {"deal_id": number, "amount": amount, "created_at": created, "moves": moves, **more}


DEALS = [
    deal("fine", "100", "2026-01-05 12:00", ("proposal", "2026-01-05 12:00"), ("won", "2026-01-15 12:00")),
    deal("refund", "-40", "2026-01-05 12:00", ("proposal", "2026-01-05 12:00"), ("won", "2026-01-25 12:00")),
    deal("typo", "200", "2006-01-05 12:00", ("proposal", "2006-01-05 12:00"), ("won", "2026-01-15 12:00")),
    deal("odd_open", "-1", "2026-01-05 12:00", ("proposal", "2026-01-05 12:00")),
    deal("before", "300", "2026-01-05 12:00", ("won", "2025-12-15 12:00")),
    deal("ten_years", "400", "2016-02-01 12:00", ("proposal", "2016-02-01 12:00"), ("won", "2026-01-15 12:00")),
    deal("ancient", "7", "1900-01-01 12:00", ("proposal", "1900-01-01 12:00")),
    deal("huge", "99999999999999", "2026-01-05 12:00", ("proposal", "2026-01-05 12:00"), ("won", "2026-01-09 12:00")),
    deal("undated", "9", "2026-01-05 12:00", stage="won"),
    deal("other_money", "-5", "2026-01-05 12:00", ("proposal", "2026-01-05 12:00"), ("lost", "2026-01-09 12:00"), currency="EUR"),
]  # fmt: skip
ANSWERS = [
    ("ok", 10, 5),
    ("eleven", 11, None),
    ("zero", 0, 0),
    ("minus", -1, 3),
    ("six", None, 6),
    ("none", None, None),
]


ODD = {
    "text": "…",
    "timestamp": "1801-02-03 04:05",
    "date": "1801-02-03",
    "decimal": -1,
    "integer": -1,
    "float": -1.5,
    "boolean": True,
}


def bare(entity: Entity, key: str, *, is_odd: bool) -> dict[str, Any]:
    """A record with only the key and what is required, or with an odd value in each other column; out of every KPI that the tests look at."""
    words = {"type": "call", "stage": "qualification", "subject_type": "deal"}
    plain = {
        "text": key,
        "timestamp": "2026-02-01 10:00",
        "date": "2026-02-01",
        "decimal": 1,
        "integer": 1,
        "float": 1,
        "boolean": False,
    }
    row: dict[str, Any] = {"_line": 1, entity.key: key}
    for column in entity.columns:
        if column.name in entity.required and column.name != entity.key:
            row[column.name] = words.get(column.name, plain[column.type])
        elif is_odd and column.name != entity.key:
            row[column.name] = ODD[column.type]
    if entity.name in ("leads", "deals"):
        row |= {"is_test": True, "is_deleted": False, "merged_into_id": None}
    return row


def insert(con: duckdb.DuckDBPyConnection, table: str, rows: list[dict[str, Any]]) -> None:
    columns = {name for row in rows for name in row}
    whole = [{"source": "crm", "_file": "x.csv", "_load_id": "1.0", **dict.fromkeys(columns), **row} for row in rows]
    frame = pa.Table.from_pylist(whole)  # noqa: F841
    con.execute(f"insert into {table} by name select * from frame")


@pytest.fixture(scope="module")
def built(bench: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.dbt import conftest

    folder = tmp_path_factory.mktemp("odd")
    company = conftest.company.__wrapped__(folder)  # type: ignore[attr-defined]
    with conftest.new_warehouse.__wrapped__(bench, company)(AS_OF) as con:  # type: ignore[attr-defined]
        numbered = [{**row, "_line": place} for place, row in enumerate(DEALS, 2)]
        insert(con, "raw_files.deals", [{k: v for k, v in row.items() if k != "moves"} for row in numbered])
        events = [
            {"event_id": f"{row['deal_id']}{at}", "subject_type": "deal", "subject_id": row["deal_id"], "stage": stage, "at": at, "_line": 1}
            for row in DEALS
            for stage, at in row["moves"]
        ]  # fmt: skip
        insert(con, "raw_files.stage_events", events)
        for (
            entity
        ) in ENTITIES.values():  # of each entity a record with nothing but what it must have, and one with odd values
            for number, odd in enumerate((False, True)):
                insert(con, f"raw_files.{entity.name}", [bare(entity, f"bare{number}", is_odd=odd)])
        # known to the day, both: contacted, but nobody knows after how many minutes
        midnight = "2026-02-03 06:00"
        insert(con, "raw_files.leads", [{"lead_id": "day", "created_at": midnight, "_line": 1}])
        call = {
            "activity_id": "day",
            "type": "call",
            "direction": "outbound",
            "lead_id": "day",
            "at": midnight,
            "_line": 1,
        }
        insert(con, "raw_files.activities", [call])
        answers = [
            {"response_id": name, "nps_score": nps, "csat_score": csat, "submitted_at": "2026-06-01 10:00", "_line": 1}
            for name, nps, csat in ANSWERS
        ]
        insert(con, "raw_files.survey_answers", answers)
    # with all tests of the models: none of them stops for a single record
    build(bench, exclude=[AFTER_ANALYSIS], sources=[], is_tested=True)
    return bench / "salesgauge.duckdb"


def ask(warehouse: Path, sql: str) -> list[tuple[Any, ...]]:
    with connect(warehouse, read_only=True) as con:
        return con.execute(sql).fetchall()


def test_every_value_that_was_left_out_is_listed_with_its_reason(built: Path) -> None:
    found = ask(built, "select split_part(record_id, ':', 2), field, value, reason from kpi.kpi_left_out order by 1, 2")
    assert found == [
        ("before", "closed_at", "2025-12-15", "won before it was created (2026-01-05)"),
        ("eleven", "nps_score", "11", "a score outside of 0 to 10"),
        ("huge", "amount", "99999999999999.00", "an amount of more than a trillion"),
        ("minus", "nps_score", "-1", "a score outside of 0 to 10"),
        ("odd_open", "amount", "-1.00", "an amount below zero"),
        ("other_money", "amount", "-5.00", "an amount below zero"),
        ("refund", "amount", "-40.00", "an amount below zero"),
        ("six", "csat_score", "6", "a score outside of 1 to 5"),
        ("typo", "created_at", "2006-01-05", "won more than ten years after it was created (2026-01-15)"),
        ("undated", "closed_at", None, "won without a date"),
        ("zero", "csat_score", "0", "a score outside of 1 to 5"),
    ]


def test_the_records_count_where_the_value_is_not_needed(built: Path) -> None:
    total = "period_grain = 'all' and segment_type = 'total'"
    assert ask(built, f"select deals_won, deals_lost, won_amount, lost_amount from kpi.kpi_win_loss where {total}") == [
        (7, 1, 1009, 0)
    ]
    # huge: 4 days, fine: 10, refund: 20, ten_years: 3,636
    assert ask(built, f"select n, median_days, negative_cycles from kpi.kpi_sales_cycle where {total}") == [(4, 15, 1)]
    assert ask(built, f"select responses, nps_n, nps, csat_n, csat from kpi.kpi_satisfaction where {total}") == [
        (6, 2, 0, 2, 0.5)
    ]
    assert ask(built, "select deals, amount from kpi.kpi_pipeline where segment_type = 'total'") == [(2, 7)]


def test_a_lead_whose_touch_is_known_to_the_day_is_contacted_without_minutes(built: Path) -> None:
    sql = "select is_contacted, minutes, minutes_observed from marts.fct_speed_to_lead where lead_id = 'crm:day'"
    assert ask(built, sql) == [(True, None, None)]
