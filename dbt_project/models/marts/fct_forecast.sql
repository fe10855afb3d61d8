{{ config(tags=['after_analysis']) }}
with locks as (

    select
        locks.*,
        case when locks.level = 'total' then 'total' else coalesce(locks.segment, '(none)') end as segment_key,
        locks.period_end_date < run.as_of_date as is_period_over
    from {{ source('analysis', 'forecast_locks') }} as locks
    cross join {{ source('process', 'run') }} as run

),

-- what was won, at every level; a null segment is a segment of its own
won as (

    select closed_date, won_amount, 'total' as level, 'total' as segment from {{ ref('fct_closed_deal') }} where is_won
    union all
    select closed_date, won_amount, 'rep', coalesce(rep, '(none)') from {{ ref('fct_closed_deal') }} where is_won
    union all
    select closed_date, won_amount, 'branch', coalesce(branch, '(none)') from {{ ref('fct_closed_deal') }} where is_won
    union all
    select closed_date, won_amount, 'service_line', coalesce(service_line, '(none)') from {{ ref('fct_closed_deal') }} where is_won

),

actuals as (

    select
        date_trunc('month', closed_date) as month_start_date,
        level,
        segment,
        sum(won_amount) as won_amount
    from won
    group by date_trunc('month', closed_date), level, segment

),

joined as (

    select
        locks.lock_date,
        locks.period_start_date,
        locks.period_end_date,
        locks.horizon_days,
        case
            when locks.horizon_days <= 7 then '0-7'
            when locks.horizon_days <= 30 then '8-30'
            when locks.horizon_days <= 60 then '31-60'
            else '61-90'
        end as horizon_bucket,
        locks.method,
        locks.level,
        locks.segment,
        cast(locks.forecast_amount as decimal(18, 2)) as forecast_amount,
        cast(locks.low_amount as decimal(18, 2)) as low_amount,
        cast(locks.high_amount as decimal(18, 2)) as high_amount,
        case when locks.is_period_over then cast(coalesce(actuals.won_amount, 0) as decimal(18, 2)) end as actual_amount
    from locks
    left join actuals
        on locks.period_start_date = actuals.month_start_date
        and locks.level = actuals.level
        and locks.segment_key = actuals.segment

),

final as (

    select
        joined.lock_date,
        joined.period_start_date,
        joined.period_end_date,
        joined.horizon_days,
        joined.horizon_bucket,
        joined.method,
        joined.level,
        joined.segment,
        joined.forecast_amount,
        joined.low_amount,
        joined.high_amount,
        joined.actual_amount,
        abs(joined.forecast_amount - joined.actual_amount) as absolute_error_amount,
        joined.forecast_amount - joined.actual_amount as error_amount,
        case when joined.low_amount is not null then joined.actual_amount between joined.low_amount and joined.high_amount end as is_covered,
        case when joined.level = 'branch' then nullif(joined.segment, '(none)') end as branch,
        case when joined.level = 'rep' then nullif(joined.segment, '(none)') end as rep,
        cast(null as varchar) as rep_id,
        cast(null as varchar) as team,
        cast(null as varchar) as channel,
        cast(null as varchar) as campaign,
        case when joined.level = 'service_line' then nullif(joined.segment, '(none)') end as service_line,
        cast(null as varchar) as job_type,
        cast(null as varchar) as customer_type,
        versions.process_version,
        cast(null as varchar) as pipeline
    from joined
    {{ version_on('versions', 'joined.period_start_date') }}

)

select * from final
