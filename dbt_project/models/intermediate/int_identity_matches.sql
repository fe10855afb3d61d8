-- Which lead a record of another system belongs to, and by which rule: what its source says (id), what people say (manual), the same e-mail, the same
-- telephone number (one of several, macros/phones.sql), the same last name and postcode where those are of one person only.
-- Nothing is merged: without a row here, or with `identity.different` in process.yml, the record stands alone again.
with calls as (

    {{ canonical('calls') }}

),

appointments as (

    {{ canonical('appointments') }}

),

form_submissions as (

    {{ canonical('form_submissions') }}

),

contacts as (

    {{ canonical('contacts') }}

),

records as (

    select
        'call' as entity,
        call_id as record_id,
        "at",
        lead_id,
        cast(null as varchar) as email,
        case when direction = 'outbound' then to_number else from_number end as phone,
        cast(null as varchar) as last_name,
        cast(null as varchar) as postcode
    from calls
    union all
    select 'appointment', appointment_id, coalesce(created_at, starts_at), lead_id, email, phone, last_name, null
    from appointments
    where lead_id is not null or deal_id is null
    union all
    select 'form_submission', submission_id, submitted_at, lead_id, email, phone, last_name, null
    from form_submissions
    union all
    select 'contact', contact_id, null, lead_id, email, phone, last_name, postcode
    from contacts
    where not is_deleted and merged_into_id is null

),

keyed as (

    select
        entity,
        record_id,
        "at",
        lead_id,
        lower(trim(email)) as email,
        {{ phone_keys('phone') }} as phones,
        lower(trim(last_name)) || '|' || lower(replace(postcode, ' ', '')) as name_postcode
    from records

),

persons as (

    select
        persons.lead_id,
        persons.person_key,
        persons.created_at,
        persons.is_counted,
        persons.valid_email,
        persons.valid_phones,
        lower(trim(leads.last_name)) || '|' || lower(replace(leads.postcode, ' ', '')) as name_postcode
    from {{ ref('int_lead_persons') }} as persons
    inner join {{ ref('int_leads') }} as leads on persons.lead_id = leads.lead_id
    -- nobody knew of a lead before it came
    where persons.created_at <= {{ as_of() }}

),

record_phones as (

    {{ unnest_list('keyed', ['entity', 'record_id', '"at"', 'lead_id'], 'phones') }}

),

lead_phones as (

    {{ unnest_list('persons', ['lead_id'], 'valid_phones') }}

),

-- A name and a postcode that several persons share name nobody; test, deleted and merged leads are no further persons.
distinct_names as (

    select name_postcode
    from persons
    where name_postcode is not null and is_counted
    group by name_postcode
    having count(distinct person_key) = 1

),

candidates as (

    select
        keyed.entity,
        keyed.record_id,
        keyed.at,
        manual.lead_id,
        'manual' as rule,
        case when manual.entity is null then 0 else -1 end as rank
    from keyed
    inner join {{ source('process', 'identity') }} as manual
        on keyed.record_id = manual.record_id and coalesce(manual.entity, keyed.entity) = keyed.entity and manual.is_same
    union all
    select entity, record_id, "at", lead_id, 'id', 1 from keyed
    where lead_id is not null
    union all
    select keyed.entity, keyed.record_id, keyed.at, persons.lead_id, 'email', 2
    from keyed
    inner join persons on keyed.email = persons.valid_email
    where keyed.lead_id is null
    union all
    select record_phones.entity, record_phones.record_id, record_phones.at, lead_phones.lead_id, 'phone', 3
    from record_phones
    inner join lead_phones on record_phones.item = lead_phones.item
    where record_phones.lead_id is null
    union all
    select keyed.entity, keyed.record_id, keyed.at, persons.lead_id, 'name_postcode', 4
    from keyed
    inner join distinct_names on keyed.name_postcode = distinct_names.name_postcode
    inner join persons on distinct_names.name_postcode = persons.name_postcode and persons.is_counted
    where keyed.lead_id is null

),

-- The newest lead at that time (what makes a lead can come a little before it), a counted one before any other. A contact has no time of its own.
ranked as (

    select
        candidates.entity,
        candidates.record_id,
        candidates.lead_id,
        candidates.rule,
        row_number() over (
            partition by candidates.entity, candidates.record_id
            order by candidates.rank, persons.is_counted desc nulls last, persons.created_at desc, candidates.lead_id
        ) as place
    from candidates
    left join persons on candidates.lead_id = persons.lead_id
    left join {{ source('process', 'identity') }} as refused
        on candidates.record_id = refused.record_id
        and candidates.lead_id = refused.lead_id
        and coalesce(refused.entity, candidates.entity) = candidates.entity
        and not refused.is_same
    where refused.record_id is null
        and (candidates.rank < 2 or candidates.at is null or persons.created_at <= {{ add_minutes('candidates.at', 120) }})

),

final as (

    select
        entity,
        record_id,
        lead_id,
        rule
    from ranked
    where place = 1

)

select * from final
