{{ config(materialized='view') }}
with united as (

    {{ canonical('web_sessions') }}

)

select * from united
