{{ config(materialized='view') }}
with united as (

    {{ canonical('jobs') }}

)

select * from united
