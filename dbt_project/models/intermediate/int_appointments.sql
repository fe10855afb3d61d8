{{ config(materialized='view') }}
with united as (

    select * from {{ ref('stg_files__appointments') }}

)

select * from united
