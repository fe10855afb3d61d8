with source as (

    {{ newest_version(source('raw_hubspot', 'emails'), ['id']) }}

),

associations as (

    {{ newest_version(source('raw_hubspot', 'associations'), ['from_type', 'from_id', 'to_type']) }}

),

links as (

    {{ hubspot_first_links('emails', ['deals']) }}

),

{{ hubspot_lead_contacts_cte() }}

parsed as (

    select
        *,
        {{ hubspot_record(['hs_timestamp', 'hs_createdate', 'hs_email_direction', 'hs_email_status', 'hs_object_source', 'hubspot_owner_id']) }} as properties
    from source

),

main_contacts as (

    {{ hubspot_main_contacts('emails', 'select id, ' ~ parse_timestamp('properties.hs_timestamp') ~ ' as created_at from parsed') }}

),

renamed as (

    select
        {{ source_id("'hubspot'", "'email-' || parsed.id") }} as activity_id,
        -- one that was not sent is a task
        case when upper(parsed.properties.hs_email_status) in ('SCHEDULED', 'SENDING', 'DRAFT', 'FAILED') then 'task' else 'email' end as type,
        case parsed.properties.hs_email_direction
            when 'INCOMING_EMAIL' then 'inbound'
            when 'INBOUND' then 'inbound'
            when 'EMAIL' then 'outbound'
            when 'FORWARDED_EMAIL' then 'outbound'
            when 'OUTBOUND' then 'outbound'
        end as direction,
        {{ hubspot_is_automated('parsed.properties.hs_object_source') }} as is_automated,
        cast(null as varchar) as outcome,
        coalesce({{ parse_timestamp('parsed.properties.hs_createdate') }}, parsed.created_at) as created_at,
        {{ parse_timestamp('parsed.properties.hs_timestamp') }} as at,
        cast(null as double) as duration_seconds,
        {{ source_id("'hubspot'", 'parsed.properties.hubspot_owner_id') }} as user_id,
        {{ hubspot_lead_id('main_contacts.contact_id') }} as lead_id,
        {{ source_id("'hubspot'", 'links.deal_id') }} as deal_id,
        coalesce(parsed.is_archived, false) as is_deleted
    from parsed
    left join links on parsed.id = links.from_id
    left join main_contacts on parsed.id = main_contacts.from_id
    {{ hubspot_join_lead('main_contacts.contact_id', parse_timestamp('parsed.properties.hs_timestamp')) }}

)

select * from renamed
