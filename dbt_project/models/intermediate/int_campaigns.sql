{{ config(materialized='view') }}
with united as (

    {{ canonical('campaigns') }}

)

select * from united
