with newest as (

    {{ newest_rows_of_files(source('raw_files', 'payments'), ['payment_id']) }}

),

renamed as (

    select
        {{ source_id('source', 'payment_id') }} as payment_id,
        {{ source_id('source', 'invoice_id') }} as invoice_id,
        paid_at,
        amount,
        {{ currency_code('currency') }} as currency,
        {{ clean('method') }} as method,
        coalesce(is_deleted, false) as is_deleted,
        updated_at
    from newest

)

select * from renamed
