{{ config(materialized='view') }}
with united as (

    {{ canonical('estimates') }}

)

select * from united
