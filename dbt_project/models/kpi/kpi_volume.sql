with records as (
    select created_date, {{ kpi_segments() | join(', ') }}, 1 as leads, 0 as deals from {{ ref('fct_lead') }}
    union all
    select created_date, {{ kpi_segments() | join(', ') }}, 0 as leads, 1 as deals from {{ ref('fct_deal') }}
),

rolled as (
    {{ kpi_rollup('records', 'created_date', '
        coalesce(cast(sum(leads) as bigint), 0) as leads_created,
        coalesce(cast(sum(deals) as bigint), 0) as deals_created
    ') }}
),

final as (
    select rolled.*, {{ kpi_stamp() }}
    from rolled
    cross join {{ source('process', 'run') }} as run
)

select * from final
