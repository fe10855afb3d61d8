"""What we expect of the marts: possible durations, rates that are shares, sums that agree between tables, balances that close.

Keys, grains and the logic of a single model are dbt's tests. Here are the values, and what must agree across tables. Rules of ours stop publishing
whatever breaks them; what only the data decide (how long a lead waited) warns, and stops where a share of the rows is wrong.
"""

from __future__ import annotations

from dataclasses import replace

from quality.suites import INVARIANT, Expect, Suite, between, equal, holds, one_of, ordered, present

LONG_DAYS = 3_660
LONG_MINUTES = LONG_DAYS * 1_440
_ODD = "Possible, but rare: look at the records behind it in the source."
_PERIOD_AND_SEGMENT = "period_grain || ' ' || segment_type"
# Floating sums may differ in their last bits; a share is not wrong for that.
_ONE = 1.000000001
_ZERO = -0.000000001


def _share(column: str) -> Expect:
    return between(column, _ZERO, _ONE, action=INVARIANT)


def _counts(column: str) -> Expect:
    return between(column, 0, None, action=INVARIANT)


def _not_longer(column: str, limit: float) -> Expect:
    """Nobody waits ten years: a mistyped date does. One such record stops nothing, a tenth of all is a column that was mapped wrongly."""
    named = between(column, None, limit, severity="warn", error_below=0.9, action=_ODD)
    return replace(named, name=f"{column}_not_too_long")


def _rates(name: str, *columns: str, counts: tuple[str, ...] = ("n",), key: str = _PERIOD_AND_SEGMENT) -> Suite:
    """A suite for a KPI mart: ``columns`` are shares, ``counts`` are not negative."""
    return Suite(
        f"{name}_values",
        f"kpi.{name}",
        {column: column for column in (*counts, *columns)},
        (*(_share(column) for column in columns), *(_counts(column) for column in counts)),
        key=key,
        keys_are_labels=True,
    )


DEALS = Suite(
    "deal_values",
    "marts.fct_deal",
    {
        "cycle_days": "case when is_negative_cycle then null else cycle_days end",
        "first_close_cycle_days": "case when is_negative_cycle then null else first_close_cycle_days end",
        "negative_only_when_marked": "cycle_days is null or cycle_days >= 0 or is_negative_cycle",
        "days_observed": "days_observed",
        "amount": "amount",
        "outcome": "outcome",
        "one_state": "cast(is_won as int) + cast(is_lost as int) + cast(is_open as int) + cast(outcome = 'disqualified' as int) = 1",
        "state_is_outcome": "is_won = (outcome = 'won') and is_lost = (outcome = 'lost')",
        "closed_when_dated": "is_open or is_undated or closed_at is not null",
    },
    (
        between("cycle_days", 0, LONG_DAYS, action=INVARIANT),
        between("first_close_cycle_days", 0, LONG_DAYS, action=INVARIANT),
        holds("negative_only_when_marked", "a negative cycle is marked as one", action=INVARIANT),
        between("amount", 0, None, action=INVARIANT),
        one_of("outcome", ("open", "won", "lost", "disqualified"), action=INVARIANT),
        holds("one_state", "a deal is open, won, lost or disqualified, and one of them", action=INVARIANT),
        holds("state_is_outcome", "flags agree with the outcome", action=INVARIANT),
        holds("closed_when_dated", "a closed deal with dated events has a close time", action=INVARIANT),
    ),
    key="deal_id",
)

CLOSED_DEALS = Suite(
    "closed_deal_values",
    "marts.fct_closed_deal",
    {
        "is_closed": "is_won or is_lost",
        "won_amount_only_when_won": "coalesce(won_amount, 0) = 0 or is_won",
        "lost_amount_only_when_lost": "coalesce(lost_amount, 0) = 0 or is_lost",
    },
    (
        holds("is_closed", "every closed deal is won or lost", action=INVARIANT),
        holds("won_amount_only_when_won", "only won deals have a won amount", action=INVARIANT),
        holds("lost_amount_only_when_lost", "only lost deals have a lost amount", action=INVARIANT),
    ),
    key="deal_id",
)

SPEED = Suite(
    "speed_to_lead_values",
    "marts.fct_speed_to_lead",
    {
        "minutes": "minutes",
        "open_minutes": "open_minutes",
        "routing_minutes": "routing_minutes",
        "reaction_minutes": "reaction_minutes",
        "connection_minutes": "connection_minutes",
        "leads_in_group": "leads_in_group",
        "contacted_has_minutes": "is_contacted or minutes is null",
        "open_not_more_than_elapsed": "open_minutes is null or minutes is null or open_minutes <= minutes + 1e-6",
        "touch_at": "touch_at",
        "created_at": "created_at",
    },
    (
        between("minutes", 0, None, action=INVARIANT),
        _not_longer("minutes", LONG_MINUTES),
        between("open_minutes", _ZERO, None, action=INVARIANT),
        between("routing_minutes", 0, LONG_MINUTES, severity="warn", action=_ODD),
        between("reaction_minutes", 0, None, action=INVARIANT),
        between("connection_minutes", 0, None, action=INVARIANT),
        between("leads_in_group", 1, None, action=INVARIANT),
        holds("contacted_has_minutes", "nobody has minutes who was not contacted", action=INVARIANT),
        holds("open_not_more_than_elapsed", "open minutes are not more than elapsed ones", action=INVARIANT),
        ordered("touch_at", "created_at", action=INVARIANT),
    ),
    key="lead_id",
)

