-- How visits count in which channel, as the property has them: aggregates, in no place mixed with single sessions.
with rows_of_days as (

    {{ ga4_data_rows('sessions') }}

),

cleaned as (

    select
        *,
        {{ ga4_data_value('channel_group') }} as channel,
        {{ ga4_data_value('source') }} as traffic_source,
        {{ ga4_data_value('medium') }} as clean_medium,
        {{ ga4_data_value('campaign') }} as clean_campaign
    from rows_of_days

),

final as (

    select
        'ga4_data:' || property_id || ':' || cast(date as varchar) || ':'
        || {{ text_hash("channel_group || '|' || source || '|' || medium || '|' || campaign") }} as session_key,
        date,
        channel,
        traffic_source,
        clean_medium as medium,
        clean_campaign as campaign,
        cast(null as varchar) as landing_page,
        sessions,
        engaged_sessions,
        total_users as users,
        key_events as conversions,
        is_sampled,
        is_thresholded
    from cleaned

)

select * from final
