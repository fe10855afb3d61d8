"""What we expect of marts that no test of one table can say: that tables agree, and that few of the values are odd which only the data decide.

A rule that every row of one table keeps is a dbt test. What agrees across tables stops publishing where it does not. How long a lead waited is the data's:
one impossible value warns, a share of the rows that is wrong stops.
"""

from __future__ import annotations

from dataclasses import replace

from quality.suites import INVARIANT, Expect, Suite, between, equal

LONG_DAYS = 3_660
LONG_MINUTES = LONG_DAYS * 1_440
_ODD = "Possible, but rare: look at the records behind it in the source."


def _not_longer(column: str, limit: float) -> Expect:
    """Nobody waits ten years: a mistyped date does. One such record stops nothing, a tenth of all is a column that was mapped wrongly."""
    named = between(column, None, limit, severity="warn", error_below=0.9, action=_ODD)
    return replace(named, name=f"{column}_not_too_long")


SPEED = Suite(
    "speed_to_lead_values",
    "marts.fct_speed_to_lead",
    {"minutes": "minutes", "routing_minutes": "routing_minutes"},
    (
        _not_longer("minutes", LONG_MINUTES),
        between("routing_minutes", 0, LONG_MINUTES, severity="warn", action=_ODD),
    ),
    key="lead_id",
)

VISITS = Suite(
    "stage_visit_values", "marts.fct_stage_visit", {"days": "days"}, (_not_longer("days", LONG_DAYS),), key="case_id"
)

FORECAST = Suite(
    "forecast_values",
    "marts.fct_forecast",
    {"actual_amount": "actual_amount"},
    (between("actual_amount", 0, None, severity="warn", action=_ODD),),
    key="level",
    keys_are_labels=True,
)


def _sums(
    name: str, table: str, source: str, columns: tuple[str, str], needs: tuple[str, ...], key: str = "what"
) -> Suite:
    left, right = columns
    return Suite(
        name,
        table,
        {left: left, right: right},
        (equal(left, right, action=INVARIANT),),
        key=key,
        source=f"({source})",
        needs=needs,
        keys_are_labels=True,
    )


MONEY = _sums(
    "money_agrees",
    "kpi.kpi_win_loss",
    """
    select 'won, all' as what, (select coalesce(sum(won_amount), 0) from marts.fct_closed_deal)::decimal(38, 2) as in_marts,
        (select coalesce(sum(won_amount), 0) from kpi.kpi_win_loss where period_grain = 'all' and segment_type = 'total')::decimal(38, 2) as in_kpis
    union all
    select 'lost, all', (select coalesce(sum(lost_amount), 0) from marts.fct_closed_deal)::decimal(38, 2),
        (select coalesce(sum(lost_amount), 0) from kpi.kpi_win_loss where period_grain = 'all' and segment_type = 'total')::decimal(38, 2)
    union all
    select 'won, of deals', (select coalesce(sum(amount), 0) from marts.fct_deal where is_won)::decimal(38, 2),
        (select coalesce(sum(won_amount), 0) from marts.fct_closed_deal)::decimal(38, 2)
    union all
    select 'won by ' || segment_type, (select coalesce(sum(won_amount), 0) from marts.fct_closed_deal)::decimal(38, 2), sum(won_amount)::decimal(38, 2)
    from kpi.kpi_win_loss where period_grain = 'all' group by segment_type
    union all
    select 'won per ' || period_grain,
        (select coalesce(sum(won_amount), 0) from marts.fct_closed_deal where closed_date is not null)::decimal(38, 2), sum(won_amount)::decimal(38, 2)
    from kpi.kpi_win_loss where segment_type = 'total' and period_grain <> 'all' group by period_grain
    """,
    ("in_marts", "in_kpis"),
    ("marts.fct_closed_deal", "marts.fct_deal"),
)

COUNTS = _sums(
    "counts_agree",
    "kpi.kpi_volume",
    """
    select 'leads ' || segment_type as what, (select count(*) from marts.fct_lead) as in_marts, sum(leads_created) as in_kpis
    from kpi.kpi_volume where period_grain = 'all' group by segment_type
    union all
    select 'deals ' || segment_type, (select count(*) from marts.fct_deal), sum(deals_created)
    from kpi.kpi_volume where period_grain = 'all' group by segment_type
    union all
    select 'closed deals', (select count(*) from marts.fct_closed_deal),
        (select coalesce(sum(deals_won + deals_lost), 0) from kpi.kpi_win_loss where period_grain = 'all' and segment_type = 'total')
    union all
    select 'survey responses', (select count(nps_score) from marts.fct_survey_response),
        (select coalesce(sum(nps_n), 0) from kpi.kpi_satisfaction where period_grain = 'all' and segment_type = 'total')
    """,
    ("in_marts", "in_kpis"),
    (
        "marts.fct_lead",
        "marts.fct_deal",
        "marts.fct_closed_deal",
        "marts.fct_survey_response",
        "kpi.kpi_win_loss",
        "kpi.kpi_satisfaction",
    ),
)

COUNTED = _sums(
    "counted_records",
    "kpi.kpi_reconciliation",
    """
    select 'leads' as what, (select coalesce(sum(records), 0) from kpi.kpi_reconciliation where entity in ('lead', 'leads') and reason = 'counted') as counted,
        (select count(*) from marts.fct_lead) as in_marts
    union all
    select 'deals', (select coalesce(sum(records), 0) from kpi.kpi_reconciliation where entity in ('deal', 'deals') and reason = 'counted'),
        (select count(*) from marts.fct_deal)
    """,
    ("counted", "in_marts"),
    ("marts.fct_lead", "marts.fct_deal"),
)

SUITES = (SPEED, VISITS, FORECAST, MONEY, COUNTS, COUNTED)
