{{ config(materialized='view') }}
with united as (

    select * from {{ ref('stg_files__calls') }}

)

select * from united
