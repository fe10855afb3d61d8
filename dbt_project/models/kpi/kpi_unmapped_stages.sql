{# Stages that nothing maps: of dated events, of records that stand in one now, and (source_stage is null) of open deals that have none at all. #}
with events as (
    select
        source,
        case when subject_type = 'lead' then 'lead' else pipeline end as pipeline,
        source_stage,
        subject_type,
        subject_id,
        1 as events,
        "at"
    from {{ ref('int_stage_events') }}
    where stage_key is null and not is_ignored
),

present as (
    select
        source,
        case when subject_type = 'lead' then 'lead' else pipeline end as pipeline,
        source_stage,
        subject_type,
        subject_id,
        0 as events,
        cast(null as timestamp) as at
    from {{ ref('int_present_stages') }}
    where stage_key is null and not is_ignored
),

without_stage as (
    select
        {{ id_source('deals.deal_id') }} as source,
        deals.pipeline,
        cast(null as varchar) as source_stage,
        'deal' as subject_type,
        deals.deal_id as subject_id,
        0 as events,
        cast(null as timestamp) as at
    from {{ ref('int_deals') }} as deals
    left join {{ ref('int_case_events') }} as events on events.subject_type = 'deal' and deals.deal_id = events.subject_id
    left join present on present.subject_type = 'deal' and deals.deal_id = present.subject_id
    where deals.is_counted and deals.stage is null and events.subject_id is null and present.subject_id is null
),

united as (
    select * from events
    union all
    select * from present
    union all
    select * from without_stage
),

final as (
    select
        united.source,
        united.pipeline,
        united.source_stage,
        min(labels.label) as label,
        min(labels.kind) as kind,
        cast(sum(united.events) as bigint) as events,
        count(distinct united.subject_type || united.subject_id) as records,
        min(united."at") as first_seen_at,
        max(united."at") as last_seen_at,
        1 as definition_version,
        max(run.as_of) as as_of
    from united
    left join {{ ref('int_source_stages') }} as labels
        on united.source = labels.source and united.pipeline = labels.pipeline and united.source_stage = labels.source_stage
    cross join {{ source('process', 'run') }} as run
    group by united.source, united.pipeline, united.source_stage
)

select * from final
