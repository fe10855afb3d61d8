with source as (

    {{ newest_version(source('raw_housecall_pro', 'jobs'), ['id']) }}

),

absences as (

    {{ absent_records('housecall_pro', 'jobs') }}

),

parsed as (

    select
        *,
        {{ json_struct('record', {
            'work_status': 'varchar', 'customer': {'id': 'varchar'}, 'schedule': {'scheduled_start': 'varchar', 'scheduled_end': 'varchar'},
            'work_timestamps': {'started_at': 'varchar', 'completed_at': 'varchar'}, 'deleted_at': 'varchar', 'assigned_employees': [{'id': 'varchar'}],
            'total_amount': 'varchar', 'original_estimate_id': 'varchar', 'original_estimate_uuids': ['varchar'],
        }) }} as job
    from source

),

-- a job names the estimate, or options of it
job_options as (

    select distinct option_id, id as estimate_id from {{ ref('stg_housecall_pro__options') }}

),

final as (

    select
        {{ source_id("'housecall_pro'", 'parsed.id') }} as job_id,
        deals.deal_id,
        deals.lead_id,
        accounts.account_id,
        {{ source_id("'housecall_pro'", first_item('parsed.job.assigned_employees') ~ '.id') }} as user_id,
        parsed.created_at,
        {{ parse_timestamp('parsed.job.schedule.scheduled_start') }} as scheduled_at,
        {{ parse_timestamp('parsed.job.schedule.scheduled_end') }} as scheduled_until,
        {{ parse_timestamp('parsed.job.work_timestamps.completed_at') }} as completed_at,
        -- written with spaces in one place and with underscores in another
        case
            when replace(lower(parsed.job.work_status), '_', ' ') like 'complete%' then 'completed'
            when replace(lower(parsed.job.work_status), '_', ' ') like '%canceled' then 'canceled'
            when replace(lower(parsed.job.work_status), '_', ' ') = 'in progress' then 'in_progress'
            when replace(lower(parsed.job.work_status), '_', ' ') = 'needs scheduling' then 'unscheduled'
            else 'scheduled'
        end as status,
        {{ cents('parsed.job.total_amount') }} as amount,
        parsed.job.deleted_at is not null or absences.id is not null as is_deleted
    from parsed
    left join job_options on {{ first_item('parsed.job.original_estimate_uuids') }} = job_options.option_id
    left join {{ ref('stg_housecall_pro__deals') }} as deals
        on {{ source_id("'housecall_pro'", 'coalesce(' ~ clean('parsed.job.original_estimate_id') ~ ', job_options.estimate_id, parsed.id)') }} = deals.deal_id
    left join {{ ref('stg_housecall_pro__accounts') }} as accounts on {{ source_id("'housecall_pro'", 'parsed.job.customer.id') }} = accounts.account_id
    left join absences on parsed.id = absences.id

)

select * from final
