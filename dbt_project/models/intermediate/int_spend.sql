{{ config(materialized='view') }}
with united as (

    {{ canonical('spend') }}

)

select * from united
