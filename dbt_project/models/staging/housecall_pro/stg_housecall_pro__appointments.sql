-- The date of an estimate is a consultation, that of a job work; when it was agreed on is not known.
with sales as (

    select * from {{ ref('stg_housecall_pro__sales') }}
    where kind = 'estimate'

),

consultations as (

    select
        sales.id,
        coalesce(sales.scheduled_at, sales.completed_at) as starts_at,
        sales.scheduled_until as ends_at,
        case when sales.completed_at is not null then 'held' when sales.status like '%canceled%' then 'canceled' else 'scheduled' end as status,
        deals.owner_id as user_id,
        deals.lead_id,
        deals.deal_id,
        cast(null as varchar) as job_id,
        deals.is_deleted
    from sales
    inner join {{ ref('stg_housecall_pro__deals') }} as deals on {{ source_id("'housecall_pro'", 'sales.id') }} = deals.deal_id

),

work as (

    select
        {{ id_in_source('job_id') }} as id,
        scheduled_at as starts_at,
        scheduled_until as ends_at,
        case status when 'completed' then 'held' when 'canceled' then 'canceled' else 'scheduled' end as status,
        user_id,
        cast(null as varchar) as lead_id,
        cast(null as varchar) as deal_id,
        job_id,
        is_deleted
    from {{ ref('stg_housecall_pro__jobs') }}

),

united as (

    select * from consultations
    union all
    select * from work

),

final as (

    select
        {{ source_id("'housecall_pro'", 'id') }} as appointment_id,
        cast(null as timestamp) as created_at,
        starts_at,
        ends_at,
        status,
        user_id,
        lead_id,
        deal_id,
        job_id,
        is_deleted
    from united
    where starts_at is not null

)

select * from final
