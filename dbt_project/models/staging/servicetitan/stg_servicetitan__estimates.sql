with offers as (

    select * from {{ ref('stg_servicetitan__offers') }}

),

final as (

    select
        {{ source_id("'servicetitan'", 'offers.id') }} as estimate_id,
        {{ source_id("'servicetitan'", 'offers.job_id') }} as deal_id,
        deals.lead_id,
        {{ source_id("'servicetitan'", 'offers.job_id') }} as job_id,
        offers.name,
        case when offers.sold_at is not null then 'approved' when offers.is_dismissed then 'declined' else 'sent' end as status,
        offers.created_at,
        offers.created_at as sent_at,
        coalesce(offers.sold_at, case when offers.is_dismissed then offers.dismissed_at end) as decided_at,
        -- every option is an estimate of its own
        1 as options,
        offers.amount,
        cast(null as varchar) as currency,
        {{ source_id("'servicetitan'", 'offers.sold_by') }} as user_id,
        false as is_deleted
    from offers
    left join {{ ref('stg_servicetitan__deals') }} as deals on {{ source_id("'servicetitan'", 'offers.job_id') }} = deals.deal_id

)

select * from final
