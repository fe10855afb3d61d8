-- What happened to the expected close of open deals, and how they closed: docs/kpis/pipeline.md. Days are those of fct_pipeline_period.
with deals as (

    select
        deals.*,
        coalesce(branches.timezone, run.timezone) as timezone
    from {{ ref('fct_deal') }} as deals
    cross join {{ source('process', 'run') }} as run
    left join {{ source('process', 'branches') }} as branches on deals.branch = branches.branch

),

stretches as (

    select
        *,
        lag(to_date) over (partition by deal_id order by from_date) as to_date_before,
        lag(expected_close_date) over (partition by deal_id order by from_date) as expected_before
    from {{ ref('fct_pipeline_period') }}

),

-- moved while it was open: what a closing writes is no promise
moves as (

    select
        *,
        {{ whole_days_between('expected_before', 'expected_close_date') }} as days_moved
    from stretches
    where to_date_before = {{ add_days('from_date', -1) }} and expected_before <> expected_close_date

),

last_days as (

    select deal_id, to_date as last_date
    from stretches
    where is_open_at_as_of

),

-- the day of as_of is not over
passed as (

    select stretches.*
    from stretches
    left join last_days on stretches.deal_id = last_days.deal_id
    where stretches.expected_close_date between stretches.from_date and stretches.to_date
        and stretches.expected_close_date < coalesce(last_days.last_date, date '9999-12-31')

),

visits as (

    select
        visits.deal_id,
        visits.sequence,
        case stages.kind when 'post_sale' then 'won' else stages.kind end as outcome,
        greatest({{ business_date('visits.entered_at', 'deals.timezone') }}, deals.created_date) as entered_date,
        {{ business_date('visits.left_at', 'deals.timezone') }} as left_date,
        visits.exit_kind
    from {{ ref('fct_stage_visit') }} as visits
    inner join deals on visits.deal_id = deals.deal_id
    inner join {{ ref('int_process_stages') }} as stages on visits.stage = stages.stage

),

-- how it stood at the end of a day on which that was something else than before
turns as (

    select
        *,
        lag(outcome) over (partition by deal_id order by sequence) as outcome_before
    from visits
    where entered_date is not null and (exit_kind is null or left_date > entered_date)

),

closings as (

    select
        turns.deal_id,
        turns.outcome,
        turns.entered_date,
        stretches.expected_close_date,
        -- of the close that stands it is the amount, and the rep, that win and loss count
        case when later.deal_id is null then deals.amount else stretches.amount end as amount,
        case when later.deal_id is null then deals.rep_closed else stretches.rep end as rep,
        case when later.deal_id is null then deals.rep_closed_id else stretches.rep_id end as rep_id,
        case when later.deal_id is null then deals.team_closed else stretches.team end as team
    from turns
    inner join deals on turns.deal_id = deals.deal_id
    left join stretches on turns.deal_id = stretches.deal_id and stretches.to_date = {{ add_days('turns.entered_date', -1) }}
    left join (select deal_id, max(sequence) as sequence from turns where outcome is distinct from outcome_before group by deal_id) as later
        on turns.deal_id = later.deal_id and turns.sequence < later.sequence
    where turns.outcome <> 'open' and turns.outcome is distinct from turns.outcome_before

),

-- what was promised before a close, and how often that was put off
before_closings as (

    select
        closings.deal_id,
        closings.entered_date,
        count(stretches.expected_close_date) as promises,
        {{ count_where('moves.days_moved > 0') }} as pushes
    from closings
    inner join stretches on closings.deal_id = stretches.deal_id and stretches.to_date < closings.entered_date
    left join moves on stretches.deal_id = moves.deal_id and stretches.from_date = moves.from_date
    group by closings.deal_id, closings.entered_date

),

events as (

    select
        deal_id, from_date as event_date, 'moved' as event, cast(null as varchar) as outcome, amount, expected_close_date, days_moved,
        case when days_moved > 0 then days_moved end as days_pushed, cast(null as boolean) as is_slipped, cast(null as boolean) as is_pushed,
        rep, rep_id, team
    from moves

    union all

    select
        deal_id, expected_close_date as event_date, 'passed' as event, null as outcome, amount, expected_close_date, null as days_moved,
        null as days_pushed, true as is_slipped, null as is_pushed,
        rep, rep_id, team
    from passed

    union all

    select
        closings.deal_id, closings.entered_date as event_date, 'closed' as event, closings.outcome, closings.amount, closings.expected_close_date, null as days_moved,
        null as days_pushed,
        case when closings.expected_close_date >= closings.entered_date then false end as is_slipped,
        case when before_closings.promises > 0 then before_closings.pushes > 0 end as is_pushed,
        closings.rep, closings.rep_id, closings.team
    from closings
    left join before_closings on closings.deal_id = before_closings.deal_id and closings.entered_date = before_closings.entered_date

),

final as (

    select
        events.deal_id,
        events.event_date,
        events.event,
        events.outcome,
        events.amount,
        events.expected_close_date,
        events.days_moved,
        events.days_pushed,
        events.is_slipped,
        case when events.is_slipped then events.amount end as slipped_amount,
        events.is_pushed,
        deals.branch,
        events.rep,
        events.rep_id,
        events.team,
        deals.channel,
        deals.campaign,
        deals.service_line,
        deals.job_type,
        deals.customer_type,
        versions.process_version,
        deals.pipeline
    from events
    inner join deals on events.deal_id = deals.deal_id
    {{ version_on('versions', 'events.event_date') }}

)

select * from final
