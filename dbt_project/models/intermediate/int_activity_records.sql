-- All activities of the CRM, the telephone system and the calendar, linked to the surviving lead and deal, and why those are left out that are:
--   deleted, undated, after_as_of, in_crm_too (a call or appointment that the CRM has as well)
with recorded as (

    {{ canonical('activities') }}

),

-- Whose a recorded call or meeting is: of the lead that is left after merges, that of its deal where it names none.
recorded_of_leads as (

    select
        recorded.activity_id,
        recorded.type,
        recorded.direction,
        recorded.at,
        coalesce(lead_merges.survivor_id, recorded.lead_id, deals.lead_id) as lead_id
    from recorded
    left join {{ ref('int_merged_records') }} as lead_merges
        on lead_merges.subject_type = 'lead' and recorded.lead_id = lead_merges.record_id
    left join {{ ref('int_merged_records') }} as deal_merges
        on deal_merges.subject_type = 'deal' and recorded.deal_id = deal_merges.record_id
    left join {{ ref('int_deals') }} as deals on coalesce(deal_merges.survivor_id, recorded.deal_id) = deals.deal_id
    where recorded.type in ('call', 'meeting') and not recorded.is_deleted

),

-- A call that the CRM has too is one call: of the same lead, in the same direction, begun within two minutes; the nearest of them.
recorded_calls as (

    select
        calls.call_id,
        recorded.activity_id,
        row_number() over (partition by calls.call_id order by abs({{ seconds_between('recorded.at', 'calls.at') }}), recorded.activity_id) as place
    from {{ ref('int_calls') }} as calls
    inner join recorded_of_leads as recorded
        on calls.lead_id = recorded.lead_id
        and calls.direction = recorded.direction
        and recorded.type = 'call'
        and abs({{ seconds_between('recorded.at', 'calls.at') }}) <= 120

),

calls as (

    select
        'calls' as entity,
        calls.call_id as activity_id,
        -- one that is still to be made is a task
        case when calls.outcome = 'planned' then 'task' else 'call' end as type,
        calls.direction,
        false as is_automated,
        case
            when calls.is_answered then 'answered'
            when calls.outcome in ('busy', 'failed', 'no_answer', 'missed', 'planned') then calls.outcome
            when calls.direction = 'inbound' then 'missed'
            else 'no_answer'
        end as outcome,
        calls.at as created_at,
        calls.at,
        calls.duration_seconds,
        calls.user_id,
        calls.lead_id,
        cast(null as varchar) as deal_id,
        false as is_deleted,
        recorded.activity_id as recorded_id,
        recorded.activity_id is not null as is_recorded,
        calls.is_abandoned,
        calls.is_lead,
        calls.wait_seconds,
        calls.queue,
        calls.agent,
        calls.channel,
        calls.campaign,
        nullif(right({{ digits('case when calls.direction = \'outbound\' then calls.to_number else calls.from_number end') }}, 10), '') as customer_number
    from {{ ref('int_calls') }} as calls
    left join recorded_calls as recorded on calls.call_id = recorded.call_id and recorded.place = 1

),

appointments as (

    select
        'appointments' as entity,
        appointment_id as activity_id,
        'meeting' as type,
        cast(null as varchar) as direction,
        -- where nobody knows when it was set, or where the customer set it, it can't tell how soon someone answered
        created_at is null or coalesce(is_self_booked, false) as is_automated,
        status as outcome,
        coalesce(created_at, starts_at) as created_at,
        starts_at as at,
        {{ seconds_between('booked.starts_at', 'booked.ends_at') }} as duration_seconds,
        user_id,
        lead_id,
        deal_id,
        is_deleted,
        exists(
            select 1 from recorded_of_leads as recorded
            where recorded.lead_id = booked.lead_id
                and recorded.type = 'meeting'
                and abs({{ seconds_between('recorded.at', 'booked.starts_at') }}) <= 120
        ) as is_recorded
    from {{ ref('int_appointments') }} as booked

),

united as (

    {{ union_by_name(['recorded', 'calls', 'appointments']) }}

),

-- A source may number its calls and its appointments from 1 each: of records with one id all but the first say what they are.
told_apart as (

    select
        {{ star_except('united', ['activity_id', 'entity']) }},
        coalesce(entity, 'activities') as entity,
        case
            when row_number() over (partition by activity_id order by entity nulls first) = 1 then activity_id
            else activity_id || case entity when 'calls' then ':call' else ':appointment' end
        end as activity_id
    from united

),

-- What is planned (a meeting, a task) exists from when it was set; what happened, from when it happened.
known as (

    select
        *,
        case when type in ('meeting', 'task') then coalesce(created_at, "at") else "at" end as known_at
    from told_apart

),

linked as (

    select
        known.entity,
        known.activity_id,
        -- what nobody knows counts as nothing: int_unmapped_outcomes has it
        case when known.type in ({{ text_list(activity_types()) }}) then known.type else 'note' end as type,
        case when known.direction in ('inbound', 'outbound') then known.direction end as direction,
        known.is_automated,
        known.outcome,
        known.created_at,
        known.at,
        known.known_at,
        known.duration_seconds,
        known.user_id,
        known.recorded_id,
        known.is_abandoned,
        known.is_lead,
        known.wait_seconds,
        known.queue,
        known.agent,
        known.channel,
        known.campaign,
        known.customer_number,
        case
            when known.is_recorded then 'in_crm_too'
            when known.is_deleted then 'deleted'
            when known.known_at is null then 'undated'
            when known.known_at > {{ as_of() }} then 'after_as_of'
        end as left_out,
        coalesce(lead_merges.survivor_id, known.lead_id) as lead_id,
        coalesce(deal_merges.survivor_id, known.deal_id) as deal_id
    from known
    left join {{ ref('int_merged_records') }} as lead_merges
        on lead_merges.subject_type = 'lead' and known.lead_id = lead_merges.record_id
    left join {{ ref('int_merged_records') }} as deal_merges
        on deal_merges.subject_type = 'deal' and known.deal_id = deal_merges.record_id

),

-- An activity of a deal is one of the deal's lead too.
final as (

    select
        linked.entity,
        linked.activity_id,
        linked.left_out,
        linked.type,
        linked.direction,
        linked.is_automated,
        linked.outcome,
        linked.created_at,
        linked.at,
        linked.known_at,
        linked.duration_seconds,
        linked.user_id,
        linked.recorded_id,
        linked.is_abandoned,
        linked.is_lead,
        linked.wait_seconds,
        linked.queue,
        linked.agent,
        linked.channel,
        linked.campaign,
        linked.customer_number,
        coalesce(leads.lead_id, deals.lead_id) as lead_id,
        deals.deal_id
    from linked
    left join {{ ref('int_leads') }} as leads on linked.lead_id = leads.lead_id
    left join {{ ref('int_deals') }} as deals on linked.deal_id = deals.deal_id

)

select * from final
