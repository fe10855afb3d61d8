"""Which tables of a published version are compared with the truth, and what of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from demo.truth import Truth
from demo.truth.marts import money
from salesgauge.warehouse import open_published
from tests.e2e.comparison import differences

PERIOD = ("period_grain", "period_start_date", "segment_type", "segment")
TARGET = ("kpi", "from_stage", "to_stage", "segment_type", "segment")
LOCK = ("lock_date", "period_start_date", "method", "level", "segment")
STAMP = ("definition_version", "as_of")


@dataclass(frozen=True)
class Table:
    """``query``: the warehouse's side where it is not the mart itself; ``not_compared``: columns that only one side has."""

    keys: tuple[str, ...]
    query: str | None = None
    not_compared: tuple[str, ...] = STAMP


TABLES = {
    "kpi_volume": Table(PERIOD),
    "kpi_speed_to_lead": Table(PERIOD),
    "kpi_stage_conversion": Table((*PERIOD, "mode", "from_stage", "to_stage")),
    "kpi_overall_conversion": Table(PERIOD),
    "kpi_sales_cycle": Table(PERIOD),
    "kpi_win_loss": Table(PERIOD),
    "kpi_loss_reasons": Table((*PERIOD, "loss_reason")),
    "kpi_crm_completeness": Table(PERIOD),
    "kpi_crm_completeness_by_field": Table((*PERIOD, "object", "stage", "field")),
    "kpi_satisfaction": Table(PERIOD),
    "kpi_value": Table((*PERIOD, "kpi")),
    "kpi_pipeline": Table(("segment_type", "segment", "stage")),
    "kpi_forecast_accuracy": Table(
        (*PERIOD, "method", "level", "horizon_bucket"), None, (*STAMP, "absolute_error_amount")
    ),
    "kpi_scorecard": Table(TARGET, None, (*STAMP, "unit", "direction")),
    "kpi_scorecard_by_version": Table(
        (*TARGET, "process_version"), None, (*STAMP, "unit", "start_date", "end_date", "is_low_n")
    ),
    "kpi_process_edges": Table(("from_activity", "to_activity")),
    "kpi_process_variants": Table(("variant",)),
    "kpi_reconciliation": Table(("entity", "reason")),
    "forecast_locks": Table(
        LOCK,
        "select * exclude (is_recorded, created_as_of) from analysis.forecast_locks",
    ),
    "fct_forecast": Table(
        LOCK,
        "select lock_date, period_start_date, method, level, segment, horizon_bucket, forecast_amount, actual_amount from marts.fct_forecast",
    ),
    "kpi_pipeline_waterfall": Table(PERIOD),
    "fct_open_case": Table(
        ("stage", "rep"),
        "select stage, rep, count(*) as cases, count(next_step_at) as with_step, coalesce(sum(past_cases), 0)::bigint as past_cases, "
        "coalesce(sum(past_won), 0)::bigint as past_won, coalesce(sum(days_overdue), 0)::bigint as overdue from marts.fct_open_case group by all",
    ),
    "fct_pipeline_daily": Table(
        ("pipeline_date", "stage", "rep"),
        "select pipeline_date, stage, rep, count(*) as deals, coalesce(sum(amount), 0)::decimal(18, 2) as amount, count(expected_close_date) as dated, "
        "coalesce(sum(expected_close_date - pipeline_date), 0)::bigint as days_to_close, count(*) filter (where is_overdue) as overdue "
        "from marts.fct_pipeline_daily group by all",
    ),
    "ledger_kinds": Table(
        ("kind",), "select kind, count(*) as moves from marts.fct_stage_transition where is_counted group by kind"
    ),
}


def warehouse_table(pointer: Path, name: str) -> pd.DataFrame:
    """The warehouse's side of ``name`` as Python values (money: Decimal)."""
    with open_published(pointer) as con:
        relation = con.sql(TABLES[name].query or f"select * from kpi.{name}")
        return pd.DataFrame(relation.fetchall(), columns=relation.columns, dtype=object)


def truth_table(truth: Truth, name: str) -> pd.DataFrame:
    """The truth's side, with its cents as money."""
    frame = truth.mart(name)
    if name in ("forecast_locks", "fct_forecast"):
        amounts = {"forecast": "forecast_amount", "low": "low_amount", "high": "high_amount", "actual": "actual_amount"}
        kept = (
            [column for column in frame.columns if column in amounts]
            if name == "forecast_locks"
            else ["forecast", "actual"]
        )
        for column in kept:
            frame = frame.assign(
                **{amounts[column]: [None if pd.isna(cents) else money(int(cents)) for cents in frame[column]]}
            )
        frame = frame.drop(columns=[column for column in amounts if column in frame])
        if name == "fct_forecast":
            frame = frame.drop(columns=["period_end_date", "horizon_days", "deals_open"])
    return frame


def compare(truth: Truth, pointer: Path, name: str) -> str:
    """What differs between the published table and the truth; empty when nothing does."""
    table = TABLES[name]
    return differences(truth_table(truth, name), warehouse_table(pointer, name), table.keys, table.not_compared)
