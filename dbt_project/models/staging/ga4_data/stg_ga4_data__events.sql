-- Counts of events, among them the key events (conversions). Single events are in the export files only.
with rows_of_days as (

    {{ ga4_data_rows('events') }}

),

final as (

    select
        'ga4_data:' || property_id || ':' || cast(date as varchar) || ':' || {{ text_hash('event_name') }} as event_count_key,
        property_id,
        date,
        {{ ga4_data_value('event_name') }} as event,
        event_count as events,
        total_users as users,
        key_events as conversions,
        is_sampled,
        is_thresholded
    from rows_of_days

)

select * from final
