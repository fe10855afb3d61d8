with newest as (

    {{ newest_rows_of_files(source('raw_files', 'contacts'), ['contact_id']) }}

),

renamed as (

    select
        {{ source_id('source', 'contact_id') }} as contact_id,
        {{ clean('first_name') }} as first_name,
        {{ clean('last_name') }} as last_name,
        {{ clean('email') }} as email,
        {{ clean('phone') }} as phone,
        {{ clean('postcode') }} as postcode,
        {{ source_id('source', 'account_id') }} as account_id,
        {{ source_id('source', 'lead_id') }} as lead_id,
        created_at,
        coalesce(is_deleted, false) as is_deleted,
        {{ source_id('source', 'merged_into_id') }} as merged_into_id,
        updated_at
    from newest

)

select * from renamed
