with newest as (

    {{ newest_rows_of_files(source('raw_files', 'appointments'), ['appointment_id']) }}

),

renamed as (

    select
        {{ source_id('source', 'appointment_id') }} as appointment_id,
        created_at,
        starts_at,
        ends_at,
        {{ clean('status') }} as status,
        {{ source_id('source', 'user_id') }} as user_id,
        {{ source_id('source', 'lead_id') }} as lead_id,
        {{ source_id('source', 'deal_id') }} as deal_id,
        {{ source_id('source', 'job_id') }} as job_id,
        coalesce(is_deleted, false) as is_deleted
    from newest

)

select * from renamed
