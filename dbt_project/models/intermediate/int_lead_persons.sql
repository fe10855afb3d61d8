-- Who a lead is: the same e-mail, else the same telephone number (its digits), names one person. Placeholders name nobody.
with leads as (

    select * from {{ ref('int_leads') }}

),

placeholders as (

    select distinct lower(trim(value)) as value from {{ source('process', 'placeholders') }}

),

valid as (

    select
        leads.lead_id,
        leads.created_at,
        leads.created_by,
        leads.is_counted,
        case when emails.value is null then leads.email_key end as valid_email,
        case when phones.value is null and not {{ is_repeated_digit('leads.phone_key') }} then nullif(leads.phone_key, '') end as valid_phone
    from leads
    left join placeholders as emails on leads.email_key = emails.value
    left join placeholders as phones on lower(leads.phone) = phones.value

),

final as (

    select
        *,
        coalesce('email:' || valid_email, 'phone:' || valid_phone, 'lead:' || lead_id) as person_key
    from valid

)

select * from final
