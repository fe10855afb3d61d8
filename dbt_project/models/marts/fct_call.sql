-- Inbound calls of leads, and whether an appointment came of them. docs/kpis/calls.md says what a lead call is and when it is booked.
with calls as (

    select
        activity_id as call_id,
        lead_id,
        activities.at as called_at,
        (outcome is not distinct from 'answered') as is_answered
    from {{ ref('fct_activity') }} as activities
    where type = 'call' and direction = 'inbound' and lead_id is not null and activities.at is not null

),

appointments as (

    select lead_id, created_at as set_at, coalesce(is_automated, false) as is_self_booked
    from {{ ref('fct_activity') }}
    where type = 'meeting' and lead_id is not null and created_at is not null

),

linked as (

    select
        calls.call_id,
        min(appointments.set_at) as first_set_at,
        min(case when not appointments.is_self_booked and appointments.set_at >= calls.called_at then appointments.set_at end) as next_set_at
    from calls
    left join appointments on calls.lead_id = appointments.lead_id
    group by calls.call_id

),

judged as (

    select
        calls.*,
        calls.is_answered and coalesce(linked.first_set_at >= calls.called_at, true) as is_lead_call,
        case when {{ seconds_between('calls.called_at', 'linked.next_set_at') }} <= 86400 then linked.next_set_at end as booked_at
    from calls
    inner join linked on calls.call_id = linked.call_id

),

dated as (

    select
        judged.*,
        {{ record_segments('records') }},
        {{ business_date('judged.called_at', 'records.timezone') }} as called_date,
        {{ business_hour('judged.called_at', 'records.timezone') }} as called_hour
    from judged
    inner join {{ ref('int_segments') }} as records on records.subject_type = 'lead' and judged.lead_id = records.subject_id

),

final as (

    select
        dated.call_id,
        dated.lead_id,
        dated.called_at,
        dated.called_date,
        dated.called_hour,
        {{ weekday_of('dated.called_date') }} as called_weekday,
        dated.is_answered,
        dated.is_lead_call,
        case when dated.is_lead_call then dated.booked_at end as booked_at,
        case when dated.is_lead_call then dated.booked_at is not null end as is_booked,
        dated.branch,
        users.rep,
        users.user_id as rep_id,
        users.team,
        dated.channel,
        dated.campaign,
        dated.service_line,
        dated.job_type,
        dated.customer_type,
        versions.process_version,
        dated.pipeline
    from dated
    {{ owner_at('owners', "'lead'", 'dated.lead_id', 'dated.called_at') }}
    {{ user_of('users', 'owners.owner_id') }}
    {{ version_on('versions', 'dated.called_date') }}

)

select * from final
