{{ config(materialized='view') }}
with united as (

    {{ canonical('appointments') }}

)

select * from united
