with newest as (

    {{ newest_rows_of_files(source('raw_files', 'web_sessions'), ['session_key']) }}

),

renamed as (

    select
        {{ source_id('source', 'session_key') }} as session_key,
        "date",
        {{ clean('channel') }} as channel,
        {{ clean('traffic_source') }} as traffic_source,
        {{ clean('medium') }} as medium,
        {{ clean('campaign') }} as campaign,
        {{ clean('landing_page') }} as landing_page,
        sessions,
        engaged_sessions,
        users,
        conversions,
        coalesce(is_sampled, false) as is_sampled,
        coalesce(is_thresholded, false) as is_thresholded,
        updated_at
    from newest

)

select * from renamed
