-- Deals of which a source says that they are closed, at a date after as_of: the first such date. They are open until then.
with logged as (

    {{ canonical('stage_events') }}

),

later as (

    select
        subject_type,
        subject_id,
        stage as source_stage,
        pipeline,
        "at"
    from logged
    where subject_type = 'deal' and stage is not null and "at" > {{ as_of() }}

    union all

    select
        'deal' as subject_type,
        deal_id as subject_id,
        stage as source_stage,
        pipeline,
        closed_at as "at"
    from {{ ref('int_deals') }}
    where is_counted and not is_derived and stage is not null and closed_at > {{ as_of() }}

),

keyed as (

    select
        later.*,
        {{ id_source('later.subject_id') }} as source
    from later

),

mapped as (

    select
        keyed.subject_id as deal_id,
        keyed.source,
        keyed.at,
        {{ mapped_stage() }} as stage
    from keyed
    {{ join_stage_mapping('keyed') }}

),

final as (

    select
        mapped.deal_id,
        mapped.source,
        min(mapped.at) as closes_at
    from mapped
    inner join {{ source('process', 'stages') }} as stages on mapped.stage = stages.stage
    where stages.kind in ('won', 'lost')
    group by mapped.deal_id, mapped.source

)

select * from final
