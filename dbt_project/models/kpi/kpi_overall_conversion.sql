with leads as (
    select * from {{ ref('fct_lead') }}
),

observations as (
    select created_date as on_date, 1 as is_lead, is_won, is_open, 0 as is_won_deal, {{ kpi_segments() | join(', ') }}
    from leads
    union all
    select closed_date as on_date, 0 as is_lead, null as is_won, null as is_open, 1 as is_won_deal, {{ kpi_segments() | join(', ') }}
    from {{ ref('fct_closed_deal') }}
    where is_won
),

rolled as (
    {{ kpi_rollup('observations', 'on_date', '
        count(case when is_open then 1 end) as still_open,
    ' ~ kpi_sums('overall_conversion_rate') ~ ', ' ~ kpi_sums_of('per', 'is_won_deal', 'is_lead', 'period_conversion_rate')) }}
),

journeys as (
    {{ kpi_km_median('leads', 'created_date', 'days_observed', 'is_won') }}
),

final as (
    select
        rolled.period_grain,
        rolled.period_start_date,
        rolled.segment_type,
        rolled.segment,
        coalesce({{ kpi_estimate('period_conversion_rate', 'n') }}, 0) as n,
        {{ kpi_estimate('overall_conversion_rate', 'numerator') }} as customers,
        {{ kpi_estimate('overall_conversion_rate', 'value') }} as conversion_rate,
        {{ kpi_estimate('overall_conversion_rate', 'low') }} as low,
        {{ kpi_estimate('overall_conversion_rate', 'high') }} as high,
        {{ ratio_of('rolled.still_open', kpi_estimate('period_conversion_rate', 'n')) }} as open_share,
        journeys.median_time as km_median_days,
        cast(coalesce({{ kpi_estimate('period_conversion_rate', 'numerator') }}, 0) as bigint) as deals_won,
        {{ kpi_estimate('period_conversion_rate', 'value') }} as period_conversion_rate,
        {{ is_low_n('coalesce(' ~ kpi_estimate('period_conversion_rate', 'n') ~ ', 0)') }} as is_low_n,
        {{ kpi_stamp() }}
    from rolled
    left join journeys on {{ kpi_same_group('rolled', 'journeys') }}
    cross join {{ source('process', 'run') }} as run
)

select * from final
