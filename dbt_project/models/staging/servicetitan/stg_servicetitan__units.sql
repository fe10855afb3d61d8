-- Business units and what they stand for.
with source as (

    {{ newest_version(source('raw_servicetitan', 'business_units'), ['id']) }}

),

named as (

    select
        id,
        {{ clean(json_struct('record', {'name': 'varchar'}) ~ '.name') }} as name
    from source

),

final as (

    select
        id,
        name,
        {{ servicetitan_unit('name', 'branch') }} as branch,
        {{ servicetitan_unit('name', 'service_line') }} as service_line
    from named

)

select * from final
