with source as (

    {{ newest_version(source('raw_jobber', 'users'), ['id']) }}

),

absences as (

    {{ absent_records('jobber', 'users') }}

),

parsed as (

    select
        id,
        {{ json_struct('record', {'name': {'full': 'varchar'}, 'email': {'raw': 'varchar'}, 'status': 'varchar'}) }} as person
    from source

),

renamed as (

    select
        {{ source_id("'jobber'", 'parsed.id') }} as user_id,
        {{ clean('parsed.person.name.full') }} as name,
        {{ clean('parsed.person.email.raw') }} as email,
        cast(null as varchar) as role,
        cast(null as varchar) as team,
        cast(null as varchar) as branch,
        cast(null as varchar) as manager,
        absences.id is null and coalesce(lower(parsed.person.status) not like 'deactiv%', true) as is_active
    from parsed
    left join absences on parsed.id = absences.id

)

select * from renamed
