-- Every dated, mapped stage event of a case's records is in the case once, whatever became of it; what was used is a move, in order of time.
with events as (

    select events.subject_type, events.subject_id, count(*) as events
    from {{ ref('int_stage_events') }} as events
    inner join (
        select 'lead' as subject_type, lead_id as subject_id from {{ ref('int_cases') }} where lead_id is not null
        union all
        select 'deal', deal_id from {{ ref('int_cases') }} where deal_id is not null
    ) as subjects on events.subject_type = subjects.subject_type and events.subject_id = subjects.subject_id
    where events.stage_key is not null
    group by events.subject_type, events.subject_id

),

in_cases as (

    select subject_type, subject_id, count(source_stage) filter (where not is_observed) as events
    from {{ ref('int_case_events') }}
    group by subject_type, subject_id

),

used as (

    select case_id, count(*) as moves
    from {{ ref('int_case_events') }}
    where disposition in ('used', 'implied', 'observed')
    group by case_id

),

moves as (

    select case_id, count(*) as moves
    from {{ ref('fct_stage_transition') }}
    where kind not in ('merge', 'delete')
    group by case_id

)

select 'an event is missing in its case or stands there twice' as finding, events.subject_type || ' ' || events.subject_id as record_id, events.events as expected, in_cases.events as found
from events
left join in_cases on events.subject_type = in_cases.subject_type and events.subject_id = in_cases.subject_id
where events.events is distinct from in_cases.events
union all
select 'used events are not the moves', coalesce(used.case_id, moves.case_id), used.moves, moves.moves
from used
full outer join moves on used.case_id = moves.case_id
where used.moves is distinct from moves.moves
union all
select 'a move is earlier than the one before it', later.case_id, earlier.sequence, later.sequence
from {{ ref('fct_stage_transition') }} as later
inner join {{ ref('fct_stage_transition') }} as earlier on later.case_id = earlier.case_id and later.sequence = earlier.sequence + 1
where later.moved_at < earlier.moved_at
