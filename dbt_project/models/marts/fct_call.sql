-- Inbound calls: how each was handled, and whether an appointment came of it. docs/kpis/calls.md says what is offered, abandoned, missed and booked.
with records as (

    select
        recorded.*,
        leads.lead_id as counted_lead_id,
        case when leads.lead_id is not null then 'lead' when deals.deal_id is not null then 'deal' end as subject_type,
        coalesce(leads.lead_id, deals.deal_id) as subject_id,
        coalesce('lead ' || recorded.lead_id, 'deal ' || recorded.deal_id, 'number ' || recorded.customer_number) as caller
    from {{ ref('int_activity_records') }} as recorded
    left join {{ ref('int_leads') }} as leads on recorded.lead_id = leads.lead_id and leads.is_counted
    left join {{ ref('int_deals') }} as deals on recorded.deal_id = deals.deal_id and deals.is_counted
    where recorded.type = 'call' and recorded.left_out is null

),

-- What the telephone system says of a call that the CRM has too.
rung as (

    select
        recorded_id,
        is_abandoned,
        is_lead,
        wait_seconds,
        queue,
        agent,
        row_number() over (partition by recorded_id order by activity_id) as place
    from {{ ref('int_activity_records') }}
    where left_out = 'in_crm_too' and recorded_id is not null and type = 'call' and direction = 'inbound'

),

-- Whose call it is: a counted record's or nobody's. One of a record that does not count is left out, as everywhere.
calls as (

    select
        records.activity_id as call_id,
        records.at as called_at,
        records.counted_lead_id as lead_id,
        records.subject_type,
        records.subject_id,
        records.caller,
        records.user_id,
        (records.outcome is not distinct from 'answered') as is_taken,
        coalesce(records.is_abandoned, rung.is_abandoned) as is_abandoned,
        coalesce(records.is_lead, rung.is_lead) as is_classed_lead,
        coalesce(records.wait_seconds, rung.wait_seconds) as wait_seconds,
        coalesce(records.queue, rung.queue) as queue,
        coalesce(records.agent, rung.agent) as agent,
        records.channel,
        records.campaign
    from records
    left join rung on records.activity_id = rung.recorded_id and rung.place = 1
    where records.direction = 'inbound'
        and records.at is not null
        and (records.subject_id is not null or (records.lead_id is null and records.deal_id is null))

),

appointments as (

    select lead_id, created_at as set_at, coalesce(is_automated, false) as is_self_booked
    from {{ ref('fct_activity') }}
    where type = 'meeting' and lead_id is not null and created_at is not null

),

booked as (

    select
        calls.call_id,
        min(appointments.set_at) as first_set_at,
        min(case when not appointments.is_self_booked and appointments.set_at >= calls.called_at then appointments.set_at end) as next_set_at
    from calls
    inner join appointments on calls.lead_id = appointments.lead_id
    group by calls.call_id

),

called_back as (

    select
        calls.call_id,
        min(records.at) as called_back_at
    from calls
    inner join records on calls.caller = records.caller and records.direction = 'outbound' and records.at >= calls.called_at
    where not calls.is_taken
    group by calls.call_id

),

-- A call of no branch came in open hours if any branch was open.
open_anywhere as (

    select distinct calls.call_id
    from calls
    left join {{ ref('int_segments') }} as subjects on calls.subject_type = subjects.subject_type and calls.subject_id = subjects.subject_id
    inner join {{ ref('int_branch_open_periods') }} as periods on calls.called_at >= periods.opens_at and calls.called_at < periods.closes_at
    where subjects.branch is null

),

dated as (

    select
        calls.*,
        subjects.branch,
        coalesce(subjects.channel, calls.channel) as shown_channel,
        coalesce(subjects.campaign, calls.campaign) as shown_campaign,
        subjects.service_line,
        subjects.job_type,
        subjects.customer_type,
        subjects.pipeline,
        {{ business_date('calls.called_at', 'coalesce(subjects.timezone, run.timezone)') }} as called_date,
        {{ business_hour('calls.called_at', 'coalesce(subjects.timezone, run.timezone)') }} as called_hour,
        run.as_of
    from calls
    cross join {{ source('process', 'run') }} as run
    left join {{ ref('int_segments') }} as subjects on calls.subject_type = subjects.subject_type and calls.subject_id = subjects.subject_id

),

