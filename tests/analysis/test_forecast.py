"""Forecast locks equal a slow, plain computation; nothing after a lock changes it; odd input gives rows or none, not errors."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta

import duckdb
import pytest

from analysis.forecast import write_forecasts
from analysis.grid import lock_grid
from tests.analysis.conftest import Tools

_ROWS = """
    select
        lock_date, period_start_date, method, level, segment, cast(forecast_amount * 100 as bigint), cast(low_amount * 100 as bigint),
        cast(high_amount * 100 as bigint), deals_open
    from analysis.forecast_locks
"""


def forecast(con: duckdb.DuckDBPyConnection, as_of: datetime, zone: str) -> dict[tuple, tuple]:
    written = write_forecasts(con, timezone=zone, as_of=as_of)
    rows = con.execute(_ROWS).fetchall()
    assert written == len(rows)
    locks = {row[:5]: row[5:] for row in rows}
    assert len(locks) == len(rows), "a lock row appears twice"
    return locks


@pytest.mark.parametrize("seed", range(6))
def test_equals_the_definition_computed_slowly(tools: Tools, seed: int) -> None:
    company = tools.random_company(seed, deals=40, days=230)
    as_of = tools.start + timedelta(days=250, hours=5)
    company = company.until(as_of)
    locks = forecast(tools.warehouse(company), as_of, tools.zone)
    assert locks == tools.slow_forecast(company, as_of)
    assert sum(low is not None for _, low, _, _ in locks.values()) > 100
    assert all(low <= high for _, low, high, _ in locks.values() if low is not None)


@pytest.mark.parametrize("seed", range(8))
def test_nothing_after_a_lock_changes_it(tools: Tools, seed: int) -> None:
    rng = random.Random(seed)
    company = tools.random_company(seed + 100, deals=150, days=420)
    end = tools.start + timedelta(days=440)
    cut = tools.start + timedelta(seconds=rng.randrange(60 * 86_400, 420 * 86_400))
    with_future = forecast(tools.warehouse(company.until(end)), end, tools.zone)
    without = forecast(tools.warehouse(company.until(cut)), cut, tools.zone)
    assert without
    last = max(key[0] for key in without)
    assert without == {key: row for key, row in with_future.items() if key[0] <= last}


def test_as_of_hides_what_the_tables_hold_beyond_it(tools: Tools) -> None:
    company = tools.random_company(7, deals=80, days=300)
    for deal in (
        company.deals
    ):  # a history that begins with the record: else today's values stand in, and those are as of `as_of`
        deal.amounts = [(deal.created_at, 900_00), *deal.amounts]
        deal.owners = [(deal.created_at, "ann"), *deal.owners]
    cut = tools.start + timedelta(days=200)
    assert forecast(tools.warehouse(company), cut, tools.zone) == forecast(
        tools.warehouse(company.until(cut)), cut, tools.zone
    )


def test_segments_sum_to_the_total(tools: Tools) -> None:
    company = tools.random_company(3, deals=150, days=420)
    as_of = tools.start + timedelta(days=430)
    con = tools.warehouse(company.until(as_of))
    write_forecasts(con, timezone=tools.zone, as_of=as_of)
    ((off,),) = con.execute("""
        select max(abs(total - parts) - 0.01 * segments) from (
            select
                lock_date, period_start_date, method, other.level, sum(other.forecast_amount) as parts, count(*) as segments,
                any_value(whole.forecast_amount) as total
            from analysis.forecast_locks as whole
            inner join analysis.forecast_locks as other using (lock_date, period_start_date, method)
            where whole.level = 'total' and other.level <> 'total'
            group by all
        )
    """).fetchall()
    assert off <= 0


def test_no_data_is_no_rows(tools: Tools) -> None:
    con = tools.warehouse(tools.Company())
    assert write_forecasts(con, timezone=tools.zone, as_of=datetime(2026, 1, 1)) == 0
    assert con.execute("select count(*) from analysis.forecast_locks").fetchone() == (0,)


def test_one_deal(tools: Tools) -> None:
    created = datetime(2024, 3, 1, 18)
    deal = tools.Deal("crm:1", created, None, None, [(created, "quote")], [], [], amount_now=500_00)
    con = tools.warehouse(tools.Company([deal]))
    locks = forecast(con, datetime(2024, 6, 30), tools.zone)
    assert min(key[0] for key in locks) > created.date()
    assert {key[4] for key in locks if key[3] != "total"} == {"(none)"}
    # Nothing was ever won: every chance is 0, and so is every forecast.
    assert {row[0] for row in locks.values()} == {0}


def test_before_the_first_monday_there_is_no_lock(tools: Tools) -> None:
    created = datetime(2024, 3, 6)
    con = tools.warehouse(tools.Company([tools.Deal("crm:1", created, None, None, [(created, "quote")], [], [])]))
    assert write_forecasts(con, timezone=tools.zone, as_of=datetime(2024, 3, 8)) == 0


def test_a_win_is_known_from_its_own_moment_on(tools: Tools) -> None:
    """A win at exactly Monday 00:00 company time is known at that lock; a second later it is not."""
    monday = datetime(2024, 4, 8, 5)  # 00:00 in Chicago, summer time
    for delay, expected in ((0, 700_00), (1, 0)):
        won_at = monday + timedelta(seconds=delay)
        early = datetime(2024, 1, 10)
        deal = tools.Deal("crm:1", early, None, None, [(early, "quote"), (won_at, "won")], [], [], amount_now=700_00)
        locks = forecast(tools.warehouse(tools.Company([deal])), datetime(2024, 4, 14), tools.zone)
        forecast_cents, _, _, opened = locks[date(2024, 4, 8), date(2024, 4, 1), "stage_age_pipeline", "total", "total"]
        assert (forecast_cents, opened) == (expected, 0 if delay == 0 else 1)


def test_another_currency_is_converted_as_todays_amount_is(tools: Tools) -> None:
    early, won_at = datetime(2024, 1, 10), datetime(2024, 4, 3)
    deal = tools.Deal(
        "crm:1", early, None, None, [(early, "quote"), (won_at, "won")], [(early, 100_00)], [], amount_now=120_00
    )
    con = tools.warehouse(tools.Company([deal]))
    con.execute("update marts.fct_deal set exchange_rate = 1.2")
    locks = forecast(con, datetime(2024, 4, 14), tools.zone)
    assert locks[date(2024, 4, 8), date(2024, 4, 1), "stage_age_pipeline", "total", "total"][0] == 120_00


def test_money_has_type_and_cents(tools: Tools) -> None:
    as_of = tools.start + timedelta(days=120)
    con = tools.warehouse(tools.random_company(1).until(as_of))
    write_forecasts(con, timezone=tools.zone, as_of=as_of)
    types = dict(con.execute("select column_name, column_type from (describe analysis.forecast_locks)").fetchall())
    assert {types[name] for name in ("forecast_amount", "low_amount", "high_amount")} == {"DECIMAL(18,2)"}
    ((shortest, longest, are_mondays),) = con.execute(
        "select min(horizon_days), max(horizon_days), bool_and(isodow(lock_date) = 1) from analysis.forecast_locks"
    ).fetchall()
    assert shortest >= 0 and longest <= 90 and are_mondays


def test_two_years_take_seconds(tools: Tools) -> None:
    import time

    company = tools.random_company(5, deals=2_500, days=730)
    as_of = tools.start + timedelta(days=731)
    con = tools.warehouse(company.until(as_of))
    begin = time.process_time()
    assert write_forecasts(con, timezone=tools.zone, as_of=as_of) > 5_000
    assert time.process_time() - begin < 10


@pytest.mark.parametrize("created", [datetime(1, 1, 1), datetime(1900, 1, 1), datetime(2015, 1, 1)])
def test_a_mistyped_creation_makes_no_locks_of_centuries(created: datetime) -> None:
    grid = lock_grid(created, datetime(2026, 6, 17, 12), "America/Chicago")
    assert grid.mondays[0].year == 2016 and grid.mondays[-1] == date(2026, 6, 15)
