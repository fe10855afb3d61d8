with newest as (

    {{ newest_rows_of_files(source('raw_files', 'activities'), ['activity_id']) }}

),

renamed as (

    select
        {{ source_id('source', 'activity_id') }} as activity_id,
        {{ clean('type') }} as type,
        {{ clean('direction') }} as direction,
        coalesce(is_automated, false) as is_automated,
        {{ clean('outcome') }} as outcome,
        created_at,
        "at",
        duration_seconds,
        {{ source_id('source', 'user_id') }} as user_id,
        {{ source_id('source', 'lead_id') }} as lead_id,
        {{ source_id('source', 'deal_id') }} as deal_id,
        coalesce(is_deleted, false) as is_deleted,
        updated_at
    from newest

)

select * from renamed
