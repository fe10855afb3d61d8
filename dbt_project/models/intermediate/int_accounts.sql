{{ config(materialized='view') }}
with united as (

    {{ union_by_name([ref('stg_hubspot__companies'), ref('stg_files__accounts')]) }}

)

select * from united
