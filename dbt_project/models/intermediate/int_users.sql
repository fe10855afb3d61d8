-- Users as the sources have them. A source without users gets them from the owners that its records name (is_derived).
with united as (

    {{ canonical('users') }}

),

leads as (

    {{ canonical('leads') }}

),

deals as (

    {{ canonical('deals') }}

),

logged as (

    {{ canonical('stage_events') }}

),

activities as (

    {{ canonical('activities') }}

),

changes as (

    {{ canonical('field_history') }}

),

named_by_records as (

    select owner_id as user_id from leads
    union
    select owner_id from deals
    union
    select owner_id from logged
    union
    select user_id from activities
    union
    select value from changes where field = 'owner_id'

),

sources_with_users as (

    select distinct {{ id_source('user_id') }} as source
    from united

),

derived as (

    select
        named_by_records.user_id,
        true as is_active,
        true as is_derived
    from named_by_records
    left join sources_with_users on {{ id_source('named_by_records.user_id') }} = sources_with_users.source
    where named_by_records.user_id is not null and sources_with_users.source is null

),

everybody as (

    {{ union_by_name(['united', 'derived']) }}

),

named as (

    select
        everybody.user_id,
        coalesce(everybody.name, everybody.email, {{ id_in_source('everybody.user_id') }}) as name,
        everybody.email,
        everybody.role,
        everybody.team,
        coalesce(spelled.value, everybody.branch) as branch,
        everybody.manager,
        everybody.is_active,
        coalesce(everybody.is_derived, false) as is_derived
    from everybody
    left join {{ ref('int_segment_values') }} as spelled on spelled.field = 'branch' and spelled.word = {{ segment_word('everybody.branch') }}

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
        is_active,
        is_derived
    from counted

)

select * from final
