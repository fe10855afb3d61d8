"""A made-up published version with the columns of docs/tables.md that the report reads, filled from a seed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

AS_OF = datetime(2026, 3, 18, 6, 0)
SCHEMA = """
create schema process; create schema kpi; create schema marts; create schema quality; create schema analysis;
create table process.run (as_of timestamp, as_of_date date, company_name varchar, currency varchar, timezone varchar, definition_version integer);
create table process.stages (
    stage varchar, stage_order integer, label varchar, kind varchar, object varchar, owner_role varchar, first_touch_minutes integer,
    days_in_stage double, playbook varchar
);
create table process.branches (branch varchar, label varchar, timezone varchar);
create table process.targets (
    kpi varchar, from_stage varchar, to_stage varchar, segment_type varchar, segment varchar, before_value double, target_value double,
    direction varchar, effective_from date
);
create table marts.dim_user (user_id varchar, name varchar, rep varchar, email varchar, role varchar, team varchar, branch varchar, is_active boolean);
create table marts.fct_forecast (
    lock_date date, period_start_date date, period_end_date date, horizon_days integer, horizon_bucket varchar, method varchar, level varchar,
    segment varchar, forecast_amount decimal(18, 2), low_amount decimal(18, 2), high_amount decimal(18, 2), actual_amount decimal(18, 2),
    absolute_error_amount decimal(18, 2), error_amount decimal(18, 2), is_covered boolean
);
create table kpi.kpi_win_loss (
    period_grain varchar, period_start_date date, segment_type varchar, segment varchar, deals_won bigint, deals_lost bigint, n bigint,
    win_rate double, low double, high double, won_amount decimal(18, 2), lost_amount decimal(18, 2), is_low_n boolean
);
create table kpi.kpi_volume (
    period_grain varchar, period_start_date date, segment_type varchar, segment varchar, leads_created bigint, deals_created bigint
);
create table kpi.kpi_forecast_accuracy (
    period_grain varchar, period_start_date date, segment_type varchar, segment varchar, method varchar, level varchar, horizon_bucket varchar,
    n bigint, wape double, bias double, accuracy double, skill double, covered bigint, with_interval bigint, coverage_rate double, is_low_n boolean
);
create table kpi.kpi_pipeline (
    segment_type varchar, segment varchar, stage varchar, deals bigint, amount decimal(18, 2), weighted_amount decimal(18, 2), median_age_days double
);
create table kpi.kpi_trend (
    kpi varchar, period_grain varchar, period_start_date date, segment_type varchar, from_stage varchar, to_stage varchar, value double, low double,
    high double
);
create table kpi.kpi_scorecard (
    kpi varchar, from_stage varchar, to_stage varchar, segment_type varchar, segment varchar, unit varchar, baseline_start_date date,
    baseline_end_date date, baseline double, baseline_low double, baseline_high double, baseline_n bigint, current_start_date date,
    current_end_date date, current_value double, current_low double, current_high double, current_n bigint, difference double,
    difference_low double, difference_high double, target double, before_value double, direction varchar, is_season_matched boolean,
    is_low_n boolean, status varchar
);
create table kpi.kpi_crm_completeness (
    period_grain varchar, period_start_date date, segment_type varchar, segment varchar, n bigint, cells bigint, completeness double,
    completeness_low double, completeness_high double, complete_records bigint, complete_record_rate double, low double, high double,
    validity_rate double, uniqueness_rate double, timeliness_rate double, is_low_n boolean
);
create table kpi.kpi_crm_completeness_by_field (
    period_grain varchar, period_start_date date, segment_type varchar, segment varchar, object varchar, stage varchar, field varchar,
    n bigint, filled bigint, completeness double, weight double, is_low_n boolean
);
create table kpi.kpi_reconciliation (entity varchar, reason varchar, records bigint);
create table quality.loads (
    source varchar, load_id varchar, loaded_at timestamp, table_name varchar, received bigint, loaded bigint, quarantined bigint,
    duplicates bigint, cursor varchar
);
create table quality.checks (
    origin varchar, suite varchar, name varchar, table_name varchar, severity varchar, passed boolean, observed varchar, expected varchar,
    rows_checked bigint, failing_rows bigint, examples varchar
);
"""
REPS = (
    "Ana Alvarez", "Ben Brooks", "Carla Chen", "Dev Desai", "Ella Evans", "Frank Fischer", "Grace Gomez", "Hugo Hansen", "Ivy Ibrahim",
    "Jack Jensen", "Kim Kowalski", "Liam Lopez", "Mia Meyer", "Noah Novak",
)  # fmt: skip
BRANCHES = ("chicago", "denver", "naperville")
BUCKETS = ((7, "0-7"), (30, "8-30"), (60, "31-60"), (90, "61-90"))


class Published:
    """Writes versions into a folder like ``var/published`` and gives the pointer."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0

    def write(self, fill: Callable[[duckdb.DuckDBPyConnection], None] | None = None, *, schema: str = SCHEMA) -> Path:
        """The pointer to a new version whose tables ``fill`` has written."""
        self._number += 1
        name = f"{self._number:06d}-20260318T060500Z"
        file = self._folder / "versions" / name / "salesgauge.duckdb"
        file.parent.mkdir(parents=True)
        con = duckdb.connect(str(file))
        con.execute(schema)
        if fill:
            fill(con)
        con.close()
        (file.parent / "manifest.json").write_text(json.dumps({"version": name, "as_of": "2026-03-18T06:00:00"}))
        pointer = self._folder / "salesgauge.duckdb"
        pointer.unlink(missing_ok=True)
        pointer.symlink_to(file)
        return pointer


