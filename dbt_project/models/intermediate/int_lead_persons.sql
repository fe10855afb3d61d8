-- Who a lead is: the same e-mail, else the same telephone number (its last ten digits), names one person. A lead without an e-mail is the person of
-- the earliest counted lead that has one and the same number. Placeholders name nobody, nor do addresses made of them, as none@none.com.
with leads as (

    select * from {{ ref('int_leads') }}

),

placeholders as (

    select distinct lower(trim(value)) as value from {{ source('process', 'placeholders') }}

),

-- What people write before or after the @ when they have no address. Placeholders of one or two letters are left out: x and na are parts of real ones.
made_up as (

    select value from placeholders where length(value) > 2
    union
    select value from (values ('noemail'), ('nomail'), ('no-email'), ('noreply'), ('no-reply'), ('donotreply')) as words(value)

),

valid as (

    select
        leads.lead_id,
        leads.created_at,
        leads.created_by,
        leads.is_counted,
        case when emails.value is null and users.value is null and domains.value is null then leads.email_key end as valid_email,
        case when phones.value is null and not {{ is_repeated_digit('leads.phone_key') }} then {{ last_digits('leads.phone') }} end as valid_phone
    from leads
    left join placeholders as emails on leads.email_key = emails.value
    left join made_up as users on {{ split_part('leads.email_key', '@', 1) }} = users.value
    left join made_up as domains on {{ split_part(split_part('leads.email_key', '@', 2), '.', 1) }} = domains.value
    left join placeholders as phones on lower(leads.phone) = phones.value

),

addresses as (

    select
        valid_phone,
        valid_email,
        row_number() over (partition by valid_phone order by created_at, lead_id) as place
    from valid
    where is_counted and valid_phone is not null and valid_email is not null

),

final as (

    select
        valid.lead_id,
        valid.created_at,
        valid.created_by,
        valid.is_counted,
        valid.valid_email,
        valid.valid_phone,
        coalesce(
            'email:' || valid.valid_email,
            'email:' || addresses.valid_email,
            'phone:' || valid.valid_phone,
            'lead:' || valid.lead_id
        ) as person_key
    from valid
    left join addresses on valid.valid_phone = addresses.valid_phone and addresses.place = 1

)

select * from final
