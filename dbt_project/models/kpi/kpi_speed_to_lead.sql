{% set values %}
    count(*) as n,
    {{ count_where('is_contacted') }} as contacted,
    {{ count_where('not is_contacted') }} as never_contacted,
    {{ count_where('is_contacted and minutes is null') }} as not_measured,
    {{ count_where('is_within_5_minutes') }} as within_5_minutes,
    count(is_within_5_minutes) as measured,
    {{ count_where('is_within_target') }} as within_target,
    count(is_within_target) as with_target,
    {{ median_of('minutes') }} as median_minutes,
    {{ percentile_of('minutes', 0.9) }} as p90_minutes,
    {{ sorted_values('minutes') }} as sorted_minutes,
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
        rolled.median_minutes,
        {{ median_low('rolled.sorted_minutes') }} as median_low,
        {{ median_high('rolled.sorted_minutes') }} as median_high,
        rolled.p90_minutes,
        rolled.within_5_minutes,
        {{ ratio_of('rolled.within_5_minutes', 'rolled.measured') }} as within_5_minutes_rate,
        {{ wilson_low('rolled.within_5_minutes', 'rolled.measured') }} as within_5_minutes_low,
        {{ wilson_high('rolled.within_5_minutes', 'rolled.measured') }} as within_5_minutes_high,
        rolled.within_target,
        {{ ratio_of('rolled.within_target', 'rolled.with_target') }} as within_target_rate,
        {{ wilson_low('rolled.within_target', 'rolled.with_target') }} as within_target_low,
        {{ wilson_high('rolled.within_target', 'rolled.with_target') }} as within_target_high,
        rolled.never_contacted,
        {{ ratio_of('rolled.never_contacted', 'rolled.n') }} as never_contacted_rate,
        {{ wilson_low('rolled.never_contacted', 'rolled.n') }} as never_contacted_low,
        {{ wilson_high('rolled.never_contacted', 'rolled.n') }} as never_contacted_high,
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
