"""Which column of which mart a metric is. What it means is in docs/kpis.md."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class MetricColumns(NamedTuple):
    """``where``: the rows of the mart that are the metric's; ``keys``: further columns of its grain."""

    mart: str
    value: str
    n: str | None = None
    numerator: str | None = None
    where: Mapping[str, str] = MappingProxyType({})
    keys: tuple[str, ...] = ()


_PAIR = ("from_stage", "to_stage")
_COMPANY = {"method": "stage_age_pipeline", "level": "total", "horizon_bucket": "all", "segment_type": "total"}

METRICS = {
    "leads_created": MetricColumns("kpi_volume", "leads_created"),
    "deals_created": MetricColumns("kpi_volume", "deals_created"),
    "deals_won": MetricColumns("kpi_win_loss", "deals_won"),
    "deals_lost": MetricColumns("kpi_win_loss", "deals_lost"),
    "won_amount": MetricColumns("kpi_win_loss", "won_amount"),
    "lost_amount": MetricColumns("kpi_win_loss", "lost_amount"),
    "win_rate": MetricColumns("kpi_win_loss", "win_rate", "n", "deals_won"),
    "win_rate_by_amount": MetricColumns("kpi_win_loss", "win_rate_by_amount"),
    "win_loss_ratio": MetricColumns("kpi_win_loss", "win_loss_ratio", "deals_lost", "deals_won"),
    "overall_conversion_rate": MetricColumns("kpi_overall_conversion", "conversion_rate", "n", "customers"),
    "period_conversion_rate": MetricColumns("kpi_overall_conversion", "period_conversion_rate", "n", "deals_won"),
    "stage_conversion_rate": MetricColumns(
        "kpi_stage_conversion", "conversion_rate", "n", "numerator", {"mode": "reached", "is_next": "yes"}, _PAIR
    ),
    "stage_pair_conversion_rate": MetricColumns(
        "kpi_stage_conversion", "conversion_rate", "n", "numerator", {"mode": "reached"}, _PAIR
    ),
    "stage_adjacent_conversion_rate": MetricColumns(
        "kpi_stage_conversion", "conversion_rate", "n", "numerator", {"mode": "adjacent"}, _PAIR
    ),
    "stage_period_conversion_rate": MetricColumns(
        "kpi_stage_conversion", "conversion_rate", "n", "numerator", {"mode": "period"}, _PAIR
    ),
    "speed_to_lead_median_minutes": MetricColumns("kpi_speed_to_lead", "median_minutes", "contacted"),
    "speed_to_lead_p90_minutes": MetricColumns("kpi_speed_to_lead", "p90_minutes", "contacted"),
    "speed_to_lead_within_5_minutes_rate": MetricColumns(
        "kpi_speed_to_lead", "within_5_minutes_rate", "n", "within_5_minutes"
    ),
    "speed_to_lead_within_target_rate": MetricColumns("kpi_speed_to_lead", "within_target_rate", "n", "within_target"),
    "speed_to_lead_never_contacted_rate": MetricColumns(
        "kpi_speed_to_lead", "never_contacted_rate", "n", "never_contacted"
    ),
    "speed_to_lead_km_median_minutes": MetricColumns("kpi_speed_to_lead", "km_median_minutes", "n"),
    "speed_to_lead_open_minutes": MetricColumns("kpi_speed_to_lead", "median_open_minutes"),
    "speed_to_lead_routing_minutes": MetricColumns("kpi_speed_to_lead", "median_routing_minutes"),
    "speed_to_lead_reaction_minutes": MetricColumns("kpi_speed_to_lead", "median_reaction_minutes"),
    "speed_to_lead_connection_minutes": MetricColumns("kpi_speed_to_lead", "median_connection_minutes"),
    "sales_cycle_days_mean": MetricColumns("kpi_sales_cycle", "mean_days", "n"),
    "sales_cycle_days_median": MetricColumns("kpi_sales_cycle", "median_days", "n"),
    "sales_cycle_days_p90": MetricColumns("kpi_sales_cycle", "p90_days", "n"),
    "sales_cycle_days_km_median": MetricColumns("kpi_sales_cycle", "km_median_days"),
    "sales_cycle_days_first_close": MetricColumns("kpi_sales_cycle", "median_first_close_days"),
    "sales_cycle_days_first_touch": MetricColumns("kpi_sales_cycle", "median_first_touch_days"),
    "forecast_wape": MetricColumns("kpi_forecast_accuracy", "wape", "n", None, _COMPANY),
    "forecast_bias": MetricColumns("kpi_forecast_accuracy", "bias", "n", None, _COMPANY),
    "forecast_accuracy": MetricColumns("kpi_forecast_accuracy", "accuracy", "n", None, _COMPANY),
    "forecast_coverage_rate": MetricColumns(
        "kpi_forecast_accuracy", "coverage_rate", "with_interval", "covered", _COMPANY
    ),
    "crm_completeness": MetricColumns("kpi_crm_completeness", "completeness", "n"),
    "crm_complete_record_rate": MetricColumns("kpi_crm_completeness", "complete_record_rate", "n", "complete_records"),
    "crm_completeness_by_field": MetricColumns(
        "kpi_crm_completeness_by_field", "completeness", "n", "filled", {}, ("object", "stage", "field")
    ),
    "nps": MetricColumns("kpi_satisfaction", "nps", "nps_n"),
    "csat": MetricColumns("kpi_satisfaction", "csat", "csat_n", "satisfied"),
    "survey_responses": MetricColumns("kpi_satisfaction", "responses"),
    "loss_reasons": MetricColumns("kpi_loss_reasons", "share", None, "deals_lost", {}, ("loss_reason",)),
}
