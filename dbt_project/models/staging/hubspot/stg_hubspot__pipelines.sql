-- Every stage that any snapshot of the pipelines, or an audit of what was deleted before the first one, tells of; as it was last.
with source as (

    select * from {{ source('raw_hubspot', 'pipelines') }}

),

snapshots as (

    select
        object_type,
        id as pipeline,
        label as pipeline_label,
        _load_id,
        _row,
        _load_id = max(_load_id) over (partition by object_type, id) as is_newest,
        {{ json_struct('record', {'stages': [hubspot_stage_shape()]}) }}.stages as stages
    from source

),

all_stages as (

    {{ unnest_list('snapshots', ['object_type', 'pipeline', 'pipeline_label', '_load_id', '_row', 'is_newest'], 'stages') }}

),

listed as (

    select
        object_type,
        pipeline,
        pipeline_label,
        item.id as source_stage,
        item as stage,
        not is_newest as is_deleted,
        row_number() over (partition by object_type, pipeline, item.id order by _load_id desc, _row desc) as place
    from all_stages

),

audits as (

    {{ newest_version(source('raw_hubspot', 'pipeline_audits'), ['object_type', 'pipeline_id', 'stage_id']) }}

),

audited as (

    {{ hubspot_audited_stages('audits') }}

),

pipeline_names as (

    select object_type, pipeline, stage.label as label from audited where source_stage = '*'

),

deleted as (

    select
        audited.object_type,
        audited.pipeline,
        pipeline_names.label as pipeline_label,
        audited.source_stage,
        audited.stage,
        true as is_deleted
    from audited
    left join pipeline_names on audited.object_type = pipeline_names.object_type and audited.pipeline = pipeline_names.pipeline
    where audited.source_stage <> '*'
        and not exists (
            select 1 from listed
            where listed.object_type = audited.object_type and listed.pipeline = audited.pipeline and listed.source_stage = audited.source_stage
        )

),

united as (

    select object_type, pipeline, pipeline_label, source_stage, stage, is_deleted from listed where place = 1
    union all
    select * from deleted

),

renamed as (

    select
        object_type,
        pipeline,
        pipeline_label,
        source_stage,
        {{ clean('stage.label') }} as stage_label,
        stage."displayOrder" as stage_order,
        {{ hubspot_stage_kind('stage.metadata') }} as kind,
        is_deleted
    from united

)

select * from renamed
