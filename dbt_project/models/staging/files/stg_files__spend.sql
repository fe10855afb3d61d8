with newest as (

    {{ newest_rows_of_files(source('raw_files', 'spend'), ['spend_id']) }}

),

renamed as (

    select
        {{ source_id('source', 'spend_id') }} as spend_id,
        date,
        {{ clean('channel') }} as channel,
        {{ clean('campaign') }} as campaign,
        amount,
        {{ currency_code('currency') }} as currency,
        updated_at
    from newest

)

select * from renamed
