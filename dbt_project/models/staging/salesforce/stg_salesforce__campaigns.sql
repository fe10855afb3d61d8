with source as (

    {{ newest_version(source('raw_salesforce', 'campaigns'), ['id']) }}

),

parsed as (

    select
        *,
        {{ salesforce_record(['Name', 'Type', 'IsActive']) }} as fields
    from source
    where not coalesce(is_deleted, false)

),

renamed as (

    select
        {{ source_id("'salesforce'", 'id') }} as campaign_id,
        {{ clean('fields.Name') }} as name,
        {{ clean('fields.Type') }} as channel,
        {{ word_boolean('fields.IsActive') }} as is_active
    from parsed

)

select * from renamed
