with employees as (

    {{ newest_version(source('raw_servicetitan', 'employees'), ['id']) }}

),

technicians as (

    {{ newest_version(source('raw_servicetitan', 'technicians'), ['id']) }}

),

united as (

    select id, is_active, record, 'employee' as role from employees
    union all
    -- who is both is one person
    select id, is_active, record, 'technician' from technicians
    where id not in (select id from employees)

),

parsed as (

    select
        *,
        {{ json_struct('record', {'name': 'varchar', 'email': 'varchar', 'businessUnitId': 'varchar'}) }} as person
    from united

),

final as (

    select
        {{ source_id("'servicetitan'", 'parsed.id') }} as user_id,
        {{ clean('parsed.person.name') }} as name,
        {{ clean('parsed.person.email') }} as email,
        parsed.role,
        units.name as team,
        units.branch,
        cast(null as varchar) as manager,
        coalesce(parsed.is_active, true) as is_active
    from parsed
    left join {{ ref('stg_servicetitan__units') }} as units on parsed.person.businessUnitId = units.id

)

select * from final
