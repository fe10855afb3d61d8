-- What was refunded is a row of its own, and negative; HubSpot tells the sum only, and when the payment changed last.
with source as (

    {{ newest_version(source('raw_hubspot', 'commerce_payments'), ['id']) }}

),

associations as (

    {{ newest_version(source('raw_hubspot', 'associations'), ['from_type', 'from_id', 'to_type']) }}

),

links as (

    {{ hubspot_first_links('commerce_payments', ['invoices']) }}

),

parsed as (

    select
        *,
        {{ hubspot_record(['hs_initial_amount', 'hs_refunds_amount', 'hs_currency_code', 'hs_initiated_date', 'hs_latest_status', 'hs_payment_method_type']) }} as properties
    from source

),

received as (

    select
        *,
        {{ try_cast('properties.hs_initial_amount', 'decimal(18, 2)') }} as amount,
        {{ try_cast('properties.hs_refunds_amount', 'decimal(18, 2)') }} as refunded
    from parsed
    -- tried, or on its way, but not there
    where lower(coalesce(properties.hs_latest_status, 'succeeded')) not in ('failed', 'canceled', 'cancelled', 'abandoned', 'pending', 'processing')

),

united as (

    select id, id as payment_id, is_archived, properties, amount, coalesce({{ parse_timestamp(clean('properties.hs_initiated_date')) }}, created_at) as paid_at from received
    union all
    select id, id || ':refund' as payment_id, is_archived, properties, -abs(refunded) as amount, updated_at as paid_at from received where refunded <> 0

),

final as (

    select
        {{ source_id("'hubspot'", 'united.payment_id') }} as payment_id,
        {{ source_id("'hubspot'", 'links.invoice_id') }} as invoice_id,
        united.paid_at,
        united.amount,
        {{ clean('united.properties.hs_currency_code') }} as currency,
        case when lower({{ clean('united.properties.hs_payment_method_type') }}) like '%card%' then 'card' else lower({{ clean('united.properties.hs_payment_method_type') }}) end as method,
        coalesce(united.is_archived, false) as is_deleted
    from united
    left join links on united.id = links.from_id

)

select * from final
