{% set values %}
    {% for kpi in ['sales_cycle_days_mean', 'sales_cycle_days_median', 'sales_cycle_days_p90'] -%}
    {{ kpi_sums(kpi) }},
    {% endfor -%}
    {{ count_where('is_negative_cycle') }} as negative_cycles,
    {{ count_where('not is_negative_cycle and cycle_days is not null and is_cycle_from_lead') }} as from_lead,
    {{ count_where('not is_negative_cycle and cycle_days is null') }} as undated,
    {{ median_of('first_close_cycle') }} as median_first_close_days,
    {{ median_of('first_touch_cycle') }} as median_first_touch_days
{% endset %}

with deals as (
    select * from {{ ref('fct_deal') }}
),

won_deals as (
    select
        *,
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
        coalesce({{ kpi_estimate('sales_cycle_days_mean', 'n') }}, 0) as n,
        {{ kpi_estimate('sales_cycle_days_mean', 'value') }} as mean_days,
        {{ kpi_estimate('sales_cycle_days_mean', 'low') }} as mean_low,
        {{ kpi_estimate('sales_cycle_days_mean', 'high') }} as mean_high,
        {{ kpi_estimate('sales_cycle_days_median', 'value') }} as median_days,
        {{ kpi_estimate('sales_cycle_days_median', 'low') }} as median_low,
        {{ kpi_estimate('sales_cycle_days_median', 'high') }} as median_high,
        {{ kpi_estimate('sales_cycle_days_p90', 'value') }} as p90_days,
        journeys.median_time as km_median_days,
        rolled.median_first_close_days,
        rolled.median_first_touch_days,
        coalesce(rolled.negative_cycles, 0) as negative_cycles,
        coalesce(rolled.from_lead, 0) as from_lead,
        coalesce(rolled.undated, 0) as undated,
        {{ is_low_n('coalesce(' ~ kpi_estimate('sales_cycle_days_mean', 'n') ~ ', 0)') }} as is_low_n,
        {{ kpi_stamp() }}
    from groups
    left join rolled on {{ kpi_same_group('groups', 'rolled') }}
    left join journeys on {{ kpi_same_group('groups', 'journeys') }}
    cross join {{ source('process', 'run') }} as run
)

select * from final
