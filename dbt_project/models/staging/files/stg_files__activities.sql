with newest as (

    {{ newest_rows_of_files(source('raw_files', 'activities'), ['activity_id']) }}

),

words as (

    {{ outcome_words('newest', ['outcome']) }}

),

worded as (

    select
        {{ star_except('newest', ['type', 'direction', 'outcome']) }},
        {{ activity_type('newest.type') }} as type,
        coalesce(
            {{ activity_direction('newest.direction') }},
            case when {{ activity_direction('newest.type') }} in ('inbound', 'outbound') then {{ activity_direction('newest.type') }} end
        ) as direction,
        case when {{ word_key('newest.outcome') }} is not null then {{ clean('newest.outcome') }} end as written,
        words.call_outcome,
        words.meeting_outcome
    from newest
    left join words on newest.outcome = words.written

),

renamed as (

    select
        {{ source_id('source', 'activity_id') }} as activity_id,
        -- a call or an e-mail that is still to be done is a task
        case
            when type in ('call', 'text') and call_outcome = 'planned' then 'task'
            -- an e-mail may be open because somebody opened it
            when type = 'email' and call_outcome = 'planned' and lower(written) <> 'open' then 'task'
            else type
        end as type,
        direction,
        coalesce(is_automated, false) as is_automated,
        coalesce(case type when 'call' then call_outcome when 'meeting' then meeting_outcome end, written) as outcome,
        created_at,
        "at",
        duration_seconds,
        {{ source_id('source', 'user_id') }} as user_id,
        {{ source_id('source', 'lead_id') }} as lead_id,
        {{ source_id('source', 'deal_id') }} as deal_id,
        coalesce(is_deleted, false) as is_deleted,
        updated_at
    from worded

)

select * from renamed
