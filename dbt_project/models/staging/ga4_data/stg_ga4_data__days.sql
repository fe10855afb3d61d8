with newest as (

    {{ newest_version(source('raw_ga4_data', 'days'), ['property_id', 'report', 'date']) }}

),

renamed as (

    select
        property_id,
        report,
        date,
        row_count,
        is_thresholded,
        is_sampled,
        has_other_row,
        is_truncated,
        is_restricted,
        time_zone,
        currency,
        -- the load that holds all rows of the day
        _load_id as load_id
    from newest

)

select * from renamed
