with source as (

    {{ newest_version(source('raw_hubspot', 'invoices'), ['id']) }}

),

associations as (

    {{ newest_version(source('raw_hubspot', 'associations'), ['from_type', 'from_id', 'to_type']) }}

),

links as (

    {{ hubspot_first_links('invoices', ['deals']) }}

),

parsed as (

    select
        *,
        {{ hubspot_record(['hs_invoice_status', 'hs_invoice_date', 'hs_payment_date', 'hs_amount_billed', 'hs_amount_paid', 'hs_balance_due', 'hs_currency']) }} as properties
    from source

),

amounts as (

    select
        *,
        lower({{ clean('properties.hs_invoice_status') }}) as status,
        {{ try_cast('properties.hs_amount_billed', 'decimal(18, 2)') }} as amount,
        {{ try_cast('properties.hs_amount_paid', 'decimal(18, 2)') }} as paid_amount,
        {{ try_cast('properties.hs_balance_due', 'decimal(18, 2)') }} as balance
    from parsed

),

final as (

    select
        {{ source_id("'hubspot'", 'amounts.id') }} as invoice_id,
        cast(null as varchar) as job_id,
        {{ source_id("'hubspot'", 'links.deal_id') }} as deal_id,
        coalesce({{ parse_moment_or_day(clean('amounts.properties.hs_invoice_date')) }}, amounts.created_at) as invoiced_at,
        case when amounts.status = 'paid' then {{ parse_moment_or_day(clean('amounts.properties.hs_payment_date')) }} end as paid_at,
        amounts.amount,
        coalesce(amounts.paid_amount, amounts.amount - amounts.balance) as paid_amount,
        {{ clean('amounts.properties.hs_currency') }} as currency,
        case amounts.status when 'draft' then 'draft' when 'paid' then 'paid' when 'voided' then 'void' else 'open' end as status,
        coalesce(amounts.is_archived, false) as is_deleted
    from amounts
    left join links on amounts.id = links.from_id

)

select * from final
