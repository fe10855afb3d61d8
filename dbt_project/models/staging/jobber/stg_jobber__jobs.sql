{{ config(materialized='table') }}
with source as (

    {{ newest_version(source('raw_jobber', 'jobs'), ['id']) }}

),

absences as (

    {{ absent_records('jobber', 'jobs') }}

),

parsed as (

    select
        id,
        created_at,
        {{ json_struct('record', {
            'jobStatus': 'varchar', 'startAt': 'varchar', 'completedAt': 'varchar', 'total': 'varchar', 'quote': {'id': 'varchar'},
            'request': {'id': 'varchar'}, 'client': {'id': 'varchar'},
        }) }} as job
    from source

),

renamed as (

    select
        {{ source_id("'jobber'", 'parsed.id') }} as job_id,
        {{ source_id("'jobber'", 'parsed.job.quote.id') }} as deal_id,
        {{ source_id("'jobber'", 'parsed.job.request.id') }} as lead_id,
        accounts.account_id,
        cast(null as varchar) as user_id,
        parsed.created_at,
        {{ parse_timestamp('parsed.job.startAt') }} as scheduled_at,
        {{ parse_timestamp('parsed.job.completedAt') }} as completed_at,
        -- Jobber's own words move with the clock (today, late): what the dates say does not
        case
            when parsed.job.completedAt is not null then 'completed'
            when lower(parsed.job.jobStatus) = 'archived' then 'canceled'
            when lower(parsed.job.jobStatus) in ('on_hold', 'action_required') then 'on_hold'
            when parsed.job.startAt is null then 'unscheduled'
            else 'scheduled'
        end as status,
        {{ try_cast('parsed.job.total', 'decimal(18, 2)') }} as amount,
        absences.id is not null as is_deleted
    from parsed
    left join {{ ref('stg_jobber__accounts') }} as accounts on {{ source_id("'jobber'", 'parsed.job.client.id') }} = accounts.account_id
    left join absences on parsed.id = absences.id

)

select * from renamed
