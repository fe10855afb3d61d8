with newest as (

    {{ newest_rows_of_files(source('raw_files', 'jobs'), ['job_id']) }}

),

renamed as (

    select
        {{ source_id('source', 'job_id') }} as job_id,
        {{ source_id('source', 'deal_id') }} as deal_id,
        {{ source_id('source', 'lead_id') }} as lead_id,
        {{ source_id('source', 'account_id') }} as account_id,
        {{ source_id('source', 'user_id') }} as user_id,
        created_at,
        scheduled_at,
        completed_at,
        {{ clean('status') }} as status,
        amount,
        coalesce(is_deleted, false) as is_deleted,
        updated_at
    from newest

)

select * from renamed
