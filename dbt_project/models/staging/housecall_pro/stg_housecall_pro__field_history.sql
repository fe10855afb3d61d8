-- Before the offer an estimate has no amount.
select
    {{ source_id("'housecall_pro'", 'id') }} || ':amount' as event_id,
    'deal' as subject_type,
    {{ source_id("'housecall_pro'", 'id') }} as subject_id,
    'amount' as field,
    cast(amount as varchar) as value,
    coalesce(offered_at, won_at) as at,
    1 as source_order
from {{ ref('stg_housecall_pro__sales') }}
where amount is not null and coalesce(offered_at, won_at) is not null
