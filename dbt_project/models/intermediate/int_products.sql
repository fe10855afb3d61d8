{{ config(materialized='view') }}
with united as (

    {{ canonical('products') }}

)

select * from united
