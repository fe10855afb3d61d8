with newest as (

    {{ newest_rows_of_files(source('raw_files', 'web_events'), ['event_id']) }}

),

renamed as (

    select
        {{ source_id('source', 'event_id') }} as event_id,
        "at",
        {{ clean('event') }} as event,
        {{ clean('visitor_id') }} as visitor_id,
        {{ clean('session_id') }} as session_id,
        {{ clean('page') }} as page,
        {{ clean('traffic_source') }} as traffic_source,
        {{ clean('medium') }} as medium,
        {{ clean('campaign') }} as campaign,
        {{ clean('form_id') }} as form_id,
        updated_at
    from newest

)

select * from renamed
