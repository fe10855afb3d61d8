-- Where every case, and every deal by itself, stands now: from its last stage, with the moments of its closing.
with entries as (

    select
        'case' as record_type,
        case_id as record_id,
        stage,
        "at",
        time_precision,
        place
    from {{ ref('int_case_events') }}
    where disposition in ('used', 'implied', 'observed')

    union all

    select
        'deal' as record_type,
        subject_id as record_id,
        stage,
        "at",
        time_precision,
        place
    from {{ ref('int_case_events') }}
    where subject_type = 'deal'

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
        changes.time_precision,
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
        "at" as last_at,
        time_precision as last_precision
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

-- work that was sold moves on after the sale: the sale stays the close
closes as (

    select
        classed.*,
        row_number() over (
            partition by classed.record_type, classed.record_id
            order by
                case when classed.kind = 'won' then 0 else 1 end,
                case when classed.kind = 'won' then -classed.place else classed.place end
        ) as choice
    from classed
    inner join last_entries on classed.record_type = last_entries.record_type and classed.record_id = last_entries.record_id
    left join breaks on classed.record_type = breaks.record_type and classed.record_id = breaks.record_id
    where last_entries.outcome = 'won' and classed.place > coalesce(breaks.place, 0)

),

summed as (

    select
        record_type,
        record_id,
        min(case when outcome <> 'open' then "at" end) as first_closed_at,
        max(case when kind in ('open', 'won') then stage_order end) as reached_order
    from classed
    group by record_type, record_id

),

final as (

    select
        last_entries.record_type,
        last_entries.record_id,
        last_entries.current_stage,
        last_entries.outcome,
        case last_entries.outcome when 'open' then null when 'won' then closes.at else last_entries.last_at end as closed_at,
        case last_entries.outcome when 'open' then null when 'won' then closes.time_precision else last_entries.last_precision end as close_precision,
        last_entries.last_precision = 'none' as is_undated,
        summed.first_closed_at,
        summed.reached_order
    from last_entries
    inner join summed on last_entries.record_type = summed.record_type and last_entries.record_id = summed.record_id
    left join closes
        on last_entries.record_type = closes.record_type and last_entries.record_id = closes.record_id and closes.choice = 1

)

select * from final
