with source as (

    {{ newest_version(source('raw_servicetitan', 'appointments'), ['id']) }}

),

assignments as (

    {{ newest_version(source('raw_servicetitan', 'appointment_assignments'), ['id']) }}

),

sent as (

    select
        {{ json_struct('record', {'appointmentId': 'varchar'}) }}.appointmentId as appointment_id,
        {{ json_struct('record', {'technicianId': 'varchar'}) }}.technicianId as technician_id,
        row_number() over (partition by {{ json_struct('record', {'appointmentId': 'varchar'}) }}.appointmentId order by {{ try_cast('id', 'bigint') }}) as place
    from assignments
    where coalesce(is_active, true)

),

parsed as (

    select
        *,
        {{ json_struct('record', {'jobId': 'varchar', 'start': 'varchar', 'end': 'varchar', 'status': 'varchar'}) }} as appointment
    from source

),

final as (

    select
        {{ source_id("'servicetitan'", 'parsed.id') }} as appointment_id,
        parsed.created_at,
        {{ parse_timestamp('parsed.appointment."start"') }} as starts_at,
        {{ parse_timestamp('parsed.appointment."end"') }} as ends_at,
        case lower(parsed.appointment.status) when 'done' then 'held' when 'canceled' then 'canceled' else 'scheduled' end as status,
        {{ source_id("'servicetitan'", 'sent.technician_id') }} as user_id,
        deals.lead_id,
        deals.deal_id,
        {{ source_id("'servicetitan'", 'parsed.appointment.jobId') }} as job_id,
        not coalesce(parsed.is_active, true) as is_deleted
    from parsed
    left join sent on parsed.id = sent.appointment_id and sent.place = 1
    left join {{ ref('stg_servicetitan__deals') }} as deals on {{ source_id("'servicetitan'", 'parsed.appointment.jobId') }} = deals.deal_id
    where parsed.appointment."start" is not null

)

select * from final
