with source as (

    {{ newest_version(source('raw_hubspot', 'companies'), ['id']) }}

),

absences as (

    {{ absent_records('hubspot', 'companies') }}

),

-- a company that was merged away lives on in another
claims as (

    {{ hubspot_claims('companies') }}

),

retired as (

    select distinct retired_id from claims

),

parsed as (

    select
        *,
        {{ hubspot_record(['name', 'industry', 'city', 'zip', 'country']) }} as properties
    from source

),

renamed as (

    select
        {{ source_id("'hubspot'", 'parsed.id') }} as account_id,
        {{ clean('parsed.properties.name') }} as name,
        {{ clean('parsed.properties.industry') }} as industry,
        {{ clean('parsed.properties.city') }} as city,
        {{ clean('parsed.properties.zip') }} as postcode,
        {{ clean('parsed.properties.country') }} as country,
        cast(null as varchar) as parent,
        parsed.created_at,
        coalesce(parsed.is_archived, false) or absences.id is not null or retired.retired_id is not null as is_deleted
    from parsed
    left join absences on parsed.id = absences.id
    left join retired on parsed.id = retired.retired_id

)

select * from renamed
