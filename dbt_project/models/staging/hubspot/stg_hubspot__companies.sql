with source as (

    {{ newest_version(source('raw_hubspot', 'companies'), ['id']) }}

),

parsed as (

    select
        *,
        {{ hubspot_record(['name', 'industry', 'city', 'zip', 'country']) }} as properties
    from source

),

renamed as (

    select
        {{ source_id("'hubspot'", 'id') }} as account_id,
        {{ clean('properties.name') }} as name,
        {{ clean('properties.industry') }} as industry,
        {{ clean('properties.city') }} as city,
        {{ clean('properties.zip') }} as postcode,
        {{ clean('properties.country') }} as country,
        cast(null as varchar) as parent,
        created_at,
        coalesce(is_archived, false) as is_deleted
    from parsed

)

select * from renamed
