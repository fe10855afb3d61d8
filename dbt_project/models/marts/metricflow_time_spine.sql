with days as (

    select * from {{ ref('dim_date') }}

)

select date_day, week_start_date, quarter_start_date, year_start_date from days
