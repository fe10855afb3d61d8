-- Refunds are records of their own, and negative.
with source as (

    {{ newest_version(source('raw_jobber', 'payments'), ['id']) }}

),

absences as (

    {{ absent_records('jobber', 'payments') }}

),

parsed as (

    select
        id,
        created_at,
        {{ json_struct('record', {
            '__typename': 'varchar', 'amount': 'varchar', 'adjustmentType': 'varchar', 'paymentType': 'varchar', 'invoice': {'id': 'varchar'},
        }) }} as payment
    from source

),

renamed as (

    select
        {{ source_id("'jobber'", 'parsed.id') }} as payment_id,
        {{ source_id("'jobber'", 'parsed.payment.invoice.id') }} as invoice_id,
        parsed.created_at as paid_at,
        case when lower(coalesce(parsed.payment.adjustmentType, '') || parsed.payment.__typename) like '%refund%' then -1 else 1 end
        * abs({{ try_cast('parsed.payment.amount', 'decimal(18, 2)') }}) as amount,
        cast(null as varchar) as currency,
        lower({{ clean('parsed.payment.paymentType') }}) as method,
        absences.id is not null as is_deleted
    from parsed
    left join absences on parsed.id = absences.id

)

select * from renamed
