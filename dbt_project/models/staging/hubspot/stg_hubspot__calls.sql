with source as (

    {{ newest_version(source('raw_hubspot', 'calls'), ['id']) }}

),

associations as (

    {{ newest_version(source('raw_hubspot', 'associations'), ['from_type', 'from_id', 'to_type']) }}

),

links as (

    {{ hubspot_first_links('calls', ['deals']) }}

),

{{ hubspot_lead_contacts_cte() }}

parsed as (

    select
        *,
        {{ hubspot_record(['hs_timestamp', 'hs_createdate', 'hs_call_direction', 'hs_call_duration', 'hs_call_status', 'hs_call_disposition', 'hs_object_source', 'hubspot_owner_id']) }} as properties
    from source

),

-- What people pick after a call (the disposition) tells more than its status, which is completed also where a machine answered.
main_contacts as (

    {{ hubspot_main_contacts('calls', 'select id, ' ~ parse_timestamp('properties.hs_timestamp') ~ ' as created_at from parsed') }}

),

words as (

    {{ outcome_words('parsed', ['properties.hs_call_disposition', 'properties.hs_call_status'], 'hubspot') }}

),

worded as (

    select
        parsed.*,
        {{ combined_outcome([('parsed.properties.hs_call_disposition', 'picked.call_outcome'), ('parsed.properties.hs_call_status', 'stated.call_outcome')]) }} as outcome
    from parsed
    left join words as picked on parsed.properties.hs_call_disposition = picked.written
    left join words as stated on parsed.properties.hs_call_status = stated.written

),

renamed as (

    select
        {{ source_id("'hubspot'", "'call-' || parsed.id") }} as activity_id,
        -- one that is still to be made is a task
        case when parsed.outcome = 'planned' then 'task' else 'call' end as type,
        {{ activity_direction('parsed.properties.hs_call_direction') }} as direction,
        {{ hubspot_is_automated('parsed.properties.hs_object_source') }} as is_automated,
        parsed.outcome,
        coalesce({{ parse_timestamp('parsed.properties.hs_createdate') }}, parsed.created_at) as created_at,
        {{ parse_timestamp('parsed.properties.hs_timestamp') }} as at,
        {{ try_cast(clean('parsed.properties.hs_call_duration'), 'double') }} / 1000 as duration_seconds,
        {{ source_id("'hubspot'", 'parsed.properties.hubspot_owner_id') }} as user_id,
        {{ hubspot_lead_id('main_contacts.contact_id') }} as lead_id,
        {{ source_id("'hubspot'", 'links.deal_id') }} as deal_id,
        coalesce(parsed.is_archived, false) as is_deleted
    from worded as parsed
    left join links on parsed.id = links.from_id
    left join main_contacts on parsed.id = main_contacts.from_id
    {{ hubspot_join_lead('main_contacts.contact_id', parse_timestamp('parsed.properties.hs_timestamp')) }}

)

select * from renamed
