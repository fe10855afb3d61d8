"""Weeks that begin on Sunday and years that begin in April, in the KPI marts."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from salesgauge.process import Process
from salesgauge.warehouse import connect
from tests.dbt.project import PROCESS_FILE, build
from tests.metrics import facts


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("calendar")
    process = folder / "process.yml"
    text = PROCESS_FILE.read_text(encoding="utf-8")
    process.write_text(
        text.replace("  currency: USD", "  currency: USD\n  week_starts_on: sun\n  fiscal_year_starts_in: 4", 1),
        encoding="utf-8",
    )
    told = Process.load(process).calendar_vars()
    assert told == {"week_starts_on": 7, "fiscal_year_starts_in": 4}
    with connect(folder / "salesgauge.duckdb") as con:
        facts.create_tables(con)
        facts.fill(con)
    build(folder, "kpi_volume", "kpi_overall_conversion", more=told)
    return folder / "salesgauge.duckdb"


def _start(grain: str, day: date) -> date:
    if grain == "week":
        return day - timedelta(days=(day.weekday() + 1) % 7)
    months = (day.month - 4) % 12
    month = {"month": months, "quarter": months // 3 * 3, "year": 0}[grain]
    return date(day.year - (day.month < 4), 4, 1) if month == 0 else _add(date(day.year - (day.month < 4), 4, 1), month)


def _add(first: date, months: int) -> date:
    return date(first.year + (first.month - 1 + months) // 12, (first.month - 1 + months) % 12 + 1, 1)


@pytest.mark.parametrize("grain", ["week", "month", "quarter", "year"])
def test_periods_begin_where_the_company_says(warehouse: Path, grain: str) -> None:
    with connect(warehouse, read_only=True) as con:
        days = con.execute("select created_date from marts.fct_lead").fetchall()
        where = f"period_grain = '{grain}' and segment_type = 'total'"
        found = con.execute(f"select period_start_date, leads_created from kpi.kpi_volume where {where}").fetchall()
        timed = con.execute(
            f"select period_start_date, n from kpi.kpi_overall_conversion where {where} and km_median_days is not null"
        ).fetchall()
    expected: dict[date, int] = {}
    for (day,) in days:
        expected[_start(grain, day)] = expected.get(_start(grain, day), 0) + 1
    assert {start: n for start, n in found if n} == expected
    assert timed and {start for start, _ in timed} <= set(expected)


def test_without_a_word_weeks_are_those_of_iso() -> None:
    assert Process.load(PROCESS_FILE).calendar_vars() == {}
