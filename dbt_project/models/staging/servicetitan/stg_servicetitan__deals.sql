-- A job is a deal, but not the work that a sold estimate of an earlier job led to, nor a visit without charge, a recall or work under warranty. Its inquiry: by call or booking, else the newest one of the
-- customer before it; one that was deleted only where there is no other.
with visits as (

    select * from {{ ref('stg_servicetitan__visits') }}
    where sold_by_visit_id is null and not is_service

),

inquiries as (

    select * from {{ ref('stg_servicetitan__inquiries') }}

),

candidates as (

    select
        visits.id,
        inquiries.key,
        case when inquiries.call_id = visits.call_id or inquiries.booking_id = visits.booking_id then 0 else 1 end as distance,
        inquiries.is_deleted,
        inquiries.created_at
    from visits
    inner join inquiries
        on inquiries.call_id = visits.call_id
        or inquiries.booking_id = visits.booking_id
        or (inquiries.customer_id = visits.customer_id and inquiries.created_at <= visits.created_at)

),

inquiry_of as (

    select
        id,
        key,
        row_number() over (partition by id order by is_deleted, distance, created_at desc, key) as place
    from candidates

),

job_types as (

    {{ newest_version(source('raw_servicetitan', 'job_types'), ['id']) }}

),

final as (

    select
        {{ source_id("'servicetitan'", 'visits.id') }} as deal_id,
        {{ source_id("'servicetitan'", 'inquiry_of.key') }} as lead_id,
        {{ source_id("'servicetitan'", 'visits.customer_id') }} as account_id,
        cast(null as varchar) as product_id,
        'default' as pipeline,
        'Job ' || visits.number as name,
        visits.status as stage,
        coalesce(visits.sold_amount, visits.highest_amount) as amount,
        cast(null as varchar) as currency,
        visits.created_at,
        cast(null as timestamp) as closed_at,
        cast(null as date) as expected_close_date,
        case when visits.lost_at is not null then visits.canceled_for end as loss_reason,
        units.branch,
        campaigns.channel,
        campaigns.name as campaign,
        units.service_line,
        {{ clean(json_struct('job_types.record', {'name': 'varchar'}) ~ '.name') }} as job_type,
        {{ source_id("'servicetitan'", 'visits.seller_id') }} as owner_id,
        visits.is_deleted,
        cast(null as varchar) as merged_into_id,
        false as is_test,
        case when visits.is_deleted then visits.modified_at end as removed_at,
        cast(null as varchar) as merged_ids
    from visits
    left join inquiry_of on visits.id = inquiry_of.id and inquiry_of.place = 1
    left join {{ ref('stg_servicetitan__units') }} as units on visits.unit_id = units.id
    left join {{ ref('stg_servicetitan__campaigns') }} as campaigns on {{ source_id("'servicetitan'", 'visits.campaign_id') }} = campaigns.campaign_id
    left join job_types on visits.job_type_id = job_types.id

)

select * from final
