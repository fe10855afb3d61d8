with newest as (

    {{ newest_rows_of_files(source('raw_files', 'deal_leads'), ['link_id']) }}

),

renamed as (

    select
        {{ source_id('source', 'link_id') }} as link_id,
        {{ source_id('source', 'deal_id') }} as deal_id,
        {{ source_id('source', 'lead_id') }} as lead_id,
        coalesce(is_primary, false) as is_primary,
        updated_at
    from newest

)

select * from renamed
