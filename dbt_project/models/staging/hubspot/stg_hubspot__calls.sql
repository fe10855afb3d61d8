with source as (

    {{ newest_version(source('raw_hubspot', 'calls'), ['id']) }}

),

associations as (

    {{ newest_version(source('raw_hubspot', 'associations'), ['from_type', 'from_id', 'to_type']) }}

),

links as (

    {{ hubspot_first_links('calls', ['contacts', 'deals']) }}

),

{{ hubspot_lead_contacts_cte() }}

parsed as (

    select
        *,
        {{ hubspot_record(['hs_timestamp', 'hs_createdate', 'hs_call_direction', 'hs_call_duration', 'hs_call_status', 'hs_object_source', 'hubspot_owner_id']) }} as properties
    from source

),

renamed as (

    select
        {{ source_id("'hubspot'", "'call-' || parsed.id") }} as activity_id,
        'call' as type,
        lower({{ clean('parsed.properties.hs_call_direction') }}) as direction,
        {{ hubspot_is_automated('parsed.properties.hs_object_source') }} as is_automated,
        case parsed.properties.hs_call_status
            when 'COMPLETED' then 'answered'
            when 'MISSED' then 'missed'
            when 'NO_ANSWER' then 'no_answer'
            when 'BUSY' then 'busy'
            when 'FAILED' then 'failed'
            when 'CANCELED' then 'failed'
        end as outcome,
        coalesce({{ parse_timestamp('parsed.properties.hs_createdate') }}, parsed.created_at) as created_at,
        {{ parse_timestamp('parsed.properties.hs_timestamp') }} as at,
        {{ try_cast(clean('parsed.properties.hs_call_duration'), 'double') }} / 1000 as duration_seconds,
        {{ source_id("'hubspot'", 'parsed.properties.hubspot_owner_id') }} as user_id,
        {{ hubspot_lead_id('links.contact_id') }} as lead_id,
        {{ source_id("'hubspot'", 'links.deal_id') }} as deal_id,
        coalesce(parsed.is_archived, false) as is_deleted
    from parsed
    left join links on parsed.id = links.from_id
    {{ hubspot_join_lead('links.contact_id', parse_timestamp('parsed.properties.hs_timestamp')) }}

)

select * from renamed
