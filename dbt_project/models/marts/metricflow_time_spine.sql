with days as (

    select * from {{ ref('dim_date') }}

)

select date_day from days
