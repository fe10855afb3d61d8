with newest as (

    {{ newest_rows_of_files(source('raw_files', 'stage_events'), ['event_id']) }}

),

renamed as (

    select
        {{ source_id('source', 'event_id') }} as event_id,
        coalesce({{ clean('subject_type') }}, 'deal') as subject_type,
        {{ source_id('source', 'subject_id') }} as subject_id,
        {{ clean('stage') }} as stage,
        {{ clean('pipeline') }} as pipeline,
        "at",
        {{ source_id('source', 'owner_id') }} as owner_id,
        coalesce(source_order, _line) as source_order
    from newest

)

select * from renamed
