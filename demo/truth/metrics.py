"""Which column of which mart a metric is. What it means is in docs/kpis.md."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from demo.truth.estimates import FLOW
from demo.truth.values import VALUES


class MetricColumns(NamedTuple):
    """``where``: the rows of the mart that are the metric's; ``keys``: further columns of its grain.

    ``is_asked``: a metric of this name can be asked for with ``salesgauge query``. ``is_sum``: nothing is 0, not null.
    """

    mart: str
    value: str
    n: str | None = None
    numerator: str | None = None
    where: Mapping[str, str] = MappingProxyType({})
    keys: tuple[str, ...] = ()
    is_asked: bool = True
    is_sum: bool = False


_PAIR = ("from_stage", "to_stage")


def _forecast(level: str) -> dict[str, MetricColumns]:
    """The accuracy of the pipeline method at one level; over all segments of the level, and of each."""
    suffix = "" if level == "total" else f"_by_{level}"
    where = {"method": "stage_age_pipeline", "level": level, "horizon_bucket": "all"}
    columns = {
        "forecast_wape": ("wape", "n", None),
        "forecast_bias": ("bias", "n", None),
        "forecast_accuracy": ("accuracy", "n", None),
        "forecast_coverage_rate": ("coverage_rate", "with_interval", "covered"),
    }
    return {f"{name}{suffix}": MetricColumns("kpi_forecast_accuracy", *of, where) for name, of in columns.items()}


METRICS = {
    "leads_created": MetricColumns("kpi_volume", "leads_created", is_sum=True),
    "deals_created": MetricColumns("kpi_volume", "deals_created", is_sum=True),
    "deals_won": MetricColumns("kpi_win_loss", "deals_won", is_sum=True),
    "deals_lost": MetricColumns("kpi_win_loss", "deals_lost", is_sum=True),
    "won_amount": MetricColumns("kpi_win_loss", "won_amount", is_sum=True),
    "lost_amount": MetricColumns("kpi_win_loss", "lost_amount", is_sum=True),
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
        "kpi_stage_conversion", "conversion_rate", "n", "numerator", {"mode": "adjacent"}, _PAIR, is_asked=False
    ),
    "stage_period_conversion_rate": MetricColumns(
        "kpi_stage_conversion", "conversion_rate", "n", "numerator", {"mode": "period"}, _PAIR, is_asked=False
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
    "speed_to_lead_km_median_minutes": MetricColumns("kpi_speed_to_lead", "km_median_minutes", "n", is_asked=False),
    "speed_to_lead_open_minutes": MetricColumns("kpi_speed_to_lead", "median_open_minutes", is_asked=False),
    "speed_to_lead_routing_minutes": MetricColumns("kpi_speed_to_lead", "median_routing_minutes", is_asked=False),
    "speed_to_lead_reaction_minutes": MetricColumns("kpi_speed_to_lead", "median_reaction_minutes", is_asked=False),
    "speed_to_lead_connection_minutes": MetricColumns("kpi_speed_to_lead", "median_connection_minutes", is_asked=False),
    "sales_cycle_days_mean": MetricColumns("kpi_sales_cycle", "mean_days", "n"),
    "sales_cycle_days_median": MetricColumns("kpi_sales_cycle", "median_days", "n"),
    "sales_cycle_days_p90": MetricColumns("kpi_sales_cycle", "p90_days", "n"),
    "sales_cycle_days_km_median": MetricColumns("kpi_sales_cycle", "km_median_days", is_asked=False),
    "sales_cycle_days_first_close": MetricColumns("kpi_sales_cycle", "median_first_close_days", is_asked=False),
    "sales_cycle_days_first_touch": MetricColumns("kpi_sales_cycle", "median_first_touch_days", is_asked=False),
    "crm_completeness": MetricColumns("kpi_crm_completeness", "completeness", "n"),
    "crm_complete_record_rate": MetricColumns("kpi_crm_completeness", "complete_record_rate", "n", "complete_records"),
    "crm_completeness_by_field": MetricColumns(
        "kpi_crm_completeness_by_field", "completeness", "n", "filled", {}, ("object", "stage", "field"), is_asked=False
    ),
    "nps": MetricColumns("kpi_satisfaction", "nps", "nps_n"),
    "csat": MetricColumns("kpi_satisfaction", "csat", "csat_n", "satisfied"),
    "survey_responses": MetricColumns("kpi_satisfaction", "responses", is_sum=True),
    "loss_reasons": MetricColumns(
        "kpi_loss_reasons", "share", None, "deals_lost", {}, ("loss_reason",), is_asked=False
    ),
    **{
        name: MetricColumns("kpi_value", "value", "n", "numerator", {"kpi": name}, is_sum=value.kind == FLOW)
        for name, value in VALUES.items()
    },
    **{
        name: columns
        for level in ("total", "rep", "branch", "service_line")
        for name, columns in _forecast(level).items()
    },
}
