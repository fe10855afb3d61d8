with newest as (

    {{ newest_rows_of_files(source('raw_files', 'products'), ['product_id']) }}

),

renamed as (

    select
        {{ source_id('source', 'product_id') }} as product_id,
        {{ clean('name') }} as name,
        {{ clean('series') }} as series,
        list_price_amount,
        updated_at
    from newest

)

select * from renamed
