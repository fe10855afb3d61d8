with events as (
    select
        {{ id_source('subject_id') }} as source,
        case when subject_type = 'lead' then 'lead' else pipeline end as pipeline,
        source_stage,
        subject_id,
        "at"
    from {{ ref('int_stage_events') }}
    where stage_key is null
),

final as (
    select
        events.source,
        events.pipeline,
        events.source_stage,
        min(labels.label) as label,
        min(labels.kind) as kind,
        count(*) as events,
        count(distinct events.subject_id) as records,
        min(events."at") as first_seen_at,
        max(events."at") as last_seen_at,
        1 as definition_version,
        max(run.as_of) as as_of
    from events
    left join {{ ref('int_source_stages') }} as labels
        on events.source = labels.source and events.pipeline = labels.pipeline and events.source_stage = labels.source_stage
    cross join {{ source('process', 'run') }} as run
    group by events.source, events.pipeline, events.source_stage
)

select * from final
