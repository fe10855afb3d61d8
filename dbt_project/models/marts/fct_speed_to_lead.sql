with groups as (

    select
        group_lead_id as lead_id,
        min(started_at) as created_at,
        count(*) as leads_in_group
    from {{ ref('int_lead_groups') }}
    group by group_lead_id

),

contacts as (

    select
        members.group_lead_id as lead_id,
        contacts.activity_id,
        contacts.is_outreach,
        contacts.is_answered_inbound,
        contacts.is_connection,
        groups.created_at,
        -- the call that made the lead took place just before the record was made: it counts at the creation, as does a contact of which only
        -- the day is known
        case
            when contacts.is_answered_inbound and contacts.at >= {{ add_minutes('groups.created_at', -60) }} then greatest(contacts.at, groups.created_at)
            when not {{ is_after('groups.created_at', 'contacts.at', company_timezone()) }} then greatest(contacts.at, groups.created_at)
            else contacts.at
        end as at,
        not {{ is_day_only('contacts.at') }} and not {{ is_day_only('groups.created_at') }} as is_measured
    from {{ ref('int_lead_contacts') }} as contacts
    inner join {{ ref('int_lead_groups') }} as members on contacts.lead_id = members.lead_id
    inner join groups on members.group_lead_id = groups.lead_id

),

ranked_touches as (

    select
        lead_id,
        "at" as touch_at,
        is_measured,
        row_number() over (partition by lead_id order by "at", is_measured desc) as place
    from contacts
    where (is_outreach or is_answered_inbound) and "at" >= created_at

),

touches as (

    select
        lead_id,
        touch_at,
        is_measured
    from ranked_touches
    where place = 1

),

connections as (

    select
        contacts.lead_id,
        min(contacts.at) as reached_at
    from contacts
    inner join touches on contacts.lead_id = touches.lead_id and contacts.at >= touches.touch_at
    where contacts.is_connection
    group by contacts.lead_id

),

-- how often we turned to them until both sides spoke
until_reached as (

    select contacts.lead_id, count(distinct contacts.activity_id) as touches
    from contacts
    inner join connections on contacts.lead_id = connections.lead_id and contacts.at <= connections.reached_at
    where (contacts.is_outreach or contacts.is_answered_inbound) and contacts.at >= contacts.created_at
    group by contacts.lead_id

),

timed as (

    select
        groups.lead_id,
        groups.leads_in_group,
        groups.created_at,
        leads.created_date,
        leads.created_hour,
        leads.created_weekday,
        leads.first_assigned_at as assigned_at,
        touches.touch_at,
        connections.reached_at,
        until_reached.touches as touches_to_contact,
        case when touches.is_measured then {{ minutes_between('groups.created_at', 'touches.touch_at') }} end as minutes,
        {{ minutes_between('groups.created_at', 'leads.first_assigned_at') }} as routing_minutes,
        {{ minutes_between('leads.first_assigned_at', 'touches.touch_at') }} as reaction_minutes,
        {{ minutes_between('touches.touch_at', 'connections.reached_at') }} as connection_minutes,
        case
            when coalesce(touches.is_measured, true) then {{ minutes_between('groups.created_at', 'coalesce(touches.touch_at, run.as_of)') }}
        end as minutes_observed,
        coalesce(touches.is_measured, true) as is_measured,
        leads.source,
        leads.branch,
        leads.rep,
        leads.rep_id,
        leads.team,
        leads.channel,
        leads.campaign,
        leads.service_line,
        leads.job_type,
        leads.customer_type,
        leads.process_version,
        leads.pipeline
    from groups
    inner join {{ ref('fct_lead') }} as leads on groups.lead_id = leads.lead_id
    cross join {{ source('process', 'run') }} as run
    left join touches on groups.lead_id = touches.lead_id
    left join connections on groups.lead_id = connections.lead_id
    left join until_reached on groups.lead_id = until_reached.lead_id

),

-- Open minutes are the difference of two look-ups in the branch's opening hours: none without a branch with hours.
clocked as (

    select
        timed.lead_id,
        {{ open_microseconds('began', 'timed.created_at', 'touched', 'timed.touch_at') }} / 1e6 / 60 as open_minutes
    from timed
    {{ opening_before('began', 'timed.branch', 'timed.created_at') }}
    {{ opening_before('touched', 'timed.branch', 'timed.touch_at') }}
    where timed.touch_at is not null and timed.is_measured

),

final as (

    select
        timed.lead_id,
        timed.leads_in_group,
        timed.source,
        timed.created_at,
        timed.created_date,
        timed.created_hour,
        timed.created_weekday,
        timed.assigned_at,
        timed.touch_at,
        timed.reached_at,
        timed.touches_to_contact,
        timed.touch_at is not null as is_contacted,
        timed.minutes,
        clocked.open_minutes,
        timed.routing_minutes,
        case when timed.reaction_minutes < 0 then 0 else timed.reaction_minutes end as reaction_minutes,
        timed.connection_minutes,
        case when timed.is_measured then coalesce(timed.minutes <= 5, false) end as is_within_5_minutes,
        case
            when timed.is_measured and stages.first_touch_minutes is not null then coalesce(timed.minutes <= stages.first_touch_minutes, false)
        end as is_within_target,
        timed.minutes_observed,
        timed.branch,
        timed.rep,
        timed.rep_id,
        timed.team,
        timed.channel,
        timed.campaign,
        timed.service_line,
        timed.job_type,
        timed.customer_type,
        timed.process_version,
        timed.pipeline
    from timed
    left join clocked on timed.lead_id = clocked.lead_id
    left join {{ ref('int_process_stages') }} as stages on stages.is_first

)

select * from final
