-- The stage events of a case in order, each with what became of it:
--   used       an entry into a stage
--   implied    the entry into the first stage at the lead's creation, where the source has none
--   observed   the entry into the present stage, where the source's dated events end in another
--   repeated   the stage in which the case was already
--   superseded a lead's event after the creation of its deal: the deal's stages count from then on
-- An event of which only the day is known stands after the moments of that day in stages that the process has before its own; "at" is then the
-- last of these. What has no date at all stands first (implied) or last (observed).
with subjects as (

    select
        cases.case_id,
        'lead' as subject_type,
        cases.lead_id as subject_id,
        1 as subject_rank,
        cases.deal_id is null as is_last_subject,
        leads.timezone,
        deals.created_at as superseded_after
    from {{ ref('int_cases') }} as cases
    inner join {{ ref('int_leads') }} as leads on cases.lead_id = leads.lead_id
    left join {{ ref('int_deals') }} as deals on cases.deal_id = deals.deal_id

    union all

    select
        cases.case_id,
        'deal' as subject_type,
        cases.deal_id as subject_id,
        2 as subject_rank,
        true as is_last_subject,
        deals.timezone,
        cast(null as timestamp) as superseded_after
    from {{ ref('int_cases') }} as cases
    inner join {{ ref('int_deals') }} as deals on cases.deal_id = deals.deal_id

),

logged as (

    select
        subjects.case_id,
        subjects.subject_type,
        subjects.subject_id,
        subjects.subject_rank,
        subjects.timezone,
        subjects.superseded_after,
        events.stage_key as stage,
        events.source_stage,
        events.pipeline,
        events.at,
        events.source_order,
        events.is_ordered,
        events.owner_id,
        events.entity,
        false as is_implied
    from {{ ref('int_stage_events') }} as events
    inner join subjects on events.subject_type = subjects.subject_type and events.subject_id = subjects.subject_id
    where events.stage_key is not null

),

first_events as (

    select
        subject_id,
        min("at") as at
    from logged
    where subject_type = 'lead'
    group by subject_id

),

-- where nobody knows which came first, the creation did
implied as (

    select
        subjects.case_id,
        subjects.subject_type,
        subjects.subject_id,
        subjects.subject_rank,
        subjects.timezone,
        subjects.superseded_after,
        stages.stage,
        cast(null as varchar) as source_stage,
        cast(null as varchar) as pipeline,
        leads.created_at as at,
        cast(0 as bigint) as source_order,
        false as is_ordered,
        cast(null as varchar) as owner_id,
        cast(null as varchar) as entity,
        true as is_implied
    from subjects
    inner join {{ ref('int_leads') }} as leads on subjects.subject_id = leads.lead_id
    inner join {{ ref('int_process_stages') }} as stages on stages.is_first
    left join first_events on subjects.subject_id = first_events.subject_id
    where subjects.subject_type = 'lead'
        and (
            first_events.at is null
            or leads.created_at is null
            or first_events.at > leads.created_at
            or (
                ({{ is_day_only('leads.created_at') }} or {{ is_day_only('first_events.at') }})
                and not {{ is_after('leads.created_at', 'first_events.at', 'leads.timezone') }}
            )
        )

),

united as (

    select * from logged
    union all
    select * from implied

),

placed_in_process as (

    select
        united.*,
        stages.stage_order,
        case when stages.kind = 'open' then 0 else 1 end as closing,
        {{ is_day_only('united.at') }} as is_day_only,
        {{ business_date('united.at', 'united.timezone') }} as event_date,
        -- the lead's stages, then the deal's; the open ones before the closing ones
        united.subject_rank * 100000 + case when stages.kind = 'open' then 0 else 10000 end + stages.stage_order as process_rank
    from united
    inner join {{ ref('int_process_stages') }} as stages on united.stage = stages.stage

),

