with newest as (

    {{ newest_rows_of_files(source('raw_files', 'calls'), ['call_id']) }}

),

words as (

    {{ outcome_words('newest', ['outcome']) }}

),

-- What denies an answer is believed, whichever column says it.
worded as (

    select
        {{ star_except('newest', ['outcome']) }},
        case when {{ word_key('newest.outcome') }} is not null then {{ clean('newest.outcome') }} end as written,
        words.call_outcome
    from newest
    left join words on newest.outcome = words.written

),

renamed as (

    select
        {{ source_id('source', 'call_id') }} as call_id,
        "at",
        {{ activity_direction('direction') }} as direction,
        case
            when call_outcome in ('missed', 'no_answer', 'busy', 'failed', 'planned') then false
            when call_outcome = 'answered' then coalesce(is_answered, true)
            else coalesce(is_answered, talk_seconds > 0)
        end as is_answered,
        -- a system that never says so can't tell an abandoned call from a missed one
        case when max(case when {{ says_abandoned('written') }} then 1 else 0 end) over (partition by source) = 1 then coalesce({{ says_abandoned('written') }}, false) end as is_abandoned,
        coalesce(call_outcome, written) as outcome,
        coalesce(duration_seconds, coalesce(wait_seconds, 0) + talk_seconds) as duration_seconds,
        is_lead,
        wait_seconds,
        talk_seconds,
        {{ clean('queue') }} as queue,
        {{ clean('agent') }} as agent,
        {{ clean('from_number') }} as from_number,
        {{ clean('to_number') }} as to_number,
        {{ clean('channel') }} as channel,
        {{ clean('campaign') }} as campaign,
        {{ source_id('source', 'user_id') }} as user_id,
        {{ source_id('source', 'lead_id') }} as lead_id,
        {{ clean('recording_url') }} as recording_url,
        {{ clean('transcript') }} as transcript,
        {{ clean('keywords') }} as keywords,
        case when agent like '%@%' then {{ clean('agent') }} end as user_email,
        updated_at
    from worded

)

select * from renamed
