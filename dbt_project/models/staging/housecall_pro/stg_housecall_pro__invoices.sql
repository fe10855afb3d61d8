{{ config(materialized='table') }}
with source as (

    {{ newest_version(source('raw_housecall_pro', 'invoices'), ['id']) }}

),

absences as (

    {{ absent_records('housecall_pro', 'invoices') }}

),

parsed as (

    select
        *,
        {{ json_struct('record', {'status': 'varchar', 'amount': 'varchar', 'due_amount': 'varchar', 'invoice_date': 'varchar', 'paid_at': 'varchar', 'job_id': 'varchar'}) }} as invoice
    from source

),

final as (

    select
        {{ source_id("'housecall_pro'", 'parsed.id') }} as invoice_id,
        {{ source_id("'housecall_pro'", 'parsed.invoice.job_id') }} as job_id,
        jobs.deal_id,
        {{ parse_timestamp('parsed.invoice.invoice_date') }} as invoiced_at,
        {{ parse_timestamp('parsed.invoice.paid_at') }} as paid_at,
        {{ cents('parsed.invoice.amount') }} as amount,
        {{ cents('parsed.invoice.amount') }} - {{ cents('parsed.invoice.due_amount') }} as paid_amount,
        cast(null as varchar) as currency,
        case lower(parsed.invoice.status) when 'paid' then 'paid' when 'canceled' then 'void' when 'voided' then 'void' else 'open' end as status,
        absences.id is not null as is_deleted
    from parsed
    left join {{ ref('stg_housecall_pro__jobs') }} as jobs on {{ source_id("'housecall_pro'", 'parsed.invoice.job_id') }} = jobs.job_id
    left join absences on parsed.id = absences.id

)

select * from final
