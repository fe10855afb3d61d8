-- Every change of a field that a source tells of, whenever it was.
with united as (

    select subject_type, subject_id, field, value, "at", source_order from {{ ref('stg_hubspot__contact_history') }}
    union all
    select subject_type, subject_id, field, value, "at", source_order from {{ ref('stg_hubspot__deal_history') }}
    union all
    select subject_type, subject_id, field, value, "at", source_order from {{ ref('stg_files__field_history') }}

)

select * from united
