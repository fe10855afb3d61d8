with united as (

    {{ canonical('users') }}

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

counted as (

    select
        *,
        count(*) over (partition by name) as namesakes
    from named

),

final as (

    select
        user_id,
        name,
        case when namesakes > 1 then name || ' (' || user_id || ')' else name end as rep,
        email,
        role,
        team,
        branch,
        manager,
        is_active
    from counted

)

select * from final
