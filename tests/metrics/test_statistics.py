"""Values and intervals of the marts against ``reference``: every segment, for all time and per quarter, and the edges."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from salesgauge.warehouse import connect
from tests.dbt.project import build
from tests.metrics import facts, reference

Row = pd.Series
Expected = Callable[[pd.DataFrame], dict[str, float | None]]


def _groups(frame: pd.DataFrame, date: str) -> Iterator[tuple[tuple, pd.DataFrame]]:
    """((grain, start, segment type, segment), rows) of every group of the long format, without year, month and week."""
    quarter = pd.to_datetime(frame[date]).dt.to_period("Q").dt.start_time.dt.date
    for segment_type in ("total", *facts.SEGMENTS):
        segment = pd.Series("total", frame.index) if segment_type == "total" else frame[segment_type].fillna("(none)")
        for name, rows in frame.groupby(segment):
            yield ("all", None, segment_type, name), rows
        for (start, name), rows in frame.groupby([quarter, segment]):
            yield ("quarter", start, segment_type, name), rows


def _compare(con: duckdb.DuckDBPyConnection, mart: str, frame: pd.DataFrame, date: str, expected: Expected) -> None:
    rows = con.sql(f"select * from kpi.{mart} where period_grain in ('all', 'quarter')").df()
    rows["period_start_date"] = rows["period_start_date"].dt.date.astype(object)
    known = {
        (
            row.period_grain,
            None if pd.isna(row.period_start_date) else row.period_start_date,
            row.segment_type,
            row.segment,
        ): row
        for row in rows.itertuples()
    }
    compared = 0
    for key, group in _groups(frame, date):
        for column, value in expected(group).items():
            # a group in which nothing of the KPI happened has no row
            found = getattr(known[key], column) if key in known else None
            found = None if found is None or pd.isna(found) else float(found)
            assert reference.is_same(found, value), f"{mart}.{column} {key}: {found} is not {value}"
            compared += 1
    assert compared > 300


def _shares(name: str, low: str, high: str, successes: int, n: int) -> dict[str, float | None]:
    bounds = reference.wilson(successes, n)
    return {name: successes / n if n else None, low: bounds[0], high: bounds[1]}


def test_speed_to_lead(con: duckdb.DuckDBPyConnection) -> None:
    def expected(group: pd.DataFrame) -> dict[str, float | None]:
        minutes = group["minutes"].dropna().tolist()
        low, high = reference.median_interval(minutes)
        return {
            "n": len(group),
            "median_minutes": float(np.median(minutes)) if minutes else None,
            "p90_minutes": float(np.quantile(minutes, 0.9)) if minutes else None,
            "median_low": low,
            "median_high": high,
            "km_median_minutes": reference.kaplan_meier_median(
                list(zip(group["minutes_observed"], group["is_contacted"], strict=True))
            ),
            **_shares(
                "within_target_rate",
                "within_target_low",
                "within_target_high",
                int(group["is_within_target"].sum()),
                len(group),
            ),
            **_shares(
                "never_contacted_rate",
                "never_contacted_low",
                "never_contacted_high",
                int((~group["is_contacted"]).sum()),
                len(group),
            ),
        }

    _compare(con, "kpi_speed_to_lead", con.sql("from marts.fct_speed_to_lead").df(), "created_date", expected)


def test_overall_conversion(con: duckdb.DuckDBPyConnection) -> None:
    def expected(group: pd.DataFrame) -> dict[str, float | None]:
        return {
            "n": len(group),
            "open_share": float(group["is_open"].mean()),
            "km_median_days": reference.kaplan_meier_median(
                list(zip(group["days_observed"], group["is_won"], strict=True))
            ),
            **_shares("conversion_rate", "low", "high", int(group["is_won"].sum()), len(group)),
        }

    _compare(con, "kpi_overall_conversion", con.sql("from marts.fct_lead").df(), "created_date", expected)


def test_sales_cycle(con: duckdb.DuckDBPyConnection) -> None:
    def expected(group: pd.DataFrame) -> dict[str, float | None]:
        days = group.loc[~group["is_negative_cycle"], "cycle_days"].tolist()
        mean_low, mean_high = reference.mean_interval(days)
        median_low, median_high = reference.median_interval(days)
        return {
            "n": len(days),
            "mean_days": float(np.mean(days)) if days else None,
            "mean_low": mean_low,
            "mean_high": mean_high,
            "median_days": float(np.median(days)) if days else None,
            "median_low": median_low,
            "median_high": median_high,
            "negative_cycles": int(group["is_negative_cycle"].sum()),
        }

    _compare(con, "kpi_sales_cycle", con.sql("from marts.fct_closed_deal where is_won").df(), "closed_date", expected)


def test_kaplan_meier_of_the_sales_cycle_is_by_created_date(con: duckdb.DuckDBPyConnection) -> None:
    def expected(group: pd.DataFrame) -> dict[str, float | None]:
        return {
            "km_median_days": reference.kaplan_meier_median(
                list(zip(group["days_observed"], group["is_won"], strict=True))
            )
        }

    deals = con.sql("from marts.fct_deal where not is_negative_cycle and days_observed >= 0").df()
    _compare(con, "kpi_sales_cycle", deals, "created_date", expected)


def test_win_loss(con: duckdb.DuckDBPyConnection) -> None:
    def expected(group: pd.DataFrame) -> dict[str, float | None]:
        won = group["is_won"]
        amounts = group["amount"].fillna(0)
        total = amounts.sum()
        return {
            "won_amount": round(amounts[won].sum(), 2),
            "lost_amount": round(amounts[~won].sum(), 2),
            "win_rate_by_amount": amounts[won].sum() / total if total else None,
            "win_loss_ratio": won.sum() / (~won).sum() if (~won).sum() else None,
            **_shares("win_rate", "low", "high", int(won.sum()), len(group)),
        }

    _compare(con, "kpi_win_loss", con.sql("from marts.fct_closed_deal").df(), "closed_date", expected)


def test_completeness(con: duckdb.DuckDBPyConnection) -> None:
    records = con.sql(
        f"""select object, record_id, created_date, {", ".join(facts.SEGMENTS)}, sum(weight) as x, sum(filled_weight) as y,
                   bool_and(is_filled) as is_complete, count(*) as cells
            from marts.fct_field_completeness group by all"""
    ).df()

    def expected(group: pd.DataFrame) -> dict[str, float | None]:
        low, high = reference.ratio_interval(list(zip(group["y"], group["x"], strict=True)))
        return {
            "n": len(group),
            "cells": int(group["cells"].sum()),
            "completeness": group["y"].sum() / group["x"].sum(),
            "completeness_low": low,
            "completeness_high": high,
            **_shares("complete_record_rate", "low", "high", int(group["is_complete"].sum()), len(group)),
        }

    _compare(con, "kpi_crm_completeness", records, "created_date", expected)


def test_satisfaction(con: duckdb.DuckDBPyConnection) -> None:
    def expected(group: pd.DataFrame) -> dict[str, float | None]:
        points = group["nps_points"].dropna().tolist()
        low, high = reference.mean_interval(points)
        satisfied = group["is_satisfied"].dropna().astype(bool)
        return {
            "responses": len(group),
            "nps": float(np.mean(points)) if points else None,
            "nps_low": None if low is None else max(-100.0, low),
            "nps_high": None if high is None else min(100.0, high),
            **_shares("csat", "csat_low", "csat_high", int(satisfied.sum()), len(satisfied)),
        }

    _compare(con, "kpi_satisfaction", con.sql("from marts.fct_survey_response").df(), "submitted_date", expected)


def test_edges_no_one_ties_and_all_censored(tmp_path: Path) -> None:
    """Empty facts make marts without an error; one row, ties, and nobody contacted have the values of the definition."""
    warehouse = tmp_path / "salesgauge.duckdb"
    day = dt.date(2026, 5, 4)

    def lead(branch: str, number: int, minutes: float | None, observed: float) -> dict:
        return {
            "lead_id": f"{branch}{number}", "branch": branch, "created_date": day, "minutes": minutes, "minutes_observed": observed,
            "is_contacted": minutes is not None, "is_within_5_minutes": minutes is not None and minutes <= 5,
        }  # fmt: skip

    with connect(warehouse) as con:
        facts.create_tables(con)
        rows = [lead("one", 0, 7.0, 7.0)]
        rows += [lead("ties", number, 4.0, 4.0) for number in range(6)]
        rows += [lead("censored", number, None, 10.0 + number) for number in range(3)]
        # 4 at risk: 0.75 after 1, 0.5 after 2, where one is censored at the same time: exactly a half is the median.
        rows += [
            lead("half", 0, 1.0, 1.0),
            lead("half", 1, 2.0, 2.0),
            lead("half", 2, None, 2.0),
            lead("half", 3, None, 9.0),
        ]
        facts.insert(con, "marts.fct_speed_to_lead", rows)
    build(
        warehouse.parent,
        "kpi_speed_to_lead",
        "kpi_sales_cycle",
        "kpi_win_loss",
        "kpi_overall_conversion",
        "kpi_crm_completeness",
    )
    with connect(warehouse, read_only=True) as con:
        found = (
            con.sql("from kpi.kpi_speed_to_lead where segment_type = 'branch' and period_grain = 'all'")
            .df()
            .set_index("segment")
        )
        assert found.loc["one", ["median_minutes", "km_median_minutes"]].tolist() == [7.0] * 2
        assert found.loc["one", ["median_low", "median_high"]].isna().all()
        assert (
            found.loc["ties", ["median_minutes", "median_low", "median_high", "km_median_minutes"]].tolist()
            == [4.0] * 4
        )
        assert found.loc["ties", ["within_5_minutes_rate", "within_5_minutes_high"]].tolist() == [1.0, 1.0]
        assert found.loc["censored", ["median_minutes", "median_low", "p90_minutes", "km_median_minutes"]].isna().all()
        assert found.loc["censored", ["never_contacted_rate", "n"]].tolist() == [1.0, 3]
        assert found.loc["half", "km_median_minutes"] == 2.0
        assert pd.isna(found.loc["one", "within_target_rate"])  # the stage has no limit for any lead here
        assert found["is_low_n"].all()
        won = con.sql(
            "select deals_won, won_amount, win_rate, win_loss_ratio, low from kpi.kpi_win_loss where segment_type = 'total'"
        ).fetchall()
        assert won == [(0, 0, None, None, None)]
        assert con.sql("select count(*) from kpi.kpi_crm_completeness where completeness is not null").fetchone() == (
            0,
        )


def test_weighted_pipeline_is_exact_to_the_cent(tmp_path: Path) -> None:
    """Half of 5 cents is 2, half of 15 cents is 8 (half to even); the age runs on the branch's clock; closed deals are not in it."""
    warehouse = tmp_path / "salesgauge.duckdb"
    entered = dt.datetime(2026, 3, 1, 18, 0)  # before the clock change of Chicago (8 March 2026)

    def deal(number: int, branch: str, amount: float, outcome: str) -> dict:
        flags = {"is_open": outcome == "open", "is_won": outcome == "won", "is_lost": outcome == "lost"}
        stage = "quote" if outcome == "open" else outcome
        return {
            "deal_id": f"d{number}",
            "case_id": f"d{number}",
            "branch": branch,
            "amount": amount,
            "current_stage": stage,
            **flags,
        }

    deals = [deal(1, "a", 0.05, "open"), deal(2, "b", 0.15, "open"), deal(3, "a", 9, "won"), deal(4, "a", 9, "lost")]
    with connect(warehouse) as con:
        facts.create_tables(con)
        con.execute("insert into process.branches values ('a', 'A', 'America/Chicago'), ('b', 'B', 'UTC')")
        facts.insert(con, "marts.fct_deal", deals)
        visits = [
            {
                "case_id": row["case_id"], "deal_id": row["deal_id"], "branch": row["branch"], "stage": "quote", "entered_at": entered,
                "left_at": None if row["is_open"] else entered,
            }
            for row in deals
        ]  # fmt: skip
        facts.insert(con, "marts.fct_stage_visit", visits)
    build(warehouse.parent, "kpi_pipeline")
    with connect(warehouse, read_only=True) as con:
        found = con.sql(
            "select segment, deals, amount, weighted_amount, median_age_days from kpi.kpi_pipeline where segment_type = 'branch'"
        ).df()
    days = (facts.AS_OF - entered).total_seconds() / 86400
    assert found.sort_values("segment").values.tolist() == [
        ["a", 1, 0.05, 0.02, days + 1 / 24],
        ["b", 1, 0.15, 0.08, days],
    ]
