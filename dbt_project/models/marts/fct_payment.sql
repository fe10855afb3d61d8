-- What was paid, and paid back, up to as_of; of a record that does not count nothing. Other currencies at the newest rate of the day.
with payments as (

    select
        payments.payment_id,
        payments.invoice_id,
        invoices.deal_id,
        payments.paid_at,
        payments.amount,
        payments.currency,
        payments.method
    from {{ ref('int_payments') }} as payments
    left join {{ ref('int_invoices') }} as invoices on payments.invoice_id = invoices.invoice_id
    where not payments.is_deleted and payments.paid_at <= {{ as_of() }}

),

dated as (

    select
        payments.*,
        deals.deal_id as counted_deal_id,
        run.currency as company_currency,
        {{ record_segments('deals') }},
        {{ business_date('payments.paid_at', 'coalesce(deals.timezone, run.timezone)') }} as paid_date
    from payments
    cross join {{ source('process', 'run') }} as run
    left join {{ ref('int_deals') }} as deals on payments.deal_id = deals.deal_id
    where deals.deal_id is null or deals.is_counted

),

rates as (

    select
        dated.payment_id,
        rates.rate,
        row_number() over (partition by dated.payment_id order by rates.rate_date desc) as place
    from dated
    inner join {{ source('process', 'exchange_rates') }} as rates on dated.currency = rates.currency and rates.rate_date <= dated.paid_date
    where dated.currency <> dated.company_currency

),

final as (

    select
        dated.payment_id,
        dated.invoice_id,
        dated.counted_deal_id as deal_id,
        dated.paid_at,
        dated.paid_date,
        cast(case
            when coalesce(dated.currency, dated.company_currency) = dated.company_currency then dated.amount
            else round(cast(dated.amount as decimal(20, 2)) * rates.rate, 2)
        end as decimal(18, 2)) as amount,
        dated.method,
        dated.branch,
        users.rep,
        users.user_id as rep_id,
        users.team,
        dated.channel,
        dated.campaign,
        dated.service_line,
        dated.job_type,
        dated.customer_type,
        versions.process_version,
        dated.pipeline
    from dated
    left join rates on dated.payment_id = rates.payment_id and rates.place = 1
    {{ owner_at('owners', "'deal'", 'dated.counted_deal_id', 'dated.paid_at') }}
    {{ user_of('users', 'owners.owner_id') }}
    {{ version_on('versions', 'dated.paid_date') }}

)

select * from final
