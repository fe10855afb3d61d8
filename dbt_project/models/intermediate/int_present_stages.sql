-- Where a source says that a counted record stands: its present stage, mapped, with the moments that could date it. A record that only an event
-- log tells of has none, nor has one of a source whose stages are made of time stamps, nor one whose stage changed after as_of: what it was then, its
-- dated events say.
with logged as (

    {{ canonical('stage_events') }}

),

changed_later as (

    select subject_type, subject_id
    from logged
    where "at" > {{ as_of() }} and stage is not null
    union
    select subject_type, subject_id
    from {{ ref('int_field_changes') }}
    where "at" > {{ as_of() }} and field in ('stage', 'status')

),

records as (

    select
        'lead' as subject_type,
        lead_id as subject_id,
        status as source_stage,
        cast(null as varchar) as pipeline,
        cast(null as timestamp) as closed_at,
        updated_at as changed_at
    from {{ ref('int_leads') }}
    where is_counted and not is_derived

    union all

    select
        'deal' as subject_type,
        deal_id as subject_id,
        stage as source_stage,
        pipeline,
        closed_at,
        updated_at as changed_at
    from {{ ref('int_deals') }}
    where is_counted and not is_derived

),

keyed as (

    select
        records.*,
        {{ id_source('records.subject_id') }} as source
    from records
    left join changed_later on records.subject_type = changed_later.subject_type and records.subject_id = changed_later.subject_id
    where changed_later.subject_id is null and records.source_stage is not null
        and {{ id_source('records.subject_id') }} not in ({{ text_list(sources_without_stages()) }})

),

mapped as (

    select
        keyed.subject_type,
        keyed.subject_id,
        keyed.source,
        keyed.source_stage,
        keyed.pipeline,
        {{ mapped_stage() }} as stage_key,
        {{ is_ignored_stage('keyed') }} as is_ignored,
        keyed.closed_at,
        keyed.changed_at
    from keyed
    {{ join_stage_mapping('keyed') }}

)

select * from mapped
