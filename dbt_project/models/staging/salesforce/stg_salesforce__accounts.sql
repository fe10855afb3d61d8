with source as (

    {{ newest_version(source('raw_salesforce', 'accounts'), ['id']) }}

),

parsed as (

    select
        *,
        {{ salesforce_record(['Name', 'Industry', 'BillingCity', 'BillingPostalCode', 'BillingCountry', 'ParentId']) }} as fields
    from source

),

renamed as (

    select
        {{ source_id("'salesforce'", 'parsed.id') }} as account_id,
        {{ clean('parsed.fields.Name') }} as name,
        {{ clean('parsed.fields.Industry') }} as industry,
        {{ clean('parsed.fields.BillingCity') }} as city,
        {{ clean('parsed.fields.BillingPostalCode') }} as postcode,
        {{ clean('parsed.fields.BillingCountry') }} as country,
        {{ clean('parents.fields.Name') }} as parent,
        parsed.created_at,
        coalesce(parsed.is_deleted, false) as is_deleted
    from parsed
    left join parsed as parents on parsed.fields.ParentId = parents.id

)

select * from renamed
