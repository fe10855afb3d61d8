"""Weekly forecast locks: what was known every Monday about the months to come → ``analysis.forecast_locks``.

This module reads, calls the methods, adds the intervals and writes. The formulas of a method are in ``methods``, what was
known when in ``snapshots``, recorded locks in ``locks``. Accuracy is measured by the models (``fct_forecast``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from analysis.grid import BUCKETS, Grid, horizon_bucket, lock_grid, month_code, month_start, periods_of
from analysis.intervals import interval
from analysis.locks import SCHEMA, read_locks, record_newest_lock
from analysis.methods import methods
from analysis.snapshots import LEVELS, DealHistory, Snapshot, read_deals

__all__ = ["record_newest_lock", "write_forecasts"]

_CREATE = """
    create schema if not exists analysis;
    create or replace table analysis.forecast_locks (
        lock_date date, period_start_date date, period_end_date date, horizon_days integer,
        method varchar, level varchar, segment varchar,
        forecast_amount decimal(18, 2), low_amount decimal(18, 2), high_amount decimal(18, 2),
        deals_open integer, is_recorded boolean, created_as_of timestamp
    )
"""
_POINT_KEY = ["lock", "month", "method", "level", "segment"]


@dataclass(frozen=True)
class _Points:
    """Forecasts of all locks before their intervals, and per lock and level what had come true by then.

    ``rows``: lock (number of the Monday), month, horizon, method, level, segment (name), cents, deals_open.
    ``actual[lock][level]``: cents by month (from ``first_month`` on) and segment code. ``names``: segments by code.
    """

    rows: pd.DataFrame
    actual: list[dict[str, np.ndarray]]
    first_month: int
    names: dict[str, list[str]]


def write_forecasts(
    con: duckdb.DuckDBPyConnection, *, timezone: str, as_of: datetime, locks_dir: Path | None = None
) -> int:
    """Make ``analysis.forecast_locks`` anew from the marts in ``con``; the number of rows. docs/kpis/forecast.md.

    ``timezone``: the company's zone. ``as_of``: UTC, naive; nothing later is looked at. ``locks_dir``: recorded locks, which
    stand as they are. The table is replaced in one transaction; without deals it is empty.
    """
    table = _locks(con, timezone, as_of, locks_dir)
    con.register("new_forecast_locks", table)
    try:
        con.execute("begin")
        con.execute(_CREATE)
        con.execute("insert into analysis.forecast_locks select * from new_forecast_locks order by all")
        con.execute("commit")
    except BaseException:
        con.execute("rollback")
        raise
    finally:
        con.unregister("new_forecast_locks")
    return table.num_rows


def _locks(con: duckdb.DuckDBPyConnection, timezone: str, as_of: datetime, locks_dir: Path | None) -> pa.Table:
    deals = read_deals(con, as_of)
    if deals.empty:
        return SCHEMA.empty_table()
    grid = lock_grid(deals["created_at"].min().to_pydatetime(), as_of, timezone)
    if not grid.mondays:
        return SCHEMA.empty_table()
    points = _points(DealHistory(con, deals, grid, as_of), deals["created_date"].min())
    recorded = read_locks(locks_dir, grid.mondays[-1])
    points = _with_recorded(points, recorded, grid)
    computed = _with_intervals(points, grid)
    computed = computed[~computed["is_recorded"]].assign(created_as_of=as_of)
    return pa.concat_tables([recorded, _table(computed, grid)])


def _points(history: DealHistory, data_start: date) -> _Points:
    grid = history.grid
    all_methods = methods(history, pd.Timestamp(data_start).date())
    first_month = month_code(grid.mondays[0]) - 1  # a win's local date may lie a day before the first Monday's month
    actual, frames = [], []
    for lock, monday in enumerate(grid.mondays):
        known = history.snapshot(lock)
        actual.append(_actual(known, history, first_month, month_code(monday) + 1))
        shown = {level: np.unique(codes[known.exists]) for level, codes in known.segments.items()}
        opened = {
            level: np.bincount(codes[known.is_open], minlength=len(history.names[level]))
            for level, codes in known.segments.items()
        }
        for period in periods_of(monday):
            for method in all_methods:
                forecast = method.forecast(lock, known, period)
                if forecast is None:
                    continue
                for level in LEVELS:
                    codes = shown[level]
                    frames.append(
                        (
                            lock,
                            period.month,
                            period.horizon,
                            method.name,
                            level,
                            codes,
                            forecast[level][codes],
                            opened[level][codes],
                        )
                    )
    return _Points(_point_rows(frames, history.names), actual, first_month, history.names)


def _point_rows(frames: list[tuple[Any, ...]], names: dict[str, list[str]]) -> pd.DataFrame:
    columns = ["lock", "month", "horizon", "method", "level"]
    sizes = [len(frame[5]) for frame in frames]
    rows = pd.DataFrame({name: np.repeat([frame[i] for frame in frames], sizes) for i, name in enumerate(columns)})
    segments = [np.array(names[frame[4]], dtype=object)[frame[5]] for frame in frames]
    rows["segment"] = np.concatenate(segments) if frames else np.zeros(0, dtype=object)
    cents = np.concatenate([frame[6] for frame in frames]) if frames else np.zeros(0)
    rows["cents"] = cents.astype(np.int64)
    rows["deals_open"] = (np.concatenate([frame[7] for frame in frames]) if frames else np.zeros(0)).astype(np.int64)
    return rows


def _actual(known: Snapshot, history: DealHistory, first_month: int, end_month: int) -> dict[str, np.ndarray]:
    """Cents won per level by month and segment, as known at the snapshot."""
    months = end_month - first_month
    won = known.is_won & (known.won_month >= first_month) & (known.won_month < end_month)
    month, cents = known.won_month[won] - first_month, known.cents[won]
    result = {}
    for level, codes in known.segments.items():
        size = len(history.names[level])
        sums = np.bincount(month * size + codes[won], weights=cents, minlength=months * size)
        result[level] = sums.astype(np.int64).reshape(months, size)
    return result


def _with_recorded(points: _Points, recorded: pa.Table, grid: Grid) -> _Points:
    """Put recorded forecasts in the place of the computed ones of the same lock and method."""
    rows = points.rows.assign(is_recorded=False)
    if not recorded.num_rows:
        return _Points(rows, points.actual, points.first_month, points.names)
    frame = recorded.to_pandas()
    number = {monday: place for place, monday in enumerate(grid.mondays)}
    frame["lock"] = frame["lock_date"].map(number)
    frame = frame[frame["lock"].notna()]
    stored = pd.DataFrame(
        {
            "lock": frame["lock"].astype(np.int64),
            "month": [month_code(day) for day in frame["period_start_date"]],
            "horizon": frame["horizon_days"].astype(np.int64),
            "method": frame["method"],
            "level": frame["level"],
            "segment": frame["segment"],
            "cents": [int(amount * 100) for amount in frame["forecast_amount"]],
            "deals_open": frame["deals_open"].astype(np.int64),
            "is_recorded": True,
        }
    )
    replaced = pd.MultiIndex.from_frame(rows[["lock", "method"]]).isin(
        pd.MultiIndex.from_frame(stored[["lock", "method"]])
    )
    return _Points(
        pd.concat([rows[~replaced], stored], ignore_index=True), points.actual, points.first_month, points.names
    )


def _with_intervals(points: _Points, grid: Grid) -> pd.DataFrame:
    """``points.rows`` in lock order with ``low``, ``high`` (cents) and ``has_interval``."""
    rows = points.rows.sort_values("lock", kind="stable").reset_index(drop=True)
    bucket = horizon_bucket(rows["horizon"].to_numpy(dtype=np.int64))
    group = rows.groupby(["method", "level", "segment"], sort=False).ngroup().to_numpy() * len(BUCKETS) + bucket
    cents, month, lock = (rows[name].to_numpy(dtype=np.int64) for name in ("cents", "month", "lock"))
    level = rows["level"].to_numpy()
    places = {name: {segment: place for place, segment in enumerate(names)} for name, names in points.names.items()}
    code = np.array([places[a].get(b, -1) for a, b in zip(level, rows["segment"], strict=True)], dtype=np.int64)
    low, high = np.zeros(len(rows), dtype=np.int64), np.zeros(len(rows), dtype=np.int64)
    has = np.zeros(len(rows), dtype=bool)
    starts = np.searchsorted(lock, np.arange(len(grid.mondays) + 1))
    for number, monday in enumerate(grid.mondays):
        now = slice(starts[number], starts[number + 1])
        over = np.flatnonzero(month[: starts[number]] < month_code(monday))
        came_true = np.zeros(len(over), dtype=np.int64)
        for name in LEVELS:
            here = (level[over] == name) & (code[over] >= 0)
            amounts = points.actual[number][name]
            came_true[here] = amounts[month[over][here] - points.first_month, code[over][here]]
        low[now], high[now], has[now] = interval(cents[now], group[now], came_true - cents[over], group[over])
    return rows.assign(low=low, high=high, has_interval=has)


def _table(rows: pd.DataFrame, grid: Grid) -> pa.Table:
    """Lock rows as Arrow with the columns of ``SCHEMA``."""
    starts = [month_start(code) for code in rows["month"]]
    ends = [month_start(code + 1) for code in rows["month"]]
    no_interval = ~rows["has_interval"].to_numpy(dtype=bool)
    return pa.table(
        {
            "lock_date": pa.array([grid.mondays[lock] for lock in rows["lock"]], pa.date32()),
            "period_start_date": pa.array(starts, pa.date32()),
            "period_end_date": pa.array([date.fromordinal(end.toordinal() - 1) for end in ends], pa.date32()),
            "horizon_days": pa.array(rows["horizon"], pa.int32()),
            "method": pa.array(rows["method"], pa.string()),
            "level": pa.array(rows["level"], pa.string()),
            "segment": pa.array(rows["segment"], pa.string()),
            "forecast_amount": _money(rows["cents"].to_numpy(), None),
            "low_amount": _money(rows["low"].to_numpy(), no_interval),
            "high_amount": _money(rows["high"].to_numpy(), no_interval),
            "deals_open": pa.array(rows["deals_open"], pa.int32()),
            "is_recorded": pa.array(rows["is_recorded"], pa.bool_()),
            "created_as_of": pa.array(rows["created_as_of"], pa.timestamp("us")),
        },
        schema=SCHEMA,
    )


def _money(cents: np.ndarray, missing: np.ndarray | None) -> pa.Array:
    """Integer cents as exact decimals; null where ``missing``."""
    # decimal128 is a 128-bit integer with a scale: the cents with their sign extended, so no float is involved.
    wide = np.empty((len(cents), 2), dtype="<i8")
    wide[:, 0], wide[:, 1] = cents, np.where(cents < 0, -1, 0)
    valid = None
    if missing is not None:
        valid = pa.array(~missing).buffers()[1]
    return pa.Array.from_buffers(pa.decimal128(18, 2), len(cents), [valid, pa.py_buffer(wide.tobytes())])
