-- Every dated entry into a stage up to as_of, mapped to the stages of process.yml; stage_key is null where nothing maps it (kpi_unmapped_stages)
-- and where process.yml ignores it. entity: what told of it, an event log or the history of a field.
with logged as (

    {{ canonical('stage_events') }}

),

stage_changes as (

    select
        subject_type,
        subject_id,
        value as source_stage,
        "at",
        source_order
    from {{ ref('int_field_history') }}
    where field in ('stage', 'status') and value is not null

),

-- before its first entry the pipeline is that of the first entry
pipeline_periods as (

    select
        subject_id,
        value as pipeline,
        case when row_number() over (partition by subject_id order by "at", source_order) = 1 then timestamp '1900-01-01' else "at" end as valid_from,
        coalesce(lead("at") over (partition by subject_id order by "at", source_order), timestamp '9999-12-31') as valid_to
    from {{ ref('int_field_history') }}
    where subject_type = 'deal' and field = 'pipeline' and value is not null

),

-- the pipeline at the moment of the event: its history, else today's
from_history as (

    select
        changes.subject_type,
        changes.subject_id,
        changes.source_stage,
        case when changes.subject_type = 'deal' then coalesce(pipelines.pipeline, records.pipeline) end as pipeline,
        changes.at,
        changes.source_order,
        cast(null as varchar) as owner_id,
        false as is_ordered,
        'field_history' as entity
    from stage_changes as changes
    inner join {{ ref('int_segments') }} as records
        on changes.subject_type = records.subject_type and changes.subject_id = records.subject_id
    left join pipeline_periods as pipelines
        on changes.subject_id = pipelines.subject_id
        and changes.at >= pipelines.valid_from
        and changes.at < pipelines.valid_to

),

from_logs as (

    select
        events.subject_type,
        events.subject_id,
        events.stage as source_stage,
        coalesce(events.pipeline, records.pipeline) as pipeline,
        events.at,
        events.source_order,
        events.owner_id,
        coalesce(events.is_ordered, false) as is_ordered,
        'stage_events' as entity
    from logged as events
    inner join {{ ref('int_segments') }} as records
        on events.subject_type = records.subject_type and events.subject_id = records.subject_id
    where events.stage is not null and events.at <= {{ as_of() }}

),

united as (

    select * from from_history
    union all
    select * from from_logs

),

keyed as (

    select
        united.*,
        {{ id_source('united.subject_id') }} as source
    from united

),

mapped as (

    select
        keyed.subject_type,
        keyed.subject_id,
        {{ mapped_stage() }} as stage_key,
        {{ is_ignored_stage('keyed') }} as is_ignored,
        keyed.source_stage,
        keyed.pipeline,
        keyed.at,
        keyed.source_order,
        keyed.is_ordered,
        keyed.owner_id,
        keyed.entity,
        keyed.source
    from keyed
    {{ join_stage_mapping('keyed') }}

)

select * from mapped
