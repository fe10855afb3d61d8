"""One definition: wherever a KPI mart and a metric both exist, they show the same number."""

from __future__ import annotations

import duckdb
import pandas as pd
import pytest

from metrics import MetricStore
from tests.metrics import reference

# metric: (mart, value column, further condition on the mart, dimensions of the metric that are keys of the mart)
SAME = {
    "leads_created": ("kpi_volume", "leads_created", "", ()),
    "deals_created": ("kpi_volume", "deals_created", "", ()),
    "speed_to_lead_median_minutes": ("kpi_speed_to_lead", "median_minutes", "", ()),
    "speed_to_lead_p90_minutes": ("kpi_speed_to_lead", "p90_minutes", "", ()),
    "speed_to_lead_within_5_minutes_rate": ("kpi_speed_to_lead", "within_5_minutes_rate", "", ()),
    "speed_to_lead_within_target_rate": ("kpi_speed_to_lead", "within_target_rate", "", ()),
    "speed_to_lead_never_contacted_rate": ("kpi_speed_to_lead", "never_contacted_rate", "", ()),
    "stage_pair_conversion_rate": (
        "kpi_stage_conversion",
        "conversion_rate",
        "mode = 'reached'",
        ("from_stage", "to_stage"),
    ),
    "stage_conversion_rate": (
        "kpi_stage_conversion",
        "conversion_rate",
        "mode = 'reached' and (from_stage, to_stage) in (('inquiry', 'qualification'), ('qualification', 'quote'), ('quote', 'won'))",
        ("from_stage", "to_stage"),
    ),
    "overall_conversion_rate": ("kpi_overall_conversion", "conversion_rate", "", ()),
    "period_conversion_rate": ("kpi_overall_conversion", "period_conversion_rate", "", ()),
    "sales_cycle_days_mean": ("kpi_sales_cycle", "mean_days", "", ()),
    "sales_cycle_days_median": ("kpi_sales_cycle", "median_days", "", ()),
    "sales_cycle_days_p90": ("kpi_sales_cycle", "p90_days", "", ()),
    "deals_won": ("kpi_win_loss", "deals_won", "", ()),
    "deals_lost": ("kpi_win_loss", "deals_lost", "", ()),
    "win_rate": ("kpi_win_loss", "win_rate", "", ()),
    "win_rate_by_amount": ("kpi_win_loss", "win_rate_by_amount", "", ()),
    "win_loss_ratio": ("kpi_win_loss", "win_loss_ratio", "", ()),
    "won_amount": ("kpi_win_loss", "won_amount", "", ()),
    "lost_amount": ("kpi_win_loss", "lost_amount", "", ()),
    "crm_completeness": ("kpi_crm_completeness", "completeness", "", ()),
    "crm_complete_record_rate": ("kpi_crm_completeness", "complete_record_rate", "", ()),
    "survey_responses": ("kpi_satisfaction", "responses", "", ()),
    "nps": ("kpi_satisfaction", "nps", "", ()),
    "csat": ("kpi_satisfaction", "csat", "", ()),
}
FORECASTS = {
    "forecast_wape": "wape",
    "forecast_bias": "bias",
    "forecast_accuracy": "accuracy",
    "forecast_coverage_rate": "coverage_rate",
}
SEGMENTS = (None, "branch", "rep", "campaign", "process_version")


def _same(metric: pd.DataFrame, mart: pd.DataFrame, name: str) -> int:
    """Compare by the columns before the value; a missing row is no value. Returns how many values were compared."""
    keys = list(metric.columns[:-1])
    ours = {tuple(map(str, row[:-1])): row[-1] for row in metric.astype(object).itertuples(index=False)}
    theirs = {
        tuple(map(str, row[:-1])): row[-1] for row in mart[[*keys, "value"]].astype(object).itertuples(index=False)
    }
    for key in ours.keys() | theirs.keys():
        a, b = ours.get(key), theirs.get(key)
        a, b = (None if value is None or pd.isna(value) else float(value) for value in (a, b))
        if key not in ours or key not in theirs:
            assert not (a or b), f"{name} {key}: metric {a}, mart {b}"
        else:
            assert reference.is_same(a, b), f"{name} {key}: metric {a}, mart {b}"
    return len(ours.keys() & theirs.keys())


@pytest.mark.parametrize("name", SAME)
def test_metric_and_mart_agree(store: MetricStore, con: duckdb.DuckDBPyConnection, name: str) -> None:
    mart, column, condition, keys = SAME[name]
    compared = 0
    for segment in SEGMENTS:
        for grain in (None, "month"):
            frame = store.query(name, by=[*([segment] if segment else []), *keys], grain=grain)
            if segment:
                frame[segment] = frame[segment].fillna("(none)")
            rows = con.execute(
                f"select period_start_date as {grain or 'period_start_date'}, segment as {segment or 'segment'}, {', '.join([*keys, ''])} "
                f"cast({column} as double) as value from kpi.{mart} where period_grain = ? and segment_type = ? {'and ' + condition if condition else ''}",
                [grain or "all", segment or "total"],
            ).df()
            if grain:
                rows[grain] = rows[grain].dt.date
            compared += _same(frame, rows, f"{name} by {segment} per {grain}")
    assert compared > 50


@pytest.mark.parametrize("level", ["total", "rep", "branch", "service_line"])
@pytest.mark.parametrize("name", FORECASTS)
def test_forecast_metrics_and_mart_agree(
    store: MetricStore, con: duckdb.DuckDBPyConnection, name: str, level: str
) -> None:
    metric = name if level == "total" else f"{name}_by_{level}"
    for grain in (None, "quarter", "month"):
        frame = store.query(metric, by=[] if level == "total" else [level], grain=grain)
        if level != "total":
            frame[level] = frame[level].fillna("(none)")
        rows = con.execute(
            f"select period_start_date as {grain or 'period_start_date'}, segment as {level}, {FORECASTS[name]} as value from kpi.kpi_forecast_accuracy "
            "where period_grain = ? and segment_type = ? and level = ? and method = 'stage_age_pipeline' and horizon_bucket = 'all'",
            [grain or "all", level, level],
        ).df()
        if grain:
            rows[grain] = rows[grain].dt.date
        assert _same(frame, rows, metric) == len(rows) > 0


def test_metrics_are_all_compared(store: MetricStore) -> None:
    listed = {info.name for info in store.list()}
    assert {name for name in listed if not name.startswith("forecast_")} == set(SAME)
