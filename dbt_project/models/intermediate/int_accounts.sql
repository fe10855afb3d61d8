{{ config(materialized='view') }}
with united as (

    {{ canonical('accounts') }}

)

select * from united
