{{ config(materialized='view') }}
with united as (

    {{ canonical('contacts') }}

)

select * from united
