with source as (

    {{ newest_version(source('raw_servicetitan', 'customers'), ['id']) }}

),

parsed as (

    select
        *,
        {{ json_struct('record', {'name': 'varchar', 'address': {'city': 'varchar', 'zip': 'varchar', 'country': 'varchar'}}) }} as customer
    from source

),

final as (

    select
        {{ source_id("'servicetitan'", 'id') }} as account_id,
        {{ clean('customer.name') }} as name,
        cast(null as varchar) as industry,
        {{ clean('customer.address.city') }} as city,
        {{ clean('customer.address.zip') }} as postcode,
        {{ clean('customer.address.country') }} as country,
        cast(null as varchar) as parent,
        created_at,
        not coalesce(is_active, true) as is_deleted
    from parsed

)

select * from final
