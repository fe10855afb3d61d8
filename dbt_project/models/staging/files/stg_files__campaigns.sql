with newest as (

    {{ newest_rows_of_files(source('raw_files', 'campaigns'), ['campaign_id']) }}

),

renamed as (

    select
        {{ source_id('source', 'campaign_id') }} as campaign_id,
        {{ clean('name') }} as name,
        {{ clean('channel') }} as channel,
        is_active,
        updated_at
    from newest

)

select * from renamed
