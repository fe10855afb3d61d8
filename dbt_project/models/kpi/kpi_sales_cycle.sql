{% set values %}
    {{ count_where('is_counted_cycle') }} as n,
    {{ count_where('is_negative_cycle') }} as negative_cycles,
    {{ count_where('is_counted_cycle and is_cycle_from_lead') }} as from_lead,
    {{ count_where('not is_negative_cycle and cycle_days is null') }} as undated,
    avg(cycle) as mean_days,
    stddev_samp(cycle) as deviation_days,
    {{ median_of('cycle') }} as median_days,
    {{ sorted_values('cycle') }} as sorted_days,
    {{ percentile_of('cycle', 0.9) }} as p90_days,
    {{ median_of('first_close_cycle') }} as median_first_close_days,
    {{ median_of('first_touch_cycle') }} as median_first_touch_days
{% endset %}

with deals as (
    select * from {{ ref('fct_deal') }}
),

won_deals as (
    select
        *,
        not is_negative_cycle and cycle_days is not null as is_counted_cycle,
        case when not is_negative_cycle then cycle_days end as cycle,
        case when not is_negative_cycle then first_close_cycle_days end as first_close_cycle,
        case when not is_negative_cycle then first_touch_cycle_days end as first_touch_cycle
    from {{ ref('fct_closed_deal') }}
    where is_won
),

rolled as (
    {{ kpi_rollup('won_deals', 'closed_date', values) }}
),

{# Of all deals, by the day they were created: an open deal has no close date. #}
{% set timed = 'not coalesce(is_negative_cycle, false) and days_observed >= 0' %}
journeys as (
    {{ kpi_km_median('deals', 'created_date', 'days_observed', 'is_won', where=timed) }}
),

{# A row where a deal that is won now was closed or created. #}
created_won as (
    {{ kpi_rollup('deals', 'created_date', 'count(*) as deals', where='is_won') }}
),

groups as (
    select {{ kpi_key_columns() | join(', ') }} from rolled
    union
    select journeys.{{ kpi_key_columns() | join(', journeys.') }}
    from journeys
    inner join created_won on {{ kpi_same_group('journeys', 'created_won') }}
),

final as (
    select
        groups.period_grain,
        groups.period_start_date,
        groups.segment_type,
        groups.segment,
        coalesce(rolled.n, 0) as n,
        rolled.mean_days,
        {{ mean_bound('-', 'rolled.mean_days', 'rolled.deviation_days', 'rolled.n') }} as mean_low,
        {{ mean_bound('+', 'rolled.mean_days', 'rolled.deviation_days', 'rolled.n') }} as mean_high,
        rolled.median_days,
        {{ median_low('rolled.sorted_days') }} as median_low,
        {{ median_high('rolled.sorted_days') }} as median_high,
        rolled.p90_days,
        journeys.median_time as km_median_days,
        rolled.median_first_close_days,
        rolled.median_first_touch_days,
        coalesce(rolled.negative_cycles, 0) as negative_cycles,
        coalesce(rolled.from_lead, 0) as from_lead,
        coalesce(rolled.undated, 0) as undated,
        {{ is_low_n('coalesce(rolled.n, 0)') }} as is_low_n,
        {{ kpi_stamp() }}
    from groups
    left join rolled on {{ kpi_same_group('groups', 'rolled') }}
    left join journeys on {{ kpi_same_group('groups', 'journeys') }}
    cross join {{ source('process', 'run') }} as run
)

select * from final
