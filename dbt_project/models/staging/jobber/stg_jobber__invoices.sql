with source as (

    {{ newest_version(source('raw_jobber', 'invoices'), ['id']) }}

),

absences as (

    {{ absent_records('jobber', 'invoices') }}

),

parsed as (

    select
        id,
        {{ json_struct('record', {
            'invoiceStatus': 'varchar', 'issuedDate': 'varchar', 'receivedDate': 'varchar',
            'amounts': {'total': 'varchar', 'invoiceBalance': 'varchar'}, 'jobs': {'nodes': [{'id': 'varchar'}]},
        }) }} as invoice
    from source

),

amounts as (

    select
        *,
        {{ first_item('invoice.jobs.nodes') }}.id as job_id,
        {{ try_cast('invoice.amounts.total', 'decimal(18, 2)') }} as amount,
        {{ try_cast('invoice.amounts.invoiceBalance', 'decimal(18, 2)') }} as balance
    from parsed

),

renamed as (

    select
        {{ source_id("'jobber'", 'amounts.id') }} as invoice_id,
        jobs.job_id,
        jobs.deal_id,
        {{ parse_timestamp('amounts.invoice.issuedDate') }} as invoiced_at,
        {{ parse_timestamp('amounts.invoice.receivedDate') }} as paid_at,
        amounts.amount,
        amounts.amount - amounts.balance as paid_amount,
        cast(null as varchar) as currency,
        case lower(amounts.invoice.invoiceStatus)
            when 'draft' then 'draft' when 'paid' then 'paid' when 'bad_debt' then 'bad_debt' when 'voided' then 'void' else 'open'
        end as status,
        absences.id is not null as is_deleted
    from amounts
    left join {{ ref('stg_jobber__jobs') }} as jobs on {{ source_id("'jobber'", 'amounts.job_id') }} = jobs.job_id
    left join absences on amounts.id = absences.id

)

select * from renamed
