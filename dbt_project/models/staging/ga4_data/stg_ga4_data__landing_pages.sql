-- Not united with the sessions by origin: they are the same sessions, counted by another dimension.
with rows_of_days as (

    {{ ga4_data_rows('landing_pages') }}

),

final as (

    select
        'ga4_data:' || property_id || ':' || cast(date as varchar) || ':' || {{ text_hash('landing_page') }} as landing_page_key,
        property_id,
        date,
        {{ ga4_data_value('landing_page') }} as landing_page,
        sessions,
        engaged_sessions,
        total_users as users,
        key_events as conversions,
        is_sampled,
        is_thresholded
    from rows_of_days

)

select * from final
