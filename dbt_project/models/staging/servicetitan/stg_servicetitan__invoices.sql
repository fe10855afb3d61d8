-- A correction is an invoice of its own (adjustmentToId), with the difference.
with source as (

    {{ newest_version(source('raw_servicetitan', 'invoices'), ['id']) }}

),

parsed as (

    select
        *,
        {{ json_struct('record', {'job': {'id': 'varchar'}, 'invoiceDate': 'varchar', 'paidOn': 'varchar', 'total': 'varchar', 'balance': 'varchar'}) }} as invoice
    from source

),

final as (

    select
        {{ source_id("'servicetitan'", 'parsed.id') }} as invoice_id,
        {{ source_id("'servicetitan'", 'parsed.invoice.job.id') }} as job_id,
        jobs.deal_id,
        {{ parse_moment_or_day('parsed.invoice.invoiceDate') }} as invoiced_at,
        {{ parse_moment_or_day('parsed.invoice.paidOn') }} as paid_at,
        {{ try_cast('parsed.invoice.total', 'decimal(18, 2)') }} as amount,
        {{ try_cast('parsed.invoice.total', 'decimal(18, 2)') }} - {{ try_cast('parsed.invoice.balance', 'decimal(18, 2)') }} as paid_amount,
        cast(null as varchar) as currency,
        case when not coalesce(parsed.is_active, true) then 'void' when {{ try_cast('parsed.invoice.balance', 'decimal(18, 2)') }} = 0 then 'paid' else 'open' end as status,
        not coalesce(parsed.is_active, true) as is_deleted
    from parsed
    left join {{ ref('stg_servicetitan__jobs') }} as jobs on {{ source_id("'servicetitan'", 'parsed.invoice.job.id') }} = jobs.job_id

)

select * from final
