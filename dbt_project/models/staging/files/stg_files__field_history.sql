with newest as (

    {{ newest_rows_of_files(source('raw_files', 'field_history'), ['event_id']) }}

),

renamed as (

    select
        {{ source_id('source', 'event_id') }} as event_id,
        coalesce({{ clean('subject_type') }}, 'deal') as subject_type,
        {{ source_id('source', 'subject_id') }} as subject_id,
        {{ clean('field') }} as field,
        case when field = 'owner_id' then {{ source_id('source', 'value') }} else {{ clean('value') }} end as value,
        "at",
        coalesce(source_order, {{ place_in_files() }}) as source_order,
        updated_at
    from newest

)

select * from renamed
