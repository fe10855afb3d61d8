-- Which estimates and jobs a lead became.
with source as (

    {{ newest_version(source('raw_housecall_pro', 'leads'), ['id']) }}

),

lists as (

    select
        id,
        {{ json_struct('record', {'conversions': [{'id': 'varchar', 'type': 'varchar'}]}) }}.conversions as conversions
    from source

),

items as (

    {{ unnest_list('lists', ['id'], 'conversions') }}

),

final as (

    select
        id as lead_key,
        item.id as sale_id,
        row_number() over (partition by item.id order by id) as place
    from items

)

select * from final