judged as (

    select
        dated.*,
        case
            when dated.is_taken then 'answered'
            when dated.is_abandoned and dated.wait_seconds < 5 then 'ended_early'
            when dated.is_abandoned then 'abandoned'
            else 'missed'
        end as result,
        -- of a moment that is known to the day, nobody knows whether it was in open hours
        case
            when dated.called_hour is null then null
            when dated.branch is null then case when (select count(*) from {{ ref('int_branch_open_periods') }}) > 0 then open_anywhere.call_id is not null end
            else dated.called_at < opened.closes_at
        end as is_in_open_hours,
        dated.lead_id is not null and dated.is_taken and coalesce(booked.first_set_at >= dated.called_at, true) as is_lead_call,
        case when {{ seconds_between('dated.called_at', 'booked.next_set_at') }} <= 86400 then booked.next_set_at end as booked_at,
        called_back.called_back_at,
        {{ minutes_between('dated.called_at', 'called_back.called_back_at') }} as called_back_minutes,
        stages.first_touch_minutes as limit_minutes
    from dated
    left join booked on dated.call_id = booked.call_id
    left join called_back on dated.call_id = called_back.call_id
    left join open_anywhere on dated.call_id = open_anywhere.call_id
    left join {{ ref('int_process_stages') }} as stages on stages.is_first
    {{ opening_before('opened', 'dated.branch', 'dated.called_at') }}

),

final as (

    select
        judged.call_id,
        judged.lead_id,
        judged.called_at,
        judged.called_date,
        judged.called_hour,
        {{ weekday_of('judged.called_date') }} as called_weekday,
        judged.result,
        judged.is_in_open_hours,
        case when judged.result <> 'ended_early' then judged.result = 'answered' end as is_answered,
        case when judged.result <> 'ended_early' and judged.is_abandoned is not null then judged.result = 'abandoned' end as is_abandoned,
        case when judged.result <> 'ended_early' then judged.result = 'missed' end as is_missed,
        judged.wait_seconds,
        case when judged.result = 'answered' then judged.wait_seconds end as answer_seconds,
        case when judged.result = 'missed' then judged.called_back_at end as called_back_at,
        case
            when judged.result <> 'missed' or judged.limit_minutes is null then null
            when judged.called_back_minutes <= judged.limit_minutes then true
            when {{ minutes_between('judged.called_at', 'judged.as_of') }} >= judged.limit_minutes then false
        end as is_called_back,
        judged.queue,
        case when judged.result = 'answered' then coalesce(agents.rep, judged.agent) end as agent,
        judged.is_lead_call,
        case when judged.is_lead_call then judged.booked_at end as booked_at,
        case when judged.is_lead_call then judged.booked_at is not null end as is_booked,
        judged.is_classed_lead,
        -- where nobody classes calls, there is no rate of classified ones
        case
            when judged.is_lead_call and coalesce(judged.is_classed_lead, true) and (select count(is_classed_lead) from calls) > 0
                then judged.booked_at is not null
        end as is_booked_classified,
        judged.branch,
        users.rep,
        users.user_id as rep_id,
        users.team,
        judged.shown_channel as channel,
        judged.shown_campaign as campaign,
        judged.service_line,
        judged.job_type,
        judged.customer_type,
        versions.process_version,
        judged.pipeline
    from judged
    {{ owner_at('owners', 'judged.subject_type', 'judged.subject_id', 'judged.called_at') }}
    {{ user_of('users', 'owners.owner_id') }}
    {{ user_of('agents', 'judged.user_id') }}
    {{ version_on('versions', 'judged.called_date') }}

)

select * from final
