-- Of what entered a stage in a month, all left in one of the known ways or is still there; and the stays say the same.
-- Entries come from the moves into the stage, exits from the moves out of it, "still there" from the newest move of each case.
with moves as (

    select
        *,
        date_trunc('month', moved_at) as month
    from {{ ref('fct_stage_transition') }}

),

entries as (

    select to_stage as stage, month, count(*) as entries
    from moves
    where to_stage is not null
    group by to_stage, month

),

exits as (

    select
        exits.from_stage as stage,
        entered.month,
        count(*) filter (where exits.kind = 'advance') as advanced,
        count(*) filter (where exits.kind = 'skip') as skipped,
        count(*) filter (where exits.kind = 'regress') as regressed,
        count(*) filter (where exits.kind = 'reopen') as reopened,
        count(*) filter (where exits.kind = 'won') as won,
        count(*) filter (where exits.kind = 'lost') as lost,
        count(*) filter (where exits.kind = 'disqualified') as disqualified,
        count(*) filter (where exits.kind = 'pipeline_move') as pipeline_moved,
        count(*) filter (where exits.kind = 'merge') as merged,
        count(*) filter (where exits.kind = 'delete') as deleted
    from moves as exits
    inner join moves as entered
        on exits.case_id = entered.case_id and exits.sequence = entered.sequence + 1 and exits.from_stage = entered.to_stage
    group by exits.from_stage, entered.month

),

newest as (

    select case_id, max(sequence) as sequence
    from moves
    group by case_id

),

staying as (

    select moves.to_stage as stage, moves.month, count(*) as still_there
    from moves
    inner join newest on moves.case_id = newest.case_id and moves.sequence = newest.sequence
    where moves.to_stage is not null
    group by moves.to_stage, moves.month

),

balance as (

    select
        entries.stage,
        entries.month,
        entries.entries,
        coalesce(exits.advanced + exits.skipped + exits.regressed + exits.reopened + exits.won + exits.lost + exits.disqualified
            + exits.pipeline_moved + exits.merged + exits.deleted, 0) + coalesce(staying.still_there, 0) as accounted
    from entries
    left join exits on entries.stage = exits.stage and entries.month is not distinct from exits.month
    left join staying on entries.stage = staying.stage and entries.month is not distinct from staying.month

),

counted_moves as (

    select to_stage as stage, month, count(*) as entries
    from moves
    where is_counted
    group by to_stage, month

),

visits as (

    select stage, date_trunc('month', entered_at) as month, count(*) as entries
    from {{ ref('fct_stage_visit') }}
    group by stage, date_trunc('month', entered_at)

)

select 'entries are not the exits and those still there' as finding, stage, month, entries as expected, accounted as found
from balance
where entries <> accounted
union all
select 'visits are not the entries of counted cases', coalesce(counted_moves.stage, visits.stage), coalesce(counted_moves.month, visits.month), counted_moves.entries, visits.entries
from counted_moves
full outer join visits on counted_moves.stage = visits.stage and counted_moves.month is not distinct from visits.month
where counted_moves.entries is distinct from visits.entries
