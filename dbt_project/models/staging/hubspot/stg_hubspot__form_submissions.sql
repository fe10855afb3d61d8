with source as (

    {{ newest_version(source('raw_hubspot', 'form_submissions'), ['form_id', 'id']) }}

),

forms as (

    {{ newest_version(source('raw_hubspot', 'forms'), ['id']) }}

),

parsed as (

    select
        form_id,
        id,
        submitted_at,
        {{ json_struct('record', {'pageUrl': 'varchar', 'values': [{'name': 'varchar', 'value': 'varchar'}]}) }} as submission
    from source

),

filled as (

    select form_id, id, submission."values" as fields from parsed

),

answers as (

    {{ unnest_list('filled', ['form_id', 'id'], 'fields') }}

),

persons as (

    select
        form_id,
        id,
        max(case when item.name = 'firstname' then {{ clean('item.value') }} end) as first_name,
        max(case when item.name = 'lastname' then {{ clean('item.value') }} end) as last_name,
        max(case when item.name = 'email' then {{ clean('item.value') }} end) as email,
        max(case when item.name = 'phone' then {{ clean('item.value') }} end) as phone,
        max(case when item.name = 'mobilephone' then {{ clean('item.value') }} end) as mobile_phone
    from answers
    group by form_id, id

),

final as (

    select
        {{ source_id("'hubspot'", 'parsed.id') }} as submission_id,
        {{ source_id("'hubspot'", 'parsed.form_id') }} as form_id,
        {{ clean('forms.name') }} as form,
        parsed.submitted_at,
        persons.first_name,
        persons.last_name,
        persons.email,
        coalesce(persons.phone, persons.mobile_phone) as phone,
        {{ clean('parsed.submission."pageUrl"') }} as page,
        cast(null as varchar) as channel,
        cast(null as varchar) as campaign,
        cast(null as varchar) as lead_id
    from parsed
    left join forms on parsed.form_id = forms.id
    left join persons on parsed.form_id = persons.form_id and parsed.id = persons.id

)

select * from final
