with source as (

    {{ newest_version(source('raw_hubspot', 'meetings'), ['id']) }}

),

associations as (

    {{ newest_version(source('raw_hubspot', 'associations'), ['from_type', 'from_id', 'to_type']) }}

),

links as (

    {{ hubspot_first_links('meetings', ['deals']) }}

),

{{ hubspot_lead_contacts_cte() }}

parsed as (

    select
        *,
        {{ hubspot_record(['hs_timestamp', 'hs_createdate', 'hs_meeting_start_time', 'hs_meeting_end_time', 'hs_meeting_outcome', 'hs_object_source', 'hubspot_owner_id']) }} as properties
    from source

),

main_contacts as (

    {{ hubspot_main_contacts('meetings', 'select id, created_at from parsed') }}

),

words as (

    {{ outcome_words('parsed', ['properties.hs_meeting_outcome'], 'hubspot') }}

),

renamed as (

    select
        {{ source_id("'hubspot'", "'meeting-' || parsed.id") }} as activity_id,
        'meeting' as type,
        cast(null as varchar) as direction,
        {{ hubspot_is_automated('parsed.properties.hs_object_source') }} as is_automated,
        coalesce(words.meeting_outcome, {{ clean('parsed.properties.hs_meeting_outcome') }}, 'scheduled') as outcome,
        coalesce({{ parse_timestamp('parsed.properties.hs_createdate') }}, parsed.created_at) as created_at,
        coalesce({{ parse_timestamp('parsed.properties.hs_meeting_start_time') }}, {{ parse_timestamp('parsed.properties.hs_timestamp') }}) as at,
        {{ seconds_between(parse_timestamp('parsed.properties.hs_meeting_start_time'), parse_timestamp('parsed.properties.hs_meeting_end_time')) }} as duration_seconds,
        {{ source_id("'hubspot'", 'parsed.properties.hubspot_owner_id') }} as user_id,
        {{ hubspot_lead_id('main_contacts.contact_id') }} as lead_id,
        {{ source_id("'hubspot'", 'links.deal_id') }} as deal_id,
        coalesce(parsed.is_archived, false) as is_deleted
    from parsed
    left join links on parsed.id = links.from_id
    left join main_contacts on parsed.id = main_contacts.from_id
    left join words on parsed.properties.hs_meeting_outcome = words.written
    {{ hubspot_join_lead('main_contacts.contact_id', 'parsed.created_at') }}

)

select * from renamed
