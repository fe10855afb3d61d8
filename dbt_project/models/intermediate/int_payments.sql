{{ config(materialized='view') }}
with united as (

    {{ canonical('payments') }}

)

select * from united
