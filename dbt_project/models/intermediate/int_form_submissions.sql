{{ config(materialized='view') }}
with united as (

    {{ canonical('form_submissions') }}

)

select * from united
