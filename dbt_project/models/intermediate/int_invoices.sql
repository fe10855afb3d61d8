{{ config(materialized='view') }}
with united as (

    select * from {{ ref('stg_files__invoices') }}

)

select * from united
