-- Calls of telephone systems. A system knows numbers and e-mail addresses, not the CRM's records: a call belongs to the newest lead with the
-- customer's number at that time (a call that makes a lead comes a little before it), a counted one before any other.
with united as (

    {{ canonical('calls') }}

),

numbered as (

    select
        *,
        {{ last_digits("case when direction = 'outbound' then to_number else from_number end") }} as customer_digits
    from united

),

persons as (

    select
        lead_id,
        created_at,
        is_counted,
        {{ last_digits('valid_phone') }} as digits
    from {{ ref('int_lead_persons') }}
    where valid_phone is not null

),

by_number as (

    select
        numbered.call_id,
        persons.lead_id,
        row_number() over (partition by numbered.call_id order by persons.is_counted desc, persons.created_at desc, persons.lead_id) as place
    from numbered
    inner join persons on numbered.customer_digits = persons.digits and persons.created_at <= {{ add_minutes('numbered.at', 120) }}
    where numbered.lead_id is null

),

agents as (

    select
        lower(email) as email_key,
        min(user_id) as user_id
    from {{ ref('int_users') }}
    where email is not null
    group by lower(email)

),

final as (

    select
        {{ star_except('numbered', ['lead_id', 'user_id', 'user_email', 'customer_digits']) }},
        coalesce(numbered.lead_id, by_number.lead_id) as lead_id,
        coalesce(numbered.user_id, agents.user_id) as user_id
    from numbered
    left join by_number on numbered.call_id = by_number.call_id and by_number.place = 1
    left join agents on lower(numbered.user_email) = agents.email_key

)

select * from final
