with source as (

    {{ newest_version(source('raw_hubspot', 'owners'), ['id']) }}

),

parsed as (

    select
        *,
        {{ json_struct('record', {'teams': [{'id': 'varchar', 'name': 'varchar', 'primary': 'boolean'}]}) }}.teams as teams
    from source

),

all_teams as (

    {{ unnest_list('parsed', ['id'], 'teams') }}

),

-- the primary team, else the first one
numbered as (

    select
        id,
        {{ clean('item.name') }} as team,
        row_number() over (partition by id order by coalesce(item."primary", false) desc, position) as place
    from all_teams

),

renamed as (

    select
        {{ source_id("'hubspot'", 'parsed.id') }} as user_id,
        {{ clean("concat_ws(' ', parsed.first_name, parsed.last_name)") }} as name,
        {{ clean('parsed.email') }} as email,
        cast(null as varchar) as role,
        numbered.team,
        {{ mapped_branch('hubspot', 'numbered.team') }} as branch,
        cast(null as varchar) as manager,
        not coalesce(parsed.is_archived, false) as is_active
    from parsed
    left join numbered on parsed.id = numbered.id and numbered.place = 1

)

select * from renamed
