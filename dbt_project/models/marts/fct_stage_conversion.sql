with stages as (

    select * from {{ ref('int_process_stages') }}

),

visits as (

    select * from {{ ref('fct_stage_visit') }}

),

-- every open stage with every open stage after it, and with won
pairs as (

    select
        from_stages.stage as from_stage,
        to_stages.stage as to_stage,
        from_stages.stage_order as from_order,
        to_stages.stage_order as to_order,
        to_stages.stage = from_stages.next_stage as is_next_stage
    from stages as from_stages
    inner join stages as to_stages
        on to_stages.stage_order > from_stages.stage_order and to_stages.kind in ('open', 'won')
    where from_stages.kind = 'open'

),

last_stages as (

    select max(stage_order) as stage_order from stages where kind in ('open', 'won')

),

-- the furthest that a case ever came; what was sold was won, whatever happened after
reached as (

    select
        visits.case_id,
        max(
            case
                when stages.kind in ('won', 'post_sale') then last_stages.stage_order
                when stages.kind = 'open' then visits.stage_order
            end
        ) as furthest_order
    from visits
    inner join stages on visits.stage = stages.stage
    cross join last_stages
    group by visits.case_id

),

direct_moves as (

    select distinct
        visits.case_id,
        visits.stage as from_stage,
        visits.exit_to_stage as to_stage
    from visits
    where visits.exit_to_stage is not null

),

final as (

    select
        visits.case_id,
        visits.lead_id,
        visits.deal_id,
        pairs.from_stage,
        pairs.to_stage,
        pairs.from_order,
        pairs.to_order,
        pairs.is_next_stage,
        visits.entered_at,
        visits.entered_date,
        visits.entered_hour,
        {{ weekday_of('visits.entered_date') }} as entered_weekday,
        reached.furthest_order,
        reached.furthest_order >= pairs.to_order as is_reached,
        case when pairs.is_next_stage then direct_moves.case_id is not null end as is_adjacent,
        outcomes.outcome = 'open' as is_open,
        visits.branch,
        visits.rep,
        visits.rep_id,
        visits.team,
        visits.channel,
        visits.campaign,
        visits.service_line,
        visits.job_type,
        visits.customer_type,
        visits.process_version,
        visits.pipeline
    from visits
    inner join pairs on visits.stage = pairs.from_stage
    inner join reached on visits.case_id = reached.case_id
    inner join {{ ref('int_outcomes') }} as outcomes on outcomes.record_type = 'case' and visits.case_id = outcomes.record_id
    left join direct_moves
        on visits.case_id = direct_moves.case_id
        and pairs.from_stage = direct_moves.from_stage
        and pairs.to_stage = direct_moves.to_stage
    where visits.visit_number = 1

)

select * from final
