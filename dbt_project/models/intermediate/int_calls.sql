{{ config(materialized='view') }}
with united as (

    {{ canonical('calls') }}

)

select * from united