VISITS = Suite(
    "stage_visit_values",
    "marts.fct_stage_visit",
    {
        "days": "days",
        "open_hours": "open_hours",
        "visit_number": "visit_number",
        "left_at": "left_at",
        "entered_at": "entered_at",
    },
    (
        # An hour of tolerance: local wall-clock days can be short by one when the clock is set back within a visit.
        between("days", -1 / 24, None, action=INVARIANT),
        _not_longer("days", LONG_DAYS),
        between("open_hours", _ZERO, None, action=INVARIANT),
        between("visit_number", 1, None, action=INVARIANT),
        ordered("left_at", "entered_at", action=INVARIANT),
    ),
    key="case_id",
)

CONVERSION = Suite(
    "stage_conversion_values",
    "marts.fct_stage_conversion",
    {"order_rises": "to_order > from_order", "adjacent_is_reached": "not is_adjacent or is_reached"},
    (
        holds("order_rises", "every pair goes forward", action=INVARIANT),
        holds("adjacent_is_reached", "who moved directly also reached the stage", action=INVARIANT),
    ),
    key="case_id",
)

COMPLETENESS = Suite(
    "field_completeness_values",
    "marts.fct_field_completeness",
    {
        "weight": "weight",
        "filled_weight": "filled_weight",
        "weight_counts_when_filled": "filled_weight = case when is_filled then weight else 0 end",
    },
    (
        present("weight", action=INVARIANT),
        between("weight", 0, None, action=INVARIANT),
        holds("weight_counts_when_filled", "the filled weight is the weight of what is filled", action=INVARIANT),
    ),
    key="record_id",
)

SURVEYS = Suite(
    "survey_values",
    "marts.fct_survey_response",
    {"nps_score": "nps_score", "csat_score": "csat_score", "nps_points": "nps_points"},
    (
        between("nps_score", 0, 10, action=INVARIANT),
        between("csat_score", 1, 5, action=INVARIANT),
        one_of("nps_points", (-100, 0, 100), action=INVARIANT),
    ),
    key="response_id",
)

FORECAST = Suite(
    "forecast_values",
    "marts.fct_forecast",
    {
        "horizon_days": "horizon_days",
        "forecast_amount": "forecast_amount",
        "actual_amount": "actual_amount",
        "low_not_above_high": "low_amount is null or low_amount <= high_amount",
        "absolute_error_amount": "absolute_error_amount",
    },
    (
        between("horizon_days", 0, 90, action=INVARIANT),
        between("forecast_amount", 0, None, action=INVARIANT),
        between("actual_amount", 0, None, severity="warn", action=_ODD),
        holds("low_not_above_high", "the interval has its ends in order", action=INVARIANT),
        between("absolute_error_amount", 0, None, action=INVARIANT),
    ),
    key="level",
    keys_are_labels=True,
)

RATES = (
    _rates(
        "kpi_speed_to_lead",
        "within_5_minutes_rate",
        "within_target_rate",
        "never_contacted_rate",
        counts=("n", "contacted", "median_minutes", "p90_minutes"),
    ),
    _rates("kpi_stage_conversion", "conversion_rate", "low", "high", "open_share", counts=("n", "numerator")),
    _rates("kpi_overall_conversion", "conversion_rate", "low", "high", "open_share", counts=("n", "customers")),
    _rates("kpi_sales_cycle", counts=("n", "mean_days", "median_days", "p90_days")),
    _rates("kpi_win_loss", "win_rate", "low", "high", counts=("deals_won", "deals_lost", "n")),
    _rates("kpi_loss_reasons", "share", counts=("deals_lost",)),
    _rates(
        "kpi_crm_completeness",
        "completeness",
        "complete_record_rate",
        "validity_rate",
        "uniqueness_rate",
        "timeliness_rate",
    ),
    _rates("kpi_crm_completeness_by_field", "completeness", counts=("n", "filled")),
    _rates("kpi_satisfaction", "csat", counts=("nps_n", "csat_n")),
    _rates("kpi_volume", counts=("leads_created", "deals_created")),
    _rates("kpi_forecast_accuracy", "coverage_rate", counts=("n", "wape")),
    _rates("kpi_pipeline", counts=("deals",), key="segment_type || ' ' || stage"),
    _rates("kpi_process_variants", "share", key="'rank ' || rank"),
)

NPS = Suite(
    "nps_range",
    "kpi.kpi_satisfaction",
    {"nps": "nps"},
    (between("nps", -100, 100, action=INVARIANT),),
    key=_PERIOD_AND_SEGMENT,
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

RECONCILIATION = _sums(
    "reconciliation",
    "kpi.kpi_reconciliation",
    """
    select entity as what, coalesce(sum(records) filter (where reason = 'received'), 0) as received,
        coalesce(sum(records) filter (where reason <> 'received'), 0) as accounted
    from kpi.kpi_reconciliation group by entity
    """,
    ("received", "accounted"),
    (),
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

SUITES = (
    DEALS,
    CLOSED_DEALS,
    SPEED,
    VISITS,
    CONVERSION,
    COMPLETENESS,
    SURVEYS,
    FORECAST,
    *RATES,
    NPS,
    MONEY,
    COUNTS,
    RECONCILIATION,
    COUNTED,
)
