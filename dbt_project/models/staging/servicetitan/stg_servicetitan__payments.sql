-- A payment of several invoices is one row for each; a refund names the payment that it takes back, and is negative.
with source as (

    {{ newest_version(source('raw_servicetitan', 'payments'), ['id']) }}

),

parsed as (

    select
        id,
        is_active,
        {{ json_struct('record', {
            'date': 'varchar', 'total': 'varchar', 'type': 'varchar', 'refundedPaymentId': 'varchar',
            'appliedTo': [{'appliedTo': 'varchar', 'appliedAmount': 'varchar'}],
        }) }} as payment
    from source

),

lists as (

    select id, is_active, payment, payment.appliedTo as parts from parsed

),

parts as (

    {{ unnest_list('lists', ['id', 'is_active', 'payment'], 'parts') }}

),

united as (

    select id || ':' || position as id, is_active, payment, item.appliedTo as invoice_id, item.appliedAmount as amount from parts
    union all
    -- paid in advance: no invoice yet
    select id, is_active, payment, null as invoice_id, payment.total as amount from lists
    where parts is null or {{ first_item('parts') }} is null

),

final as (

    select
        {{ source_id("'servicetitan'", 'id') }} as payment_id,
        {{ source_id("'servicetitan'", 'invoice_id') }} as invoice_id,
        {{ parse_moment_or_day('payment.date') }} as paid_at,
        case when payment.refundedPaymentId is not null then -1 else 1 end * abs({{ try_cast('amount', 'decimal(18, 2)') }}) as amount,
        cast(null as varchar) as currency,
        lower({{ clean('payment.type') }}) as method,
        not coalesce(is_active, true) as is_deleted
    from united

)

select * from final
