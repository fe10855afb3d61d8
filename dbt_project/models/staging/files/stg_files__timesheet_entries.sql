with newest as (

    {{ newest_rows_of_files(source('raw_files', 'timesheet_entries'), ['entry_id']) }}

),

renamed as (

    select
        {{ source_id('source', 'entry_id') }} as entry_id,
        {{ source_id('source', 'user_id') }} as user_id,
        starts_at,
        ends_at,
        {{ clean('activity') }} as activity,
        {{ source_id('source', 'deal_id') }} as deal_id,
        {{ source_id('source', 'job_id') }} as job_id,
        updated_at
    from newest

)

select * from renamed
