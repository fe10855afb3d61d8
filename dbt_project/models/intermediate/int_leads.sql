with united as (

    {{ canonical('leads') }}

),

logged as (

    {{ canonical('stage_events') }}

),

-- An event log can tell of leads that no record describes.
from_events as (

    select
        subject_id as lead_id,
        min("at") as created_at
    from logged
    where subject_type = 'lead' and subject_id is not null
    group by subject_id

),

derived as (

    select
        from_events.lead_id,
        from_events.created_at,
        false as is_deleted,
        false as is_test,
        true as is_derived
    from from_events
    left join united on from_events.lead_id = united.lead_id
    where united.lead_id is null

),

all_records as (

    {{ union_by_name(['united', 'derived']) }}

),

everything as (

    select {{ star_with_spelled_segments('all_records') }}
    from all_records
    {{ join_segment_spellings('all_records') }}

),

merged as (

    select
        {{ star_except('everything', ['merged_into_id', 'owner_id', 'status', 'is_deleted']) }},
        {{ value_at_as_of('owners', 'everything.owner_id') }} as owner_id,
        {{ value_at_as_of('statuses', 'everything.status') }} as status,
        everything.is_deleted and coalesce(everything.removed_at <= {{ as_of() }}, true) as is_deleted,
        lead_merges.survivor_id as merged_into_id
    from everything
    {{ join_value_at_as_of('owners', 'lead', 'everything.lead_id', 'owner_id') }}
    {{ join_value_at_as_of('statuses', 'lead', 'everything.lead_id', 'status') }}
    left join {{ ref('int_merged_records') }} as lead_merges
        on lead_merges.subject_type = 'lead' and everything.lead_id = lead_merges.record_id

),

judged as (

    select
        *,
        case
            when created_at > {{ as_of() }} then 'after_as_of'
            when merged_into_id is not null then 'merged'
            when is_deleted then 'deleted'
            {% for rule in var('exclusions') -%}
            when {{ rule['sql'] }} then '{{ rule['reason'] | replace("'", "''") }}'
            {% endfor -%}
            when is_test then 'test'
        end as exclusion_reason
    from merged

),

final as (

    select
        {{ star_except('judged', ['is_derived']) }},
        coalesce(judged.is_derived, false) as is_derived,
        judged.exclusion_reason is null as is_counted,
        coalesce(branches.timezone, run.timezone) as timezone,
        lower(judged.email) as email_key,
        {{ phone_key('judged.phone') }} as phone_key
    from judged
    cross join {{ source('process', 'run') }} as run
    left join {{ source('process', 'branches') }} as branches on judged.branch = branches.branch

)

select * from final
