{{ config(materialized='table') }}
-- Work that was sold: by an estimate of an earlier job, by one of its own, or on the spot.
with visits as (

    select * from {{ ref('stg_servicetitan__visits') }}

),

final as (

    select
        {{ source_id("'servicetitan'", 'visits.id') }} as job_id,
        {{ source_id("'servicetitan'", 'coalesce(visits.sold_by_visit_id, visits.id)') }} as deal_id,
        deals.lead_id,
        {{ source_id("'servicetitan'", 'visits.customer_id') }} as account_id,
        {{ source_id("'servicetitan'", 'visits.seller_id') }} as user_id,
        visits.created_at,
        cast(null as timestamp) as scheduled_at,
        visits.completed_at,
        case visits.status
            when 'inprogress' then 'in_progress' when 'hold' then 'on_hold' when 'completed' then 'completed' when 'canceled' then 'canceled' else 'scheduled'
        end as status,
        coalesce(visits.sold_amount, visits.total) as amount,
        visits.is_deleted
    from visits
    left join {{ ref('stg_servicetitan__deals') }} as deals on {{ source_id("'servicetitan'", 'coalesce(visits.sold_by_visit_id, visits.id)') }} = deals.deal_id
    where visits.estimate_id is not null
        or (visits.sold_at is not null and visits.id not in (select sold_by_visit_id from visits where sold_by_visit_id is not null))

)

select * from final
