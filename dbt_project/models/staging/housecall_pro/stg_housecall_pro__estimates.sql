with offered as (

    select
        id,
        cast(count(*) as integer) as options
    from {{ ref('stg_housecall_pro__options') }}
    where is_newest and amount > 0
    group by id

)

select
    {{ source_id("'housecall_pro'", 'sales.id') }} as estimate_id,
    deals.deal_id,
    deals.lead_id,
    cast(null as varchar) as job_id,
    sales.name,
    case
        when sales.won_at is not null then 'approved'
        when sales.lost_at is not null then 'declined'
        when sales.offered_at is not null then 'sent'
        else 'draft'
    end as status,
    sales.created_at,
    sales.offered_at as sent_at,
    coalesce(sales.won_at, sales.lost_at) as decided_at,
    offered.options,
    sales.amount,
    cast(null as varchar) as currency,
    deals.owner_id as user_id,
    deals.is_deleted
from {{ ref('stg_housecall_pro__sales') }} as sales
inner join {{ ref('stg_housecall_pro__deals') }} as deals on {{ source_id("'housecall_pro'", 'sales.id') }} = deals.deal_id
left join offered on sales.id = offered.id
where sales.kind = 'estimate'
