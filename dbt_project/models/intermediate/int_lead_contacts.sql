-- The moments of an activity that matter to speed to lead, per lead:
--   is_outreach a person of ours reached out: outbound call (any outcome), outbound e-mail or text by hand, a meeting at the moment a person set it,
--     the first touch that the lead's own record states
--   is_answered_inbound an inbound call that someone of ours took: counts from one hour before the lead's creation on
--   is_connection both sides spoke or the customer wrote: answered call of either direction, e-mail received, meeting held (at its start)
with moments as (

    select
        lead_id,
        activity_id,
        'happened' as moment,
        "at",
        {{ is_outreach() }} as is_outreach,
        type = 'call' and direction = 'inbound' and outcome = 'answered' as is_answered_inbound,
        (type = 'call' and outcome = 'answered')
        or (type = 'email' and direction = 'inbound')
        or (type = 'meeting' and outcome = 'held') as is_connection
    from {{ ref('int_activities') }}
    where lead_id is not null and type in ('call', 'email', 'text', 'meeting')

    union all

    select
        lead_id,
        activity_id,
        'set' as moment,
        created_at as at,
        true as is_outreach,
        false as is_answered_inbound,
        false as is_connection
    from {{ ref('int_activities') }}
    where lead_id is not null and type = 'meeting' and not is_automated

    union all

    -- what the source itself says of the lead
    select
        lead_id,
        lead_id as activity_id,
        'stated' as moment,
        first_touch_at as at,
        true as is_outreach,
        false as is_answered_inbound,
        false as is_connection
    from {{ ref('int_leads') }}
    where first_touch_at is not null

),

final as (

    select
        lead_id,
        activity_id,
        moment,
        "at",
        coalesce(is_outreach, false) as is_outreach,
        coalesce(is_answered_inbound, false) as is_answered_inbound,
        coalesce(is_connection, false) as is_connection
    from moments
    where "at" <= {{ as_of() }} and (is_outreach or is_answered_inbound or is_connection)

)

select * from final
