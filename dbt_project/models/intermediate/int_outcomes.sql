-- Where every case, and every deal by itself, stands now: from its last stage, with the moments of its closing.
with entries as (

    select
        'case' as record_type,
        case_id as record_id,
        stage,
        "at",
        row_number() over (partition by case_id order by place) as place
    from {{ ref('int_case_events') }}
    where disposition in ('used', 'implied')

    union all

    select
        'deal' as record_type,
        subject_id as record_id,
        stage_key as stage,
        "at",
        row_number() over (partition by subject_id order by "at", source_order, stage_key, source_stage, pipeline) as place
    from {{ ref('int_stage_events') }}
    where subject_type = 'deal' and stage_key is not null

),

changes as (

    select
        *,
        lag(stage) over (partition by record_type, record_id order by place) as previous_stage
    from entries

),

classed as (

    select
        changes.record_type,
        changes.record_id,
        changes.stage,
        changes.at,
        changes.place,
        stages.kind,
        stages.stage_order,
        case when stages.kind = 'post_sale' then 'won' else stages.kind end as outcome,
        row_number() over (partition by changes.record_type, changes.record_id order by changes.place desc) as place_from_end
    from changes
    inner join {{ ref('int_process_stages') }} as stages on changes.stage = stages.stage
    where changes.previous_stage is null or changes.previous_stage <> changes.stage

),

last_entries as (

    select
        record_type,
        record_id,
        stage as current_stage,
        outcome,
        "at" as last_at
    from classed
    where place_from_end = 1

),

-- the last entry that was in another outcome: what comes after it is the final stay in today's outcome
breaks as (

    select
        classed.record_type,
        classed.record_id,
        max(classed.place) as place
    from classed
    inner join last_entries on classed.record_type = last_entries.record_type and classed.record_id = last_entries.record_id
    where classed.outcome <> last_entries.outcome
    group by classed.record_type, classed.record_id

),

final as (

    select
        last_entries.record_type,
        last_entries.record_id,
        last_entries.current_stage,
        last_entries.outcome,
        case last_entries.outcome
            when 'open' then null
            -- work that was sold moves on after the sale: the sale stays the close
            when 'won' then coalesce(
                max(case when classed.kind = 'won' and classed.place > coalesce(breaks.place, 0) then classed.at end),
                min(case when classed.place > coalesce(breaks.place, 0) then classed.at end)
            )
            else last_entries.last_at
        end as closed_at,
        min(case when classed.outcome <> 'open' then classed.at end) as first_closed_at,
        max(case when classed.kind in ('open', 'won') then classed.stage_order end) as reached_order
    from last_entries
    inner join classed on last_entries.record_type = classed.record_type and last_entries.record_id = classed.record_id
    left join breaks on last_entries.record_type = breaks.record_type and last_entries.record_id = breaks.record_id
    group by last_entries.record_type, last_entries.record_id, last_entries.current_stage, last_entries.outcome, last_entries.last_at

)

select * from final
