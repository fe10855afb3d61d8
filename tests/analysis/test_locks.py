"""Recorded locks are written once, read back as they are, and stand against what would be computed today."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from analysis.forecast import write_forecasts
from analysis.locks import lock_file, read_locks, record_lock, record_newest_lock
from salesgauge.errors import ConfigurationError
from tests.analysis.conftest import Tools


def written(tools: Tools, days: int, seed: int = 2) -> duckdb.DuckDBPyConnection:
    as_of = tools.start + timedelta(days=days)
    con = tools.warehouse(tools.random_company(seed, deals=80, days=300).until(as_of))
    write_forecasts(con, timezone=tools.zone, as_of=as_of)
    return con


def table(con: duckdb.DuckDBPyConnection) -> pa.Table:
    return con.execute("select * from analysis.forecast_locks order by all").to_arrow_table()


def test_the_first_write_stands(tools: Tools, tmp_path: Path) -> None:
    first, second = written(tools, 200), written(tools, 200, seed=3)
    ((newest,),) = first.execute("select max(lock_date) from analysis.forecast_locks").fetchall()
    assert record_newest_lock(first, tmp_path) == newest
    bytes_before = lock_file(tmp_path, newest).read_bytes()
    assert record_newest_lock(second, tmp_path) is None
    assert not record_lock(tmp_path, table(second), newest)
    assert lock_file(tmp_path, newest).read_bytes() == bytes_before
    assert [file.name for file in tmp_path.iterdir()] == [f"{newest}.parquet"], "no draft is left behind"


def test_only_the_rows_of_the_date_are_kept(tools: Tools, tmp_path: Path) -> None:
    con = written(tools, 200)
    ((newest,),) = con.execute("select max(lock_date) from analysis.forecast_locks").fetchall()
    record_newest_lock(con, tmp_path)
    kept = read_locks(tmp_path, newest)
    rows = con.execute("select * from analysis.forecast_locks where lock_date = ?", [newest]).fetchall()
    assert kept.num_rows == len(rows) > 0
    assert set(kept["lock_date"].to_pylist()) == {newest}
    assert sum(kept["forecast_amount"].to_pylist()) == sum(row[7] for row in rows)


def test_nothing_to_record(tools: Tools, tmp_path: Path) -> None:
    con = tools.warehouse(tools.Company())
    write_forecasts(con, timezone=tools.zone, as_of=tools.start)
    assert record_newest_lock(con, tmp_path) is None
    assert not record_lock(tmp_path, table(written(tools, 100)), date(1999, 1, 4))
    assert list(tmp_path.iterdir()) == []
    assert read_locks(tmp_path / "no folder", date(2030, 1, 1)).num_rows == 0


def test_recorded_locks_replace_computed_ones(tools: Tools, tmp_path: Path) -> None:
    con = written(tools, 200)
    ((newest,),) = con.execute("select max(lock_date) from analysis.forecast_locks").fetchall()
    as_of = tools.start + timedelta(days=280)
    later = tools.warehouse(tools.random_company(2, deals=80, days=300).until(as_of))
    write_forecasts(later, timezone=tools.zone, as_of=as_of)
    computed = table(later)

    altered = con.execute(
        "select * replace (forecast_amount + 1000 as forecast_amount) from analysis.forecast_locks where lock_date = ?",
        [newest],
    ).to_arrow_table()
    assert record_lock(tmp_path, altered, newest)
    write_forecasts(later, timezone=tools.zone, as_of=as_of, locks_dir=tmp_path)
    rows = later.execute(
        "select count(*) filter (where is_recorded), count(*) filter (where is_recorded <> (lock_date = ?)), count(*) from analysis.forecast_locks",
        [newest],
    ).fetchone()
    assert rows == (altered.num_rows, 0, computed.num_rows)
    total = "select forecast_amount from analysis.forecast_locks where lock_date = ? and level = 'total' order by all"
    later.register("computed", computed)
    before = later.execute(total.replace("analysis.forecast_locks", "computed"), [newest]).fetchall()
    after = later.execute(total, [newest]).fetchall()
    assert after == [(amount + Decimal(1000),) for (amount,) in before]
    # What was locked is what later intervals learn from: F + 1000 moves some of them, and no forecast but the recorded ones.
    ((found, other_forecasts, other_intervals),) = later.execute(
        """
        select count(*), count(*) filter (where a.forecast_amount <> b.forecast_amount), count(*) filter (where a.low_amount <> b.low_amount)
        from computed as a inner join analysis.forecast_locks as b using (lock_date, period_start_date, method, level, segment)
        where a.lock_date > ?
        """,
        [newest],
    ).fetchall()
    assert found > 0 and other_forecasts == 0 and other_intervals > 0


def test_locks_after_as_of_are_not_read(tools: Tools, tmp_path: Path) -> None:
    con = written(tools, 280)
    assert record_newest_lock(con, tmp_path)
    earlier = written(tools, 200)
    before = table(earlier)
    as_of = tools.start + timedelta(days=200)
    write_forecasts(earlier, timezone=tools.zone, as_of=as_of, locks_dir=tmp_path)
    assert table(earlier).equals(before)


def test_recording_and_recomputing_with_the_same_data_changes_nothing(tools: Tools, tmp_path: Path) -> None:
    con = written(tools, 250)
    before = table(con).drop_columns(["is_recorded"])
    record_newest_lock(con, tmp_path)
    write_forecasts(con, timezone=tools.zone, as_of=tools.start + timedelta(days=250), locks_dir=tmp_path)
    assert table(con).drop_columns(["is_recorded"]).equals(before)


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "2024-01-08.parquet").write_bytes(b"not parquet")
    with pytest.raises(ConfigurationError, match=r"2024-01-08\.parquet"):
        read_locks(tmp_path, date(2024, 2, 1))
