-- Calls that are gone (deleted, or marked as spam) are none.
with source as (

    {{ newest_version(source('raw_callrail', 'calls'), ['id']) }}

),

absences as (

    {{ newest_version(source('raw_callrail', 'absences'), ['table_name', 'id']) }}

),

parsed as (

    select
        id,
        start_time,
        {{ json_struct('record', {
            'direction': 'varchar', 'answered': 'boolean', 'voicemail': 'boolean', 'duration': 'varchar', 'customer_phone_number': 'varchar', 'tracking_phone_number': 'varchar',
            'business_phone_number': 'varchar', 'source': 'varchar', 'campaign': 'varchar', 'utm_campaign': 'varchar', 'agent_email': 'varchar',
            'recording': 'varchar', 'lead_status': 'varchar', 'transcription': 'varchar', 'keywords_spotted': ['json'],
        }) }} as call
    from source

),

renamed as (

    select
        {{ source_id("'callrail'", 'parsed.id') }} as call_id,
        parsed.start_time as at,
        lower({{ clean('parsed.call.direction') }}) as direction,
        -- a voicemail is no answer
        parsed.call.answered and not coalesce(parsed.call.voicemail, false) as is_answered,
        -- CallRail does not tell who ended a call that nobody answered, nor how long it rang
        cast(null as boolean) as is_abandoned,
        case lower({{ clean('parsed.call.lead_status') }}) when 'good_lead' then true when 'not_a_lead' then false end as is_lead,
        cast(null as double) as wait_seconds,
        {{ try_cast('parsed.call.duration', 'double') }} as duration_seconds,
        case when parsed.call.direction = 'outbound' then {{ clean('parsed.call.tracking_phone_number') }} else {{ clean('parsed.call.customer_phone_number') }} end as from_number,
        case when parsed.call.direction = 'outbound' then {{ clean('parsed.call.customer_phone_number') }} else {{ clean('parsed.call.tracking_phone_number') }} end as to_number,
        {{ clean('parsed.call.source') }} as channel,
        coalesce({{ clean('parsed.call.campaign') }}, {{ clean('parsed.call.utm_campaign') }}) as campaign,
        cast(null as varchar) as user_id,
        {{ clean('parsed.call.agent_email') }} as user_email,
        cast(null as varchar) as lead_id,
        {{ clean('parsed.call.recording') }} as recording_url,
        {{ clean('parsed.call.transcription') }} as transcript,
        {{ join_list('parsed.call.keywords_spotted', ', ') }} as keywords
    from parsed
    left join absences on absences.table_name = 'calls' and parsed.id = absences.id and absences.is_absent
    where absences.id is null

)

select * from renamed
