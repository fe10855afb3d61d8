with newest as (

    {{ newest_rows_of_files(source('raw_files', 'invoices'), ['invoice_id']) }}

),

renamed as (

    select
        {{ source_id('source', 'invoice_id') }} as invoice_id,
        {{ source_id('source', 'job_id') }} as job_id,
        {{ source_id('source', 'deal_id') }} as deal_id,
        invoiced_at,
        paid_at,
        amount,
        paid_amount,
        {{ currency_code('currency') }} as currency,
        {{ clean('status') }} as status,
        coalesce(is_deleted, false) as is_deleted,
        updated_at
    from newest

)

select * from renamed
