with source as (

    {{ newest_version(source('raw_housecall_pro', 'customers'), ['id']) }}

),

absences as (

    {{ absent_records('housecall_pro', 'customers') }}

),

parsed as (

    select
        id,
        created_at,
        {{ json_struct('record', {
            'first_name': 'varchar', 'last_name': 'varchar', 'email': 'varchar', 'mobile_number': 'varchar', 'home_number': 'varchar',
            'work_number': 'varchar', 'company': 'varchar', 'lead_source': 'varchar', 'addresses': [{'zip': 'varchar'}],
        }) }} as customer
    from source

),

final as (

    select
        {{ source_id("'housecall_pro'", 'parsed.id') }} as contact_id,
        {{ clean('parsed.customer.first_name') }} as first_name,
        {{ clean('parsed.customer.last_name') }} as last_name,
        {{ clean('parsed.customer.email') }} as email,
        coalesce({{ clean('parsed.customer.mobile_number') }}, {{ clean('parsed.customer.home_number') }}, {{ clean('parsed.customer.work_number') }}) as phone,
        {{ clean(first_item('parsed.customer.addresses') ~ '.zip') }} as postcode,
        {{ clean('parsed.customer.lead_source') }} as channel,
        case when {{ clean('parsed.customer.company') }} is not null then {{ source_id("'housecall_pro'", 'parsed.id') }} end as account_id,
        {{ clean('parsed.customer.company') }} as company,
        cast(null as varchar) as lead_id,
        parsed.created_at,
        absences.id is not null as is_deleted,
        cast(null as varchar) as merged_into_id
    from parsed
    left join absences on parsed.id = absences.id

)

select * from final