dated as (

    select
        *,
        case
            when not is_day_only then "at"
            when is_ordered then greatest(
                "at",
                -- the moments that the mapping puts before it, those of the lead before its deal, and those that the process does
                coalesce(
                    max(case when not is_day_only then "at" end) over (
                        partition by case_id, subject_rank, event_date, is_ordered
                        order by source_order range between unbounded preceding and current row
                    ),
                    "at"
                ),
                coalesce(
                    max(case when not is_day_only then "at" end) over (
                        partition by case_id, event_date order by subject_rank range between unbounded preceding and 1 preceding
                    ),
                    "at"
                ),
                coalesce(
                    max(case when not is_day_only and not is_ordered then "at" end) over (
                        partition by case_id, event_date order by process_rank range between unbounded preceding and current row
                    ),
                    "at"
                )
            )
            else coalesce(
                max(case when not is_day_only then "at" end) over (
                    partition by case_id, event_date order by process_rank range between unbounded preceding and current row
                ),
                "at"
            )
        end as placed_at,
        coalesce(
            case
                when {{ is_after('"at"', 'superseded_after', 'timezone') }} then true
                -- known to the day of the deal's creation: a lead that was closed then was closed by its deal
                when closing = 1 and (is_day_only or {{ is_day_only('superseded_after') }})
                    then event_date = {{ business_date('superseded_after', 'timezone') }}
            end,
            false
        ) as is_superseded
    from placed_in_process

),

-- Days follow the process; those that a mapping orders stand behind the latest stage that it puts before them.
ranked as (

    select
        *,
        case
            when is_day_only and is_ordered then max(process_rank) over (
                partition by case_id, subject_rank, is_day_only, is_ordered, placed_at
                order by source_order range between unbounded preceding and current row
            )
            when is_day_only then process_rank
        end as day_rank
    from dated

),

-- The order of a mapping overrules all; else at one moment what closes comes last.
ordered as (

    select
        *,
        row_number() over (
            partition by case_id
            order by
                is_superseded,
                case when "at" is null then 0 else 1 end,
                placed_at,
                case when is_day_only then 1 else 0 end,
                subject_rank,
                case when is_implied then 0 else 1 end,
                day_rank,
                case when is_ordered then source_order end,
                closing,
                case when is_day_only then stage_order end,
                source_order,
                stage_order,
                source_stage,
                pipeline
        ) as place
    from ranked

),

last_events as (

    select
        case_id,
        stage,
        placed_at,
        row_number() over (partition by case_id order by place desc) as place_from_end
    from ordered
    where not is_superseded

),

-- At the close that the source gives, else when the record was changed last, else at no time. A close that is older than what the case went
-- through since can't be the one.
observed as (

    select
        present.subject_type,
        present.subject_id,
        subjects.case_id,
        present.stage_key as stage,
        present.source_stage,
        present.pipeline,
        case
            when stages.kind <> 'open' and present.closed_at is not null then present.closed_at
            else present.changed_at
        end as at,
        last_events.placed_at as last_at
    from {{ ref('int_present_stages') }} as present
    inner join subjects
        on present.subject_type = subjects.subject_type and present.subject_id = subjects.subject_id and subjects.is_last_subject
    inner join {{ ref('int_process_stages') }} as stages on present.stage_key = stages.stage
    left join last_events on subjects.case_id = last_events.case_id and last_events.place_from_end = 1
    where last_events.case_id is null or last_events.stage <> present.stage_key

),

everything as (

    select
        case_id,
        subject_type,
        subject_id,
        place,
        stage,
        source_stage,
        pipeline,
        placed_at as at,
        is_day_only,
        owner_id,
        entity,
        is_implied,
        is_superseded,
        false as is_observed
    from ordered

    union all

    select
        case_id,
        subject_type,
        subject_id,
        cast(9000000000 as bigint) as place,
        stage,
        source_stage,
        pipeline,
        case when "at" is not null then greatest("at", last_at) end as at,
        {{ is_day_only('"at"') }} as is_day_only,
        cast(null as varchar) as owner_id,
        cast(null as varchar) as entity,
        false as is_implied,
        false as is_superseded,
        true as is_observed
    from observed
    -- before it was observed the move did not exist
    where "at" is null or "at" <= {{ as_of() }}

),

renumbered as (

    select
        *,
        row_number() over (partition by case_id order by is_superseded, place) as new_place
    from everything

),

compared as (

    select
        *,
        lag(stage) over (partition by case_id, is_superseded order by new_place) as previous_stage
    from renumbered

),

final as (

    select
        case_id,
        subject_type,
        subject_id,
        new_place as place,
        stage,
        source_stage,
        pipeline,
        "at",
        case when "at" is null then 'none' when is_day_only then 'day' else 'moment' end as time_precision,
        owner_id,
        entity,
        is_observed,
        case
            when is_superseded then 'superseded'
            when previous_stage = stage then 'repeated'
            when is_implied then 'implied'
            when is_observed then 'observed'
            else 'used'
        end as disposition
    from compared

)

select * from final
