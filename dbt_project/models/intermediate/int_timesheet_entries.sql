{{ config(materialized='view') }}
with united as (

    {{ canonical('timesheet_entries') }}

)

select * from united
