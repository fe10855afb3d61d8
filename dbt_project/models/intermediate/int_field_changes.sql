-- Every change of a field that a source tells of, whenever it was.
with united as (

    {{ canonical('field_history') }}

),

final as (

    select subject_type, subject_id, field, value, "at", source_order from united

)

select * from final
