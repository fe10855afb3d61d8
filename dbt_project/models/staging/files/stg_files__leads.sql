with newest as (

    {{ newest_rows_of_files(source('raw_files', 'leads'), ['lead_id']) }}

),

renamed as (

    select
        {{ source_id('source', 'lead_id') }} as lead_id,
        created_at,
        {{ clean('created_by') }} as created_by,
        {{ clean('first_name') }} as first_name,
        {{ clean('last_name') }} as last_name,
        {{ clean('email') }} as email,
        {{ clean('phone') }} as phone,
        {{ clean('postcode') }} as postcode,
        {{ clean('branch') }} as branch,
        {{ clean('channel') }} as channel,
        {{ clean('campaign') }} as campaign,
        {{ clean('service_line') }} as service_line,
        {{ clean('job_type') }} as job_type,
        {{ clean('customer_type') }} as customer_type,
        {{ clean('status') }} as status,
        first_touch_at,
        {{ source_id('source', 'owner_id') }} as owner_id,
        coalesce(is_deleted, false) as is_deleted,
        {{ source_id('source', 'merged_into_id') }} as merged_into_id,
        coalesce(is_test, false) as is_test,
        cast(null as timestamp) as removed_at,
        {{ id_list('merged_ids') }} as merged_ids,
        updated_at
    from newest

)

select * from renamed
