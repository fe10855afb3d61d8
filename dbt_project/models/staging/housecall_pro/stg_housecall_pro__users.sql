with source as (

    {{ newest_version(source('raw_housecall_pro', 'employees'), ['id']) }}

),

absences as (

    {{ absent_records('housecall_pro', 'employees') }}

),

parsed as (

    select
        id,
        {{ json_struct('record', {'first_name': 'varchar', 'last_name': 'varchar', 'email': 'varchar', 'role': 'varchar', 'company_name': 'varchar'}) }} as employee
    from source

),

final as (

    select
        {{ source_id("'housecall_pro'", 'parsed.id') }} as user_id,
        {{ clean("concat_ws(' ', parsed.employee.first_name, parsed.employee.last_name)") }} as name,
        {{ clean('parsed.employee.email') }} as email,
        {{ clean('parsed.employee.role') }} as role,
        {{ clean('parsed.employee.company_name') }} as team,
        {{ mapped_branch('housecall_pro', 'parsed.employee.company_name') }} as branch,
        cast(null as varchar) as manager,
        absences.id is null as is_active
    from parsed
    left join absences on parsed.id = absences.id

)

select * from final
