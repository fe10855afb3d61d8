-- One row per call, not per leg: an inbound call that is passed on has a second leg, and only that one tells whether somebody answered (the
-- first is completed even where just a greeting played; one that is transferred has more). What a machine or a fax took is not answered. A call that somebody makes with a
-- softphone comes in at Twilio, from client: or sip:, and its second leg goes out: it is outbound, with the numbers of that leg. Deleted calls are none.
with source as (

    {{ newest_version(source('raw_twilio', 'calls'), ['sid']) }}

),

absences as (

    {{ newest_version(source('raw_twilio', 'absences'), ['table_name', 'id']) }}

),

recordings as (

    {{ newest_version(source('raw_twilio', 'recordings'), ['sid']) }}

),

legs as (

    select
        source.sid,
        coalesce(source.started_at, source.created_at) as at,
        {{ json_struct('source.record', {
            'parent_call_sid': 'varchar', 'status': 'varchar', 'duration': 'varchar', 'direction': 'varchar', 'from': 'varchar', 'to': 'varchar',
            'answered_by': 'varchar',
        }) }} as leg
    from source
    left join absences on absences.table_name = 'calls' and source.sid = absences.id and absences.is_absent
    where absences.id is null

),

judged as (

    select
        *,
        coalesce(lower(leg.answered_by) like 'machine%' or lower(leg.answered_by) = 'fax', false) as is_machine,
        {{ try_cast('leg.duration', 'double') }} as seconds
    from legs

),

second_legs as (

    select
        {{ clean('leg.parent_call_sid') }} as parent_sid,
        sum(case when leg.status = 'completed' and not is_machine then coalesce(seconds, 0) else 0 end) as talked_seconds,
        -- a leg begins when it is answered
        min(case when leg.status = 'completed' and not is_machine and seconds > 0 then "at" end) as answered_at,
        -- hung up while it rang
        max(case when leg.status = 'canceled' then 1 else 0 end) = 1 as is_canceled
    from judged
    where {{ clean('leg.parent_call_sid') }} is not null
    group by {{ clean('leg.parent_call_sid') }}

),

dialled as (

    select
        {{ clean('leg.parent_call_sid') }} as parent_sid,
        {{ clean('leg."from"') }} as from_number,
        {{ clean('leg."to"') }} as to_number,
        row_number() over (partition by {{ clean('leg.parent_call_sid') }} order by "at", sid) as place
    from judged
    where leg.direction = 'outbound-dial'

),

recorded as (

    select
        {{ clean('recording.call_sid') }} as call_sid,
        min({{ clean('recording.uri') }}) as uri,
        -- left for us to hear, not made of a talk
        max(case when recording.source = 'RecordVerb' then 1 else 0 end) = 1 as is_voicemail
    from (select {{ json_struct('record', {'call_sid': 'varchar', 'uri': 'varchar', 'source': 'varchar'}) }} as recording from recordings) as parsed
    group by {{ clean('recording.call_sid') }}

),

renamed as (

    select
        {{ source_id("'twilio'", 'legs.sid') }} as call_id,
        legs.at,
        case when legs.leg.direction like 'inbound%' and dialled.parent_sid is null then 'inbound' else 'outbound' end as direction,
        case
            when legs.is_machine then false
            when second_legs.parent_sid is not null then second_legs.talked_seconds > 0
            when legs.leg.direction like 'inbound%' and recorded.is_voicemail then false
            else legs.leg.status = 'completed' and legs.seconds > 0
        end as is_answered,
        coalesce(second_legs.is_canceled, false) and second_legs.answered_at is null as is_abandoned,
        case
            when second_legs.answered_at is not null then {{ seconds_between('legs.at', 'second_legs.answered_at') }}
            when second_legs.is_canceled then legs.seconds
        end as wait_seconds,
        coalesce(second_legs.talked_seconds, legs.seconds) as duration_seconds,
        coalesce(dialled.from_number, {{ clean('legs.leg."from"') }}) as from_number,
        coalesce(dialled.to_number, {{ clean('legs.leg."to"') }}) as to_number,
        cast(null as varchar) as channel,
        cast(null as varchar) as campaign,
        cast(null as varchar) as user_id,
        cast(null as varchar) as user_email,
        cast(null as varchar) as lead_id,
        recorded.uri as recording_url,
        cast(null as varchar) as transcript,
        cast(null as varchar) as keywords
    from judged as legs
    left join second_legs on legs.sid = second_legs.parent_sid
    left join dialled on legs.sid = dialled.parent_sid and dialled.place = 1
        and (legs.leg."from" like 'client:%' or legs.leg."from" like 'sip:%')
    left join recorded on legs.sid = recorded.call_sid
    where {{ clean('legs.leg.parent_call_sid') }} is null

)

select * from renamed
