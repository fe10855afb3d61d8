with newest as (

    {{ newest_rows_of_files(source('raw_files', 'web_events'), ['event_id']) }}

),

clicked as (

    select
        *,
        {{ click_of('page') }} as click
    from newest

),

renamed as (

    select
        {{ source_id('source', 'event_id') }} as event_id,
        "at",
        {{ clean('event') }} as event,
        {{ clean('visitor_id') }} as visitor_id,
        {{ clean('session_id') }} as session_id,
        {{ clean('page') }} as page,
        {{ source_with_click(clean('traffic_source'), 'click') }} as traffic_source,
        {{ medium_with_click(clean('medium'), 'click') }} as medium,
        {{ clean('campaign') }} as campaign,
        {{ clean('form_id') }} as form_id,
        lower({{ clean('device') }}) as device,
        updated_at
    from clicked

)

select * from renamed
