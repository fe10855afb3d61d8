with source as (

    {{ newest_version(source('raw_callrail', 'form_submissions'), ['id']) }}

),

absences as (

    {{ newest_version(source('raw_callrail', 'absences'), ['table_name', 'id']) }}

),

parsed as (

    select
        id,
        submitted_at,
        {{ json_struct('record', {
            'form_data': {'name': 'varchar', 'email': 'varchar', 'phone': 'varchar'}, 'form_url': 'varchar', 'source': 'varchar', 'campaign': 'varchar',
            'customer_email': 'varchar', 'customer_phone_number': 'varchar',
        }) }} as form
    from source

),

renamed as (

    select
        {{ source_id("'callrail'", 'parsed.id') }} as submission_id,
        cast(null as varchar) as form_id,
        {{ clean('parsed.form.form_url') }} as form,
        parsed.submitted_at,
        cast(null as varchar) as first_name,
        {{ clean('parsed.form.form_data.name') }} as last_name,
        coalesce({{ clean('parsed.form.customer_email') }}, {{ clean('parsed.form.form_data.email') }}) as email,
        coalesce({{ clean('parsed.form.customer_phone_number') }}, {{ clean('parsed.form.form_data.phone') }}) as phone,
        {{ clean('parsed.form.form_url') }} as page,
        {{ clean('parsed.form.source') }} as channel,
        {{ clean('parsed.form.campaign') }} as campaign,
        cast(null as varchar) as lead_id
    from parsed
    left join absences on absences.table_name = 'form_submissions' and parsed.id = absences.id and absences.is_absent
    where absences.id is null

)

select * from renamed
