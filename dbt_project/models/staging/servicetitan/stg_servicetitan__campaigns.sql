with source as (

    {{ newest_version(source('raw_servicetitan', 'campaigns'), ['id']) }}

),

parsed as (

    select
        *,
        {{ json_struct('record', {'name': 'varchar', 'category': {'name': 'varchar'}}) }} as campaign
    from source

),

final as (

    select
        {{ source_id("'servicetitan'", 'id') }} as campaign_id,
        {{ clean('campaign.name') }} as name,
        {{ clean('campaign.category.name') }} as channel,
        coalesce(is_active, true) as is_active
    from parsed

)

select * from final
