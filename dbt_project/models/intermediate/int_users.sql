-- Users as the sources have them. A source without users gets them from the owners that its records name (is_derived).
with united as (

    {{ canonical('users') }}

),

-- only files may have no users: every CRM with a connector has them
named_by_records as (

    select owner_id as user_id from {{ ref('stg_files__leads') }}
    union all
    select owner_id from {{ ref('stg_files__deals') }}
    union all
    select owner_id from {{ ref('stg_files__stage_events') }}
    union all
    select value from {{ ref('stg_files__field_history') }}
    where field = 'owner_id'
    union all
    select user_id from {{ ref('stg_files__activities') }}
    union all
    select user_id from {{ ref('stg_files__calls') }}
    union all
    select user_id from {{ ref('stg_files__appointments') }}

),

counted_names as (

    select
        user_id,
        {{ id_in_source('user_id') }} as name,
        count(*) as records
    from named_by_records
    where user_id is not null
    group by user_id

),

sources_with_users as (

    select distinct {{ id_source('user_id') }} as source
    from united

),

-- one name for writings that differ in case or blanks: that of most records
derived as (

    select
        counted_names.user_id,
        first_value(counted_names.name) over (
            partition by lower({{ single_blanks('counted_names.name') }}) order by counted_names.records desc, counted_names.name
        ) as name,
        true as is_active,
        true as is_derived
    from counted_names
    left join sources_with_users on {{ id_source('counted_names.user_id') }} = sources_with_users.source
    where sources_with_users.source is null

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
        count(case when not is_derived then 1 end) over (partition by name) as namesakes
    from named

),

final as (

    select
        user_id,
        name,
        case when namesakes > 1 and not is_derived then name || ' (' || user_id || ')' else name end as rep,
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
