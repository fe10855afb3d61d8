with newest as (

    {{ newest_rows_of_files(source('raw_files', 'accounts'), ['account_id']) }}

),

renamed as (

    select
        {{ source_id('source', 'account_id') }} as account_id,
        {{ clean('name') }} as name,
        {{ clean('industry') }} as industry,
        {{ clean('city') }} as city,
        {{ clean('postcode') }} as postcode,
        {{ clean('country') }} as country,
        {{ clean('parent') }} as parent,
        created_at,
        coalesce(is_deleted, false) as is_deleted,
        updated_at
    from newest

)

select * from renamed
