{% set values %}
    count(*) as n,
    {{ count_where('is_contacted') }} as contacted,
    {{ count_where('is_contacted and minutes is null') }} as not_measured,
    {{ kpi_sums('speed_to_lead_median_minutes') }},
    {{ kpi_sums('speed_to_lead_p90_minutes') }},
    {{ kpi_sums('speed_to_lead_within_5_minutes_rate') }},
    {{ kpi_sums('speed_to_lead_within_target_rate') }},
    {{ kpi_sums('speed_to_lead_never_contacted_rate') }},
    {{ median_of('open_minutes') }} as median_open_minutes,
    {{ median_of('routing_minutes') }} as median_routing_minutes,
    {{ median_of('reaction_minutes') }} as median_reaction_minutes,
    {{ median_of('connection_minutes') }} as median_connection_minutes
{% endset %}

with leads as (
    select * from {{ ref('fct_speed_to_lead') }}
),

rolled as (
    {{ kpi_rollup('leads', 'created_date', values) }}
),

waiting as (
    {{ kpi_km_median('leads', 'created_date', 'minutes_observed', 'is_contacted') }}
),

final as (
    select
        rolled.period_grain,
        rolled.period_start_date,
        rolled.segment_type,
        rolled.segment,
        rolled.n,
        rolled.contacted,
        rolled.not_measured,
        {{ kpi_estimate('speed_to_lead_median_minutes', 'value') }} as median_minutes,
        {{ kpi_estimate('speed_to_lead_median_minutes', 'low') }} as median_low,
        {{ kpi_estimate('speed_to_lead_median_minutes', 'high') }} as median_high,
        {{ kpi_estimate('speed_to_lead_p90_minutes', 'value') }} as p90_minutes,
        {{ kpi_estimate('speed_to_lead_within_5_minutes_rate', 'numerator') }} as within_5_minutes,
        {{ kpi_estimate('speed_to_lead_within_5_minutes_rate', 'value') }} as within_5_minutes_rate,
        {{ kpi_estimate('speed_to_lead_within_5_minutes_rate', 'low') }} as within_5_minutes_low,
        {{ kpi_estimate('speed_to_lead_within_5_minutes_rate', 'high') }} as within_5_minutes_high,
        {{ kpi_estimate('speed_to_lead_within_target_rate', 'numerator') }} as within_target,
        {{ kpi_estimate('speed_to_lead_within_target_rate', 'value') }} as within_target_rate,
        {{ kpi_estimate('speed_to_lead_within_target_rate', 'low') }} as within_target_low,
        {{ kpi_estimate('speed_to_lead_within_target_rate', 'high') }} as within_target_high,
        {{ kpi_estimate('speed_to_lead_never_contacted_rate', 'numerator') }} as never_contacted,
        {{ kpi_estimate('speed_to_lead_never_contacted_rate', 'value') }} as never_contacted_rate,
        {{ kpi_estimate('speed_to_lead_never_contacted_rate', 'low') }} as never_contacted_low,
        {{ kpi_estimate('speed_to_lead_never_contacted_rate', 'high') }} as never_contacted_high,
        waiting.median_time as km_median_minutes,
        rolled.median_open_minutes,
        rolled.median_routing_minutes,
        rolled.median_reaction_minutes,
        rolled.median_connection_minutes,
        {{ is_low_n('rolled.n') }} as is_low_n,
        {{ kpi_stamp() }}
    from rolled
    left join waiting on {{ kpi_same_group('rolled', 'waiting') }}
    cross join {{ source('process', 'run') }} as run
)

select * from final
