-- Who a lead is: the same e-mail, else the same telephone number (macros/phones.sql), names one person. A lead without an e-mail is the person of
-- the earliest counted lead that has one and a number of its; without such a lead, its number names it: of several numbers the first of the earliest
-- lead that has one of them. Placeholders name nobody, nor do addresses made of them, as none@none.com.
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
    select words.value from (values ('noemail'), ('nomail'), ('no-email'), ('noreply'), ('no-reply'), ('donotreply')) as words (value)

),

valid as (

    select
        leads.lead_id,
        leads.created_at,
        leads.created_by,
        leads.is_counted,
        case when emails.value is null and users.value is null and domains.value is null then leads.email_key end as valid_email,
        case when phones.value is null then {{ phone_keys('leads.phone') }} end as phones
    from leads
    left join placeholders as emails on leads.email_key = emails.value
    left join made_up as users on {{ split_part('leads.email_key', '@', 1) }} = users.value
    left join made_up as domains on {{ split_part(split_part('leads.email_key', '@', 2), '.', 1) }} = domains.value
    left join placeholders as phones on lower(leads.phone) = phones.value

),

-- what people enter where they have no number is no number however it is written
no_phones as (

    select distinct {{ phone_key('value') }} as phone from placeholders

),

numbers as (

    select
        listed.lead_id,
        listed.created_at,
        listed.is_counted,
        listed.valid_email,
        listed.item as phone,
        listed.position,
        min(listed.position) over (partition by listed.lead_id) as first_position
    from ({{ unnest_list('valid', ['lead_id', 'created_at', 'is_counted', 'valid_email'], 'phones') }}) as listed
    left join no_phones on listed.item = no_phones.phone
    where no_phones.phone is null

),

-- by number: the address that it belongs to, and the number that stands for it
addresses as (

    select
        phone,
        valid_email,
        row_number() over (partition by phone order by created_at, lead_id) as place
    from numbers
    where is_counted and valid_email is not null

),

firsts as (

    select lead_id, phone from numbers where position = first_position

),

earliest as (

    select
        numbers.phone,
        firsts.phone as first_phone,
        row_number() over (partition by numbers.phone order by numbers.created_at, numbers.lead_id) as place
    from numbers
    inner join firsts on numbers.lead_id = firsts.lead_id

),

by_number as (

    select
        numbers.lead_id,
        addresses.valid_email,
        earliest.first_phone,
        row_number() over (partition by numbers.lead_id order by case when addresses.valid_email is null then 1 else 0 end, numbers.position) as place
    from numbers
    left join addresses on numbers.phone = addresses.phone and addresses.place = 1
    inner join earliest on numbers.phone = earliest.phone and earliest.place = 1

),

-- all numbers of a lead, for records of other systems
valid_phones as (

    select lead_id, {{ sorted_values('phone') }} as phones
    from numbers
    group by lead_id

),

final as (

    select
        valid.lead_id,
        valid.created_at,
        valid.created_by,
        valid.is_counted,
        valid.valid_email,
        valid_phones.phones as valid_phones,
        coalesce(
            'email:' || valid.valid_email,
            'email:' || by_number.valid_email,
            'phone:' || by_number.first_phone,
            'lead:' || valid.lead_id
        ) as person_key
    from valid
    left join valid_phones on valid.lead_id = valid_phones.lead_id
    left join by_number on valid.lead_id = by_number.lead_id and by_number.place = 1

)

select * from final
