with source as (

    {{ newest_version(source('raw_servicetitan', 'calls'), ['id']) }}

),

parsed as (

    select
        *,
        {{ json_struct('record', {
            'duration': 'varchar', 'from': 'varchar', 'to': 'varchar', 'direction': 'varchar', 'status': 'varchar', 'type': 'varchar',
            'campaign': {'id': 'varchar'}, 'agent': {'id': 'varchar'}, 'lead': {'id': 'varchar'}, 'recordingUrl': 'varchar',
        }) }} as call
    from source
    where coalesce(is_active, true)

),

words as (

    {{ outcome_words('parsed', ['call.type', 'call.status']) }}

),

-- two leads may name one call
inquiries as (

    select
        call_id,
        min(key) as key
    from {{ ref('stg_servicetitan__inquiries') }}
    where call_id is not null
    group by call_id

),

final as (

    select
        {{ source_id("'servicetitan'", 'parsed.id') }} as call_id,
        parsed.created_at as at,
        case when lower(parsed.call.direction) = 'outbound' then 'outbound' else 'inbound' end as direction,
        coalesce(typed.call_outcome, 'answered') not in ('missed', 'no_answer', 'busy', 'failed') and coalesce(stated.call_outcome = 'answered', false) as is_answered,
        coalesce({{ says_abandoned('parsed.call.type') }}, false) as is_abandoned,
        case {{ word_key('parsed.call.type') }} when 'booked' then true when 'unbooked' then true when 'excused' then false when 'notlead' then false end as is_lead,
        -- of a call that nobody took, how long it lasted is how long the caller waited
        case when {{ says_abandoned('parsed.call.type') }} then {{ time_span_seconds('parsed.call.duration') }} end as wait_seconds,
        {{ time_span_seconds('parsed.call.duration') }} as duration_seconds,
        {{ clean('parsed.call."from"') }} as from_number,
        {{ clean('parsed.call."to"') }} as to_number,
        campaigns.channel,
        campaigns.name as campaign,
        {{ source_id("'servicetitan'", 'parsed.call.agent.id') }} as user_id,
        coalesce({{ source_id("'servicetitan'", 'parsed.call.lead.id') }}, {{ source_id("'servicetitan'", 'inquiries.key') }}) as lead_id,
        {{ clean('parsed.call.recordingUrl') }} as recording_url,
        cast(null as varchar) as transcript,
        cast(null as varchar) as keywords
    from parsed
    left join words as typed on parsed.call.type = typed.written
    left join words as stated on parsed.call.status = stated.written
    left join inquiries on parsed.id = inquiries.call_id
    left join {{ ref('stg_servicetitan__campaigns') }} as campaigns on {{ source_id("'servicetitan'", 'parsed.call.campaign.id') }} = campaigns.campaign_id

)

select * from final
