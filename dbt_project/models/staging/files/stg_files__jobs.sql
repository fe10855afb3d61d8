with newest as (

    {{ newest_rows_of_files(source('raw_files', 'jobs'), ['job_id']) }}

),

renamed as (

    select
        {{ source_id('source', 'job_id') }} as job_id,
        {{ source_id('source', 'deal_id') }} as deal_id,
        created_at,
        scheduled_at,
        completed_at,
        {{ clean('status') }} as status,
        amount
    from newest

)

select * from renamed
