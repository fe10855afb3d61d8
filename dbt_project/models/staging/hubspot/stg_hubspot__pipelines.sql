with source as (

    {{ newest_version(source('raw_hubspot', 'pipelines'), ['object_type', 'id']) }}

),

parsed as (

    select
        object_type,
        id as pipeline,
        label as pipeline_label,
        {{ json_struct('record', {'stages': [{'id': 'varchar', 'label': 'varchar', 'displayOrder': 'bigint'}]}) }}.stages as stages
    from source

),

all_stages as (

    {{ unnest_list('parsed', ['object_type', 'pipeline', 'pipeline_label'], 'stages') }}

),

renamed as (

    select
        object_type,
        pipeline,
        pipeline_label,
        item.id as source_stage,
        item.label as stage_label,
        item."displayOrder" as stage_order
    from all_stages

)

select * from renamed
