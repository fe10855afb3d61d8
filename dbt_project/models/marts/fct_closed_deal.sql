with deals as (

    select
        deals.*,
        coalesce(branches.timezone, run.timezone) as timezone
    from {{ ref('fct_deal') }} as deals
    cross join {{ source('process', 'run') }} as run
    left join {{ source('process', 'branches') }} as branches on deals.branch = branches.branch
    where deals.outcome in ('won', 'lost')

),

-- up to the close; what is known to the day counts on that day
touched as (

    select deals.deal_id, count(*) as touches
    from deals
    inner join {{ ref('int_touches') }} as touches on deals.case_id = touches.case_id
    where case
        when deals.close_precision = 'day' or {{ is_day_only('touches.at') }} then {{ business_date('touches.at', 'deals.timezone') }} <= deals.closed_date
        else touches.at <= deals.closed_at
    end
    group by deals.deal_id

),

final as (

    select
        deals.deal_id,
        deals.case_id,
        deals.lead_id,
        deals.account_id,
        deals.product,
        deals.source,
        deals.name,
        deals.created_at,
        deals.created_date,
        deals.expected_close_date,
        deals.current_stage,
        deals.outcome,
        deals.is_won,
        deals.is_lost,
        deals.closed_at,
        deals.closed_date,
        deals.closed_hour,
        {{ weekday_of('deals.closed_date') }} as closed_weekday,
        deals.close_precision,
        deals.first_closed_at,
        deals.amount,
        deals.currency,
        case when deals.is_won then deals.amount end as won_amount,
        case when deals.is_lost then deals.amount end as lost_amount,
        deals.loss_reason,
        deals.cycle_days,
        deals.first_close_cycle_days,
        deals.lead_cycle_days,
        deals.first_touch_cycle_days,
        deals.is_negative_cycle,
        deals.is_cycle_from_lead,
        case when deals.closed_at is not null then coalesce(touched.touches, 0) end as touches_to_close,
        deals.days_observed,
        qualifications.criteria_met as qualification_score,
        deals.branch,
        deals.rep_closed as rep,
        deals.rep_closed_id as rep_id,
        deals.team_closed as team,
        deals.channel,
        deals.campaign,
        deals.service_line,
        deals.job_type,
        deals.customer_type,
        versions.process_version,
        deals.pipeline
    from deals
    left join touched on deals.deal_id = touched.deal_id
    left join {{ ref('fct_qualification') }} as qualifications on deals.deal_id = qualifications.deal_id
    {{ version_on('versions', 'deals.closed_date') }}

)

select * from final