def month(day: date, months: int) -> date:
    code = day.year * 12 + day.month - 1 + months
    return date(code // 12, code % 12 + 1, 1)


def insert(con: duckdb.DuckDBPyConnection, table: str, rows: list[tuple]) -> None:
    """Many rows per statement: one by one takes seconds."""
    for start in range(0, len(rows), 200):
        chunk = rows[start : start + 200]
        marks = ", ".join("(" + ", ".join("?" * len(row)) + ")" for row in chunk)
        con.execute(f"insert into {table} values {marks}", [value for row in chunk for value in row])


def plausible(
    con: duckdb.DuckDBPyConnection, *, company: str = "Northside Heating & Plumbing", reps: tuple[str, ...] = REPS
) -> None:
    """Two years of a contractor."""
    rng = random.Random(4)
    insert(con, "process.run", [(AS_OF, AS_OF.date(), company, "USD", "America/Chicago", 1)])
    stages = [
        ("inquiry", "Inquiry", "open", "lead", 2), ("qualification", "Qualification", "open", "lead", 3),
        ("consultation_scheduled", "Consultation scheduled", "open", "deal", 7), ("consultation_held", "Consultation held", "open", "deal", 5),
        ("proposal", "Proposal", "open", "deal", 10), ("won", "Won", "won", "deal", None), ("lost", "Lost", "lost", "deal", None),
    ]  # fmt: skip
    insert(
        con,
        "process.stages",
        [(key, i, label, kind, obj, None, None, days, None) for i, (key, label, kind, obj, days) in enumerate(stages)],
    )
    insert(con, "process.branches", [(key, key.title(), "America/Chicago") for key in BRANCHES])
    insert(
        con,
        "marts.dim_user",
        [(f"crm:{i}", rep, rep, None, "rep", "a", "chicago", i != 12) for i, rep in enumerate(reps)],
    )
    _forecasts(con, rng, reps)
    _scorecard(con)
    _completeness(con, rng, reps)
    insert(
        con,
        "kpi.kpi_pipeline",
        [
            ("total", "total", "consultation_scheduled", 41, 352_400.0, 91_900.0, 4.2),
            ("total", "total", "consultation_held", 29, 301_200.5, 129_800.0, 5.6),
            ("total", "total", "proposal", 58, 688_300.0, 371_000.0, 12.4),
            ("branch", "denver", "proposal", 20, 100_000.0, 50_000.0, 3.0),
        ],
    )
    insert(
        con,
        "kpi.kpi_reconciliation",
        [
            ("leads", "received", 6_120),
            ("leads", "counted", 5_871),
            ("leads", "test", 41),
            ("leads", "merged", 133),
            ("leads", "deleted", 75),
            ("deals", "received", 2_560),
            ("deals", "counted", 2_471),
            ("deals", "lead_test", 12),
            ("deals", "deleted", 77),
        ],
    )
    loads = [
        ("hubspot", "deals", 2_563, 2_560, 3, 0),
        ("hubspot", "contacts", 6_120, 6_120, 0, 0),
        ("typeform", "responses", 1_502, 1_499, 1, 2),
        ("ga4", "events", 150_233, 150_233, 0, 0),
    ]
    insert(
        con,
        "quality.loads",
        [
            (source, "1", AS_OF - timedelta(hours=1 if source != "ga4" else 75), table, *counts, None)
            for source, table, *counts in loads
        ],
    )
    insert(
        con,
        "quality.checks",
        [("gx", "crm", f"check {i}", "t", "error", i != 3, None, None, 10, 0, None) for i in range(40)],
    )


def _forecasts(con: duckdb.DuckDBPyConnection, rng: random.Random, reps: tuple[str, ...]) -> None:
    first = date(2024, 3, 1)
    season = [0.8, 0.75, 0.85, 0.95, 1.1, 1.35, 1.5, 1.4, 1.05, 0.9, 0.95, 1.0]
    won = {
        month(first, i): 310_000 * season[month(first, i).month - 1] * (1 + 0.01 * i) * rng.uniform(0.9, 1.1)
        for i in range(28)
    }
    running = AS_OF.date().replace(day=1)
    rows: list[tuple[Any, ...]] = []
    volumes: list[tuple[Any, ...]] = []
    for start, amount in won.items():
        if start <= running:
            shown = amount if start < running else amount * 0.55
            rows.append(("month", start, "total", "total", 90, 120, 210, 0.43, 0.38, 0.49, round(shown, 2), 0, False))
            volumes.append(("month", start, "total", "total", 250, 104))
    rows.append(("all", None, "total", "total", 1_010, 1_240, 2_250, 0.449, 0.43, 0.47, 9_000_000, 0, False))
    insert(con, "kpi.kpi_win_loss", rows)
    insert(con, "kpi.kpi_volume", volumes)
    locks = []
    lock = date(2025, 2, 3)
    while lock <= AS_OF.date():
        for ahead in range(4):
            start = month(lock, ahead)
            end = month(start, 1) - timedelta(days=1)
            horizon = (end - lock).days
            if horizon > 90:
                break
            bucket = next(name for last, name in BUCKETS if horizon <= last)
            for method, spread in (("stage_age_pipeline", 0.02 + horizon / 500), ("seasonal_naive", 0.22)):
                for level, segments in (("total", ["total"]), ("branch", list(BRANCHES))):
                    for segment in segments:
                        share = won[start] / len(segments)
                        value = share * rng.gauss(1 + horizon / 900, spread)
                        actual = round(share, 2) if start < running else None
                        low, high = value * (1 - 1.4 * spread), value * (1 + 1.4 * spread)
                        error = None if actual is None else value - actual
                        locks.append(
                            (
                                lock,
                                start,
                                end,
                                horizon,
                                bucket,
                                method,
                                level,
                                segment,
                                round(value, 2),
                                round(low, 2),
                                round(high, 2),
                                actual,
                                None if error is None else abs(error),
                                error,
                                None if actual is None else low <= actual <= high,
                            )
                        )
        lock += timedelta(days=7)
    insert(con, "marts.fct_forecast", locks)
    accuracy: list[tuple[Any, ...]] = []
    for method, wapes in (
        ("stage_age_pipeline", (0.06, 0.11, 0.16, 0.24)),
        ("seasonal_naive", (0.21, 0.22, 0.21, 0.23)),
    ):
        for bucket, wape in zip(("0-7", "8-30", "31-60", "61-90"), wapes, strict=True):
            accuracy.append(
                (
                    "all",
                    None,
                    "total",
                    "total",
                    method,
                    "total",
                    bucket,
                    52,
                    wape,
                    wape / 3,
                    1 - wape,
                    1 - wape / 0.22,
                    40,
                    50,
                    0.8,
                    False,
                )
            )
        whole = sum(wapes) / 4
        accuracy.append(
            (
                "all",
                None,
                "total",
                "total",
                method,
                "total",
                "all",
                190,
                whole,
                whole / 4,
                1 - whole,
                1 - whole / 0.22,
                150,
                188,
                0.81,
                False,
            )
        )
        for level, segments in (("branch", list(BRANCHES)), ("rep", list(reps))):
            for i, segment in enumerate(segments):
                wape = whole * (1.4 if level == "branch" else 2.6) * rng.uniform(0.8, 1.3)
                n = 12 if segment == reps[-1] else 190
                accuracy.append(
                    (
                        "all",
                        None,
                        level,
                        segment,
                        method,
                        level,
                        "all",
                        n,
                        wape,
                        wape * rng.uniform(-0.5, 0.6),
                        1 - wape,
                        None if i == 1 else 1 - wape / 0.6,
                        140,
                        180,
                        0.78,
                        n < 20,
                    )
                )
    insert(con, "kpi.kpi_forecast_accuracy", accuracy)


def _scorecard(con: duckdb.DuckDBPyConnection) -> None:
    spans = (date(2024, 12, 16), date(2025, 3, 16)), (date(2025, 12, 15), date(2026, 3, 15))
    rows = [
        ("speed_to_lead_median_minutes", None, None, "minutes", (96.0, 81.0, 110.0, 640), (18.4, 16.2, 21.0, 702), 15, 120, "down", "on_way"),
        ("speed_to_lead_within_target_rate", None, None, "share", (0.22, 0.19, 0.25, 640), (0.46, 0.42, 0.50, 702), 0.8, None, "up", "on_way"),
        ("stage_pair_conversion_rate", "inquiry", "consultation_held", "share", (0.31, 0.275, 0.347, 640), (0.38, 0.345, 0.417, 702), 0.5, 0.3, "up", "on_way"),
        ("stage_pair_conversion_rate", "consultation_held", "won", "share", (0.42, 0.35, 0.49, 198), (0.44, 0.38, 0.50, 266), 0.6, 0.4, "up", "no_change"),
        ("sales_cycle_days_median", None, None, "days", (13.9, 12.2, 15.1, 118), (6.8, 6.1, 7.9, 141), 7, 14, "down", "met"),
        ("win_rate", None, None, "share", (0.37, 0.31, 0.43, 242), (0.41, 0.35, 0.47, 271), 0.55, 0.35, "up", "no_change"),
        ("overall_conversion_rate", None, None, "share", (0.151, 0.125, 0.181, 640), (0.131, 0.108, 0.158, 702), 0.25, None, "up", "no_change"),
        ("crm_completeness", None, None, "share", (0.801, 0.79, 0.812, 860), (0.884, 0.876, 0.892, 955), 0.95, 0.8, "up", "on_way"),
        ("nps", None, None, "points", (31.0, 22.0, 40.0, 160), (24.0, 12.0, 36.0, 17), 50, None, "up", "no_change"),
        ("sales_cycle_days_p90", None, None, "days", (40.0, None, None, 118), (44.0, None, None, 141), 30, None, "down", None),
    ]  # fmt: skip
    written = []
    for kpi, from_stage, to_stage, unit, before, now, target, said, direction, status in rows:
        difference = now[0] - before[0]
        written.append(
            (
                kpi,
                from_stage,
                to_stage,
                "total",
                "total",
                unit,
                *spans[0],
                *before,
                *spans[1],
                *now,
                difference,
                difference - 0.1,
                difference + 0.1,
                target,
                said,
                direction,
                True,
                now[3] < 20 or before[3] < 20,
                status,
            )
        )
    insert(con, "kpi.kpi_scorecard", written)
    # of the first week nothing is known, of the last one no interval
    trend = [
        (kpi, "week", spans[1][0] + timedelta(weeks=week), "total", from_stage, to_stage, now[0] * (1 + week / 40))
        + ((None, None) if week == 12 else (now[0] * 0.8, now[0] * 1.5))
        for kpi, from_stage, to_stage, _, _, now, *_ in rows
        for week in range(1, 13)
    ]
    insert(con, "kpi.kpi_trend", trend)


def _completeness(con: duckdb.DuckDBPyConnection, rng: random.Random, reps: tuple[str, ...]) -> None:
    rows = [
        (
            "all",
            None,
            "total",
            "total",
            8_342,
            41_000,
            0.874,
            0.871,
            0.877,
            5_900,
            0.71,
            0.7,
            0.72,
            0.98,
            0.97,
            0.66,
            False,
        )
    ]
    for i, rep in enumerate(reps):
        n = 9 if i == len(reps) - 1 else rng.randrange(200, 700)
        value = 0.69 + 0.28 * (i * 37 % 14) / 13
        half = 0.6 / n**0.5
        rows.append(
            (
                "all",
                None,
                "rep",
                rep,
                n,
                n * 5,
                value,
                max(0, value - half),
                min(1, value + half),
                n // 2,
                0.5,
                0.4,
                0.6,
                0.9,
                0.9,
                0.6,
                n < 20,
            )
        )
    insert(con, "kpi.kpi_crm_completeness", rows)
    fields = [
        ("deal", "proposal", "next_step", 0.61),
        ("deal", "proposal", "wanted_by", 0.66),
        ("lead", "inquiry", "email", 0.78),
        ("deal", "consultation_held", "budget_band", 0.72),
        ("lead", "inquiry", "phone", 0.96),
    ]
    insert(
        con,
        "kpi.kpi_crm_completeness_by_field",
        [
            ("all", None, "total", "total", obj, stage, field, 2_100, int(2_100 * share), share, 1.0, False)
            for obj, stage, field, share in fields
        ],
    )


class Tools:
    """What the tests use; a fixture, because test modules do not import each other."""

    plausible = staticmethod(plausible)
    schema = SCHEMA
    reps = REPS
    as_of = AS_OF


@pytest.fixture(scope="session")
def tools() -> Tools:
    return Tools()


@pytest.fixture
def published(tmp_path: Path) -> Published:
    return Published(tmp_path / "published")
