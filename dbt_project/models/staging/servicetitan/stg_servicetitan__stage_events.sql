-- ServiceTitan has no stages: they come from the time stamps of jobs and estimates, and from how a lead's status was at each sync. The
-- consultation was held when the job was completed, or before an offer was made.
with lead_versions as (

    select
        *,
        {{ clean(json_struct('record', {'status': 'varchar'}) ~ '.status') }} as status
    from {{ source('raw_servicetitan', 'leads') }}

),

lead_changes as (

    {{ version_changes('lead_versions', 'id', 'status', 'modified_at', 'modified_at') }}

),

visits as (

    select * from {{ ref('stg_servicetitan__visits') }}
    where sold_by_visit_id is null and not is_service

),

united as (

    select 'lead' as subject_type, id, value as stage, "at" from lead_changes
    where value = 'Dismissed' or (value = 'Open' and place > 1)
    union all
    select 'lead', key, status, modified_at from {{ ref('stg_servicetitan__inquiries') }}
    where kind <> 'lead' and status = 'Dismissed'
    union all
    select 'deal', id, 'Booked', created_at from visits
    union all
    select 'deal', id, 'Completed', least(completed_at, coalesce(offered_at, completed_at)) from visits
    where completed_at is not null
    union all
    select 'deal', id, 'Estimate', offered_at from visits
    where offered_at is not null
    union all
    select 'deal', id, 'Sold', sold_at from visits
    where sold_at is not null
    union all
    select 'deal', id, 'Lost', lost_at from visits
    where lost_at is not null

),

final as (

    select
        {{ source_id("'servicetitan'", 'id') }} || ':' || subject_type || ':' || stage || ':' || cast("at" as varchar) as event_id,
        subject_type,
        {{ source_id("'servicetitan'", 'id') }} as subject_id,
        stage,
        cast(null as varchar) as pipeline,
        "at",
        cast(null as varchar) as owner_id,
        case stage when 'Booked' then 0 when 'Completed' then 1 when 'Estimate' then 2 else 3 end as source_order
    from united

)

select * from final
