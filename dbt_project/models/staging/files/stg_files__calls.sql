with newest as (

    {{ newest_rows_of_files(source('raw_files', 'calls'), ['call_id']) }}

),

renamed as (

    select
        {{ source_id('source', 'call_id') }} as call_id,
        "at",
        {{ clean('direction') }} as direction,
        is_answered,
        duration_seconds,
        {{ clean('from_number') }} as from_number,
        {{ clean('to_number') }} as to_number,
        {{ clean('channel') }} as channel,
        {{ clean('campaign') }} as campaign,
        {{ source_id('source', 'user_id') }} as user_id,
        {{ source_id('source', 'lead_id') }} as lead_id,
        {{ clean('recording_url') }} as recording_url,
        {{ clean('transcript') }} as transcript,
        {{ clean('keywords') }} as keywords,
        cast(null as varchar) as user_email,
        updated_at
    from newest

)

select * from renamed
