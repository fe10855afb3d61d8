with newest as (

    {{ newest_rows_of_files(source('raw_files', 'estimates'), ['estimate_id']) }}

),

renamed as (

    select
        {{ source_id('source', 'estimate_id') }} as estimate_id,
        {{ source_id('source', 'deal_id') }} as deal_id,
        {{ source_id('source', 'lead_id') }} as lead_id,
        {{ source_id('source', 'job_id') }} as job_id,
        {{ clean('name') }} as name,
        {{ clean('status') }} as status,
        created_at,
        sent_at,
        decided_at,
        options,
        amount,
        {{ currency_code('currency') }} as currency,
        {{ source_id('source', 'user_id') }} as user_id,
        coalesce(is_deleted, false) as is_deleted,
        updated_at
    from newest

)

select * from renamed
