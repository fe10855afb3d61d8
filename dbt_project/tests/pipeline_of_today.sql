-- The deals that are open at as_of are those of the newest day of fct_pipeline_daily, and their amounts add up to those of kpi_pipeline.
with daily as (

    select count(*) as deals, coalesce(sum(amount), 0) as amount
    from {{ ref('fct_pipeline_period') }}
    where is_open_at_as_of

),

today as (

    select coalesce(sum(deals), 0) as deals, coalesce(sum(amount), 0) as amount
    from {{ ref('kpi_pipeline') }}
    where segment_type = 'total'

)

select daily.deals, today.deals as deals_today, daily.amount, today.amount as amount_today
from daily
cross join today
where daily.deals <> today.deals or daily.amount <> today.amount
