-- Payments stand in their invoice and have no id of their own.
with source as (

    {{ newest_version(source('raw_housecall_pro', 'invoices'), ['id']) }}

),

lists as (

    select
        id,
        {{ json_struct('record', {'payments': [{'status': 'varchar', 'payment_method': 'varchar', 'amount': 'varchar', 'paid_at': 'varchar', 'category': 'varchar'}]}) }}.payments as payments
    from source

),

items as (

    {{ unnest_list('lists', ['id'], 'payments') }}

),

final as (

    select
        {{ source_id("'housecall_pro'", 'items.id') }} || ':' || items.position as payment_id,
        {{ source_id("'housecall_pro'", 'items.id') }} as invoice_id,
        {{ parse_timestamp('items.item.paid_at') }} as paid_at,
        case when lower(items.item.category) = 'refund' then -1 else 1 end * abs({{ cents('items.item.amount') }}) as amount,
        cast(null as varchar) as currency,
        lower({{ clean('items.item.payment_method') }}) as method,
        invoices.is_deleted
    from items
    inner join {{ ref('stg_housecall_pro__invoices') }} as invoices on {{ source_id("'housecall_pro'", 'items.id') }} = invoices.invoice_id
    where lower(items.item.status) = 'succeeded'

)

select * from final
