-- Assessments are consultations (nobody knows when they were booked), visits are work that was sold.
with requests as (

    select * from {{ ref('stg_jobber__requests') }}
    where is_newest and request.assessment is not null

),

assessments as (

    select
        requests.id || ':assessment' as id,
        cast(null as timestamp) as created_at,
        coalesce({{ parse_timestamp('requests.request.assessment.startAt') }}, {{ parse_timestamp('requests.request.assessment.completedAt') }}) as starts_at,
        cast(null as timestamp) as ends_at,
        case
            when requests.request.assessment.completedAt is not null then 'held'
            when requests.request.requestStatus = 'archived' then 'canceled'
            else 'scheduled'
        end as status,
        leads.lead_id,
        cast(null as varchar) as job_id,
        leads.is_deleted
    from requests
    inner join {{ ref('stg_jobber__leads') }} as leads on {{ source_id("'jobber'", 'requests.id') }} = leads.lead_id

),

visits as (

    {{ newest_version(source('raw_jobber', 'visits'), ['id']) }}

),

absences as (

    {{ absent_records('jobber', 'visits') }}

),

parsed as (

    select
        id,
        created_at,
        {{ json_struct('record', {'startAt': 'varchar', 'endAt': 'varchar', 'completedAt': 'varchar', 'job': {'id': 'varchar'}}) }} as visit
    from visits

),

work as (

    select
        parsed.id,
        parsed.created_at,
        {{ parse_timestamp('parsed.visit.startAt') }} as starts_at,
        {{ parse_timestamp('parsed.visit.endAt') }} as ends_at,
        case when parsed.visit.completedAt is not null then 'held' else 'scheduled' end as status,
        cast(null as varchar) as lead_id,
        {{ source_id("'jobber'", 'parsed.visit.job.id') }} as job_id,
        absences.id is not null as is_deleted
    from parsed
    left join absences on parsed.id = absences.id

),

united as (

    select * from assessments
    union all
    select * from work

),

final as (

    select
        {{ source_id("'jobber'", 'id') }} as appointment_id,
        created_at,
        starts_at,
        ends_at,
        status,
        cast(null as varchar) as user_id,
        lead_id,
        cast(null as varchar) as deal_id,
        job_id,
        is_deleted
    from united
    where starts_at is not null

)

select * from final
