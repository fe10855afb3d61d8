with newest as (

    {{ newest_load_of_day(source('raw_ga4', 'events'), 'event_day') }}

),

renamed as (

    select
        'ga4:' || _load_id || ':' || cast(_row as varchar) as event_id,
        event_at as at,
        event_name as event,
        user_pseudo_id as visitor_id,
        -- GA4's session id is the second of the start: only together with the visitor it names a session
        'ga4:' || user_pseudo_id || ':' || cast(ga_session_id as varchar) as session_id,
        page_location as page,
        source as traffic_source,
        medium,
        campaign,
        form_id,
        {{ json_at('record', '$.device.category') }} as device
    from newest

)

select * from renamed
