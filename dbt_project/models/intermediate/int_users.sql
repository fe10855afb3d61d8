with united as (

    {{ union_by_name([ref('stg_hubspot__owners'), ref('stg_files__users')]) }}

),

named as (

    select
        user_id,
        coalesce(name, email, {{ id_in_source('user_id') }}) as name,
        email,
        role,
        team,
        branch,
        manager,
        is_active
    from united

),

-- A user without a branch belongs to the one that the team's name begins with: "Denver Sales" to denver. The longest such name wins.
homes as (

    select
        named.user_id,
        branches.branch,
        row_number() over (partition by named.user_id order by length(branches.name) desc, branches.branch) as place
    from named
    inner join (
        select branch, lower(branch) as name from {{ source('process', 'branches') }}
        union
        select branch, lower(label) as name from {{ source('process', 'branches') }}
    ) as branches
        on lower(named.team) = branches.name or lower(named.team) like branches.name || ' %'

),

placed as (

    select
        named.user_id,
        named.name,
        named.email,
        named.role,
        named.team,
        coalesce(named.branch, homes.branch) as branch,
        named.manager,
        named.is_active,
        count(*) over (partition by named.name) as namesakes
    from named
    left join homes on named.user_id = homes.user_id and homes.place = 1

),

final as (

    select
        user_id,
        name,
        case when namesakes > 1 then name || ' (' || {{ id_in_source('user_id') }} || ')' else name end as rep,
        email,
        role,
        team,
        branch,
        manager,
        is_active
    from placed

)

select * from final
