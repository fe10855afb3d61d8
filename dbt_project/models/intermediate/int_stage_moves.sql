-- The ledger of all cases, counted or not. A case's first row has no from_stage, its closing merge or delete no to_stage.
with entries as (

    select
        events.case_id,
        events.subject_type,
        events.subject_id,
        events.stage as to_stage,
        events.pipeline,
        events.at as moved_at,
        events.time_precision,
        events.owner_id,
        events.is_observed,
        stages.stage_order as to_order,
        stages.kind as to_kind,
        row_number() over (partition by events.case_id order by events.place) as sequence
    from {{ ref('int_case_events') }} as events
    inner join {{ ref('int_process_stages') }} as stages on events.stage = stages.stage
    where events.disposition in ('used', 'implied', 'observed')

),

paired as (

    select
        entries.*,
        lag(to_stage) over (partition by case_id order by sequence) as from_stage,
        lag(to_order) over (partition by case_id order by sequence) as from_order,
        lag(to_kind) over (partition by case_id order by sequence) as from_kind,
        lag(pipeline) over (partition by case_id order by sequence) as from_pipeline,
        lag(subject_type) over (partition by case_id order by sequence) as from_subject_type
    from entries

),

moves as (

    select
        paired.case_id,
        paired.subject_type,
        paired.subject_id,
        paired.sequence,
        paired.from_stage,
        paired.to_stage,
        paired.from_order,
        paired.to_order,
        case
            when paired.from_stage is null then 'create'
            when paired.from_kind in ('won', 'lost', 'disqualified') and paired.to_kind = 'open' then 'reopen'
            when paired.to_kind in ('won', 'lost', 'disqualified') then paired.to_kind
            when paired.from_subject_type = 'deal' and paired.subject_type = 'deal' and paired.from_pipeline <> paired.pipeline then 'pipeline_move'
            when paired.to_order < paired.from_order then 'regress'
            when paired.to_stage = stages.next_stage then 'advance'
            else 'skip'
        end as kind,
        paired.moved_at,
        paired.time_precision,
        paired.owner_id,
        paired.is_observed
    from paired
    left join {{ ref('int_process_stages') }} as stages on paired.from_stage = stages.stage

),

last_moves as (

    select *
    from moves
    where sequence = (select max(newest.sequence) from moves as newest where newest.case_id = moves.case_id)

),

removed as (

    select cases.case_id, leads.exclusion_reason, leads.removed_at
    from {{ ref('int_cases') }} as cases
    inner join {{ ref('int_leads') }} as leads on cases.lead_id = leads.lead_id

    union all

    select cases.case_id, deals.exclusion_reason, deals.removed_at
    from {{ ref('int_cases') }} as cases
    inner join {{ ref('int_deals') }} as deals on cases.deal_id = deals.deal_id
    where cases.lead_id is null

),

-- No source tells when a record was merged away: it counts as closed with its last move.
closings as (

    select
        last_moves.case_id,
        last_moves.subject_type,
        last_moves.subject_id,
        last_moves.sequence + 1 as sequence,
        last_moves.to_stage as from_stage,
        cast(null as varchar) as to_stage,
        last_moves.to_order as from_order,
        cast(null as integer) as to_order,
        case removed.exclusion_reason when 'merged' then 'merge' else 'delete' end as kind,
        greatest(last_moves.moved_at, least(coalesce(removed.removed_at, last_moves.moved_at), {{ as_of() }})) as moved_at,
        case when coalesce(removed.removed_at, last_moves.moved_at) is null then 'none' else 'moment' end as time_precision,
        cast(null as varchar) as owner_id,
        false as is_observed
    from last_moves
    inner join removed on last_moves.case_id = removed.case_id
    where removed.exclusion_reason in ('merged', 'deleted')

),

final as (

    select * from moves
    union all
    select * from closings

)

select * from final
