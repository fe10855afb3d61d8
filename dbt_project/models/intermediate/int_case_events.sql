-- The stage events of a case in order, each with what became of it:
--   used       an entry into a stage
--   implied    the entry into the first stage at the lead's creation, where the source has none
--   repeated   the stage in which the case was already
--   superseded a lead's event after the creation of its deal: the deal's stages count from then on
with subjects as (

    select
        cases.case_id,
        'lead' as subject_type,
        cases.lead_id as subject_id,
        1 as subject_rank,
        deals.created_at as superseded_after
    from {{ ref('int_cases') }} as cases
    left join {{ ref('int_deals') }} as deals on cases.deal_id = deals.deal_id
    where cases.lead_id is not null

    union all

    select
        case_id,
        'deal' as subject_type,
        deal_id as subject_id,
        2 as subject_rank,
        cast(null as timestamp) as superseded_after
    from {{ ref('int_cases') }}
    where deal_id is not null

),

dated as (

    select
        subjects.case_id,
        subjects.subject_type,
        subjects.subject_id,
        subjects.subject_rank,
        events.stage_key as stage,
        events.source_stage,
        events.pipeline,
        events.at,
        events.source_order,
        false as is_implied,
        coalesce(events.at > subjects.superseded_after, false) as is_superseded
    from {{ ref('int_stage_events') }} as events
    inner join subjects on events.subject_type = subjects.subject_type and events.subject_id = subjects.subject_id
    where events.stage_key is not null

),

first_events as (

    select
        subject_id,
        min("at") as at
    from dated
    where subject_type = 'lead'
    group by subject_id

),

implied as (

    select
        subjects.case_id,
        subjects.subject_type,
        subjects.subject_id,
        subjects.subject_rank,
        stages.stage,
        cast(null as varchar) as source_stage,
        cast(null as varchar) as pipeline,
        leads.created_at as at,
        cast(0 as bigint) as source_order,
        true as is_implied,
        false as is_superseded
    from subjects
    inner join {{ ref('int_leads') }} as leads on subjects.subject_id = leads.lead_id
    inner join {{ ref('int_process_stages') }} as stages on stages.is_first
    left join first_events on subjects.subject_id = first_events.subject_id
    where subjects.subject_type = 'lead'
        and leads.created_at is not null
        and (first_events.at is null or first_events.at > leads.created_at)

),

united as (

    select * from dated
    union all
    select * from implied

),

ordered as (

    select
        *,
        row_number() over (
            partition by case_id
            order by is_superseded, "at", subject_rank, source_order, stage, source_stage, pipeline
        ) as place
    from united

),

compared as (

    select
        *,
        lag(stage) over (partition by case_id, is_superseded order by place) as previous_stage
    from ordered

),

final as (

    select
        case_id,
        subject_type,
        subject_id,
        place,
        stage,
        source_stage,
        pipeline,
        "at",
        case
            when is_superseded then 'superseded'
            when previous_stage = stage then 'repeated'
            when is_implied then 'implied'
            else 'used'
        end as disposition
    from compared

)

select * from final
