with deals as (

    select *
    from {{ ref('fct_deal') }}
    where outcome in ('won', 'lost')

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
        deals.days_observed,
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
    {{ version_on('versions', 'deals.closed_date') }}

)

select * from final
