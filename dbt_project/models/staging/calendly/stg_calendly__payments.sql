-- What was paid with the booking.
select
    {{ source_id("'calendly'", 'id') }} as payment_id,
    cast(null as varchar) as invoice_id,
    created_at as paid_at,
    {{ try_cast('payment.amount', 'decimal(18, 2)') }} as amount,
    upper({{ clean('payment.currency') }}) as currency,
    lower({{ clean('payment.provider') }}) as method,
    false as is_deleted
from {{ ref('stg_calendly__invitees') }}
where payment.successful
