-- Housecall Pro has no stages and no history: they come from time stamps.
with sales as (

    select * from {{ ref('stg_housecall_pro__sales') }}

),

united as (

    select 'lead' as subject_type, lead_id as subject_id, 'lost' as stage, lost_at as at from {{ ref('stg_housecall_pro__leads') }}
    where lost_at is not null and status = 'lost'
    union all
    select 'deal', {{ source_id("'housecall_pro'", 'id') }}, 'scheduled', created_at from sales
    union all
    select 'deal', {{ source_id("'housecall_pro'", 'id') }}, 'completed', completed_at from sales
    where completed_at is not null and kind = 'estimate'
    union all
    select 'deal', {{ source_id("'housecall_pro'", 'id') }}, 'offered', offered_at from sales
    where offered_at is not null
    union all
    select 'deal', {{ source_id("'housecall_pro'", 'id') }}, 'approved', won_at from sales
    where won_at is not null
    union all
    select 'deal', {{ source_id("'housecall_pro'", 'id') }}, 'lost', lost_at from sales
    where lost_at is not null

),

final as (

    select
        subject_id || ':' || stage as event_id,
        subject_type,
        subject_id,
        stage,
        cast(null as varchar) as pipeline,
        "at",
        cast(null as varchar) as owner_id,
        case stage when 'scheduled' then 0 when 'completed' then 1 when 'offered' then 2 else 3 end as source_order
    from united

)

select * from final
