-- Clients that are companies.
with source as (

    {{ newest_version(source('raw_jobber', 'clients'), ['id']) }}

),

absences as (

    {{ absent_records('jobber', 'clients') }}

),

parsed as (

    select
        id,
        created_at,
        {{ json_struct('record', {'companyName': 'varchar', 'billingAddress': {'city': 'varchar', 'postalCode': 'varchar', 'country': 'varchar'}}) }} as client
    from source

),

renamed as (

    select
        {{ source_id("'jobber'", 'parsed.id') }} as account_id,
        {{ clean('parsed.client.companyName') }} as name,
        cast(null as varchar) as industry,
        {{ clean('parsed.client.billingAddress.city') }} as city,
        {{ clean('parsed.client.billingAddress.postalCode') }} as postcode,
        {{ clean('parsed.client.billingAddress.country') }} as country,
        cast(null as varchar) as parent,
        parsed.created_at,
        absences.id is not null as is_deleted
    from parsed
    left join absences on parsed.id = absences.id
    where {{ clean('parsed.client.companyName') }} is not null

)

select * from renamed
