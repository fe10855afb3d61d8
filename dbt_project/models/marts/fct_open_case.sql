-- What is open at as_of: for how long it has been in its stage, what became of others that were there as long, and what is planned next.
with run as (

    select * from {{ source('process', 'run') }}

),

-- in which open stage every open case stands
staying as (

    select
        visits.case_id,
        visits.lead_id,
        visits.deal_id,
        visits.stage,
        visits.stage_order,
        visits.entered_at,
        visits.entered_date,
        case when visits.deal_id is null then 'lead' else 'deal' end as subject_type,
        coalesce(visits.deal_id, visits.lead_id) as subject_id
    from {{ ref('fct_stage_visit') }} as visits
    inner join {{ ref('int_process_stages') }} as stages on visits.stage = stages.stage
    where visits.exit_kind is null and stages.kind = 'open'

),

open_cases as (

    select
        staying.*,
        records.timezone,
        {{ record_segments('records') }},
        run.as_of,
        run.as_of_date,
        coalesce(leads.created_date, deals.created_date) as created_date,
        deals.amount,
        deals.expected_close_date,
        {{ local_days_between('staying.entered_at', 'run.as_of', 'records.timezone') }} as age_days
    from staying
    cross join run
    inner join {{ ref('int_segments') }} as records
        on staying.subject_type = records.subject_type and staying.subject_id = records.subject_id
    left join {{ ref('fct_lead') }} as leads on staying.lead_id = leads.lead_id
    left join {{ ref('fct_deal') }} as deals on staying.deal_id = deals.deal_id

),

won_and_lost as (

    select case_id, is_won from {{ ref('fct_lead') }} where is_won or is_lost
    union
    select case_id, is_won from {{ ref('fct_deal') }} where is_won or is_lost

),

-- the longest stay of each in a stage; then, from the longest on, how many there were and how many of them were won
aged as (

    select visits.stage, max(visits.days) as days, won_and_lost.is_won, cast(null as varchar) as case_id
    from {{ ref('fct_stage_visit') }} as visits
    inner join won_and_lost on visits.case_id = won_and_lost.case_id
    where visits.days is not null
    group by visits.case_id, visits.stage, won_and_lost.is_won

    union all

    select stage, age_days, null, case_id
    from open_cases
    where age_days is not null

),

reached as (

    select
        case_id,
        {{ count_where('case_id is null') }} over (
            partition by stage order by days desc range between unbounded preceding and current row
        ) as past_cases,
        {{ count_where('is_won') }} over (partition by stage order by days desc range between unbounded preceding and current row) as past_won
    from aged

),

-- what is still to come and is not called off
planned as (

    select activities.lead_id, activities.deal_id, activities.at
    from {{ ref('int_activities') }} as activities
    cross join run
    where activities.at > run.as_of
        and (
            (activities.type = 'meeting' and coalesce(activities.outcome, 'scheduled') not in ('held', 'no_show', 'canceled'))
            or (activities.type = 'task' and not {{ is_done_task('activities.outcome') }})
        )

),

next_steps as (

    select case_id, min("at") as next_step_at
    from (
        select open_cases.case_id, planned.at
        from open_cases
        inner join planned on open_cases.lead_id = planned.lead_id
        union all
        select open_cases.case_id, planned.at
        from open_cases
        inner join planned on open_cases.deal_id = planned.deal_id
    ) as steps
    group by case_id

),

final as (

    select
        open_cases.case_id,
        open_cases.lead_id,
        open_cases.deal_id,
        open_cases.created_date,
        open_cases.stage,
        open_cases.stage_order,
        open_cases.entered_at,
        open_cases.entered_date,
        open_cases.age_days,
        open_cases.amount,
        open_cases.expected_close_date,
        case
            when open_cases.expected_close_date < open_cases.as_of_date then {{ whole_days_between('open_cases.expected_close_date', 'open_cases.as_of_date') }}
        end as days_overdue,
        reached.past_cases,
        reached.past_won,
        {{ ratio_of('reached.past_won', 'reached.past_cases') }} as past_win_rate,
        {{ wilson_low('reached.past_won', 'reached.past_cases') }} as past_win_rate_low,
        {{ wilson_high('reached.past_won', 'reached.past_cases') }} as past_win_rate_high,
        next_steps.next_step_at,
        next_steps.next_step_at is not null as has_next_step,
        open_cases.branch,
        users.rep,
        users.user_id as rep_id,
        users.team,
        open_cases.channel,
        open_cases.campaign,
        open_cases.service_line,
        open_cases.job_type,
        open_cases.customer_type,
        versions.process_version,
        open_cases.pipeline
    from open_cases
    left join reached on open_cases.case_id = reached.case_id
    left join next_steps on open_cases.case_id = next_steps.case_id
    {{ owner_at('owners', 'open_cases.subject_type', 'open_cases.subject_id', 'open_cases.as_of') }}
    {{ user_of('users', 'owners.owner_id') }}
    {{ version_on('versions', 'open_cases.created_date') }}

)

select * from final
