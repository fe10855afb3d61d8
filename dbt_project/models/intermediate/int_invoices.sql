{{ config(materialized='view') }}
with united as (

    {{ canonical('invoices') }}

)

select * from united
