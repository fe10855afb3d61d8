with source as (

    {{ newest_version(source('raw_jobber', 'clients'), ['id']) }}

),

absences as (

    {{ absent_records('jobber', 'clients') }}

),

parsed as (

    select
        id,
        created_at,
        {{ json_struct('record', {
            'firstName': 'varchar', 'lastName': 'varchar', 'companyName': 'varchar', 'isArchived': 'boolean',
            'emails': [{'address': 'varchar', 'primary': 'boolean'}], 'phones': [{'number': 'varchar', 'primary': 'boolean'}],
            'billingAddress': {'postalCode': 'varchar'}, 'sourceAttribution': {'sourceText': 'varchar'},
        }) }} as client
    from source

),

renamed as (

    select
        {{ source_id("'jobber'", 'parsed.id') }} as contact_id,
        {{ clean('parsed.client.firstName') }} as first_name,
        {{ clean('parsed.client.lastName') }} as last_name,
        {{ clean(first_marked('parsed.client.emails', 'primary') ~ '.address') }} as email,
        {{ clean(first_marked('parsed.client.phones', 'primary') ~ '.number') }} as phone,
        {{ clean('parsed.client.billingAddress.postalCode') }} as postcode,
        {{ clean('parsed.client.sourceAttribution.sourceText') }} as channel,
        case when {{ clean('parsed.client.companyName') }} is not null then {{ source_id("'jobber'", 'parsed.id') }} end as account_id,
        cast(null as varchar) as lead_id,
        parsed.created_at,
        absences.id is not null as is_deleted,
        cast(null as varchar) as merged_into_id
    from parsed
    left join absences on parsed.id = absences.id

)

select * from renamed
