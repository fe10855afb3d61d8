{{ config(materialized='view') }}
with united as (

    select * from {{ ref('stg_files__products') }}

)

select * from united
