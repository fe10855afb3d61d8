with records as (
    select created_date, {{ kpi_segments() | join(', ') }}, 1 as is_lead, null as is_deal from {{ ref('fct_lead') }}
    union all
    select created_date, {{ kpi_segments() | join(', ') }}, null as is_lead, 1 as is_deal from {{ ref('fct_deal') }}
),

rolled as (
    {{ kpi_rollup('records', 'created_date', '
        ' ~ kpi_sums_of('count', 'is_lead', none, 'leads_created') ~ ',
        ' ~ kpi_sums_of('count', 'is_deal', none, 'deals_created')) }}
),

final as (
    select
        rolled.period_grain,
        rolled.period_start_date,
        rolled.segment_type,
        rolled.segment,
        {{ kpi_estimate('leads_created', 'value') }} as leads_created,
        {{ kpi_estimate('deals_created', 'value') }} as deals_created,
        {{ kpi_stamp() }}
    from rolled
    cross join {{ source('process', 'run') }} as run
)

select * from final
