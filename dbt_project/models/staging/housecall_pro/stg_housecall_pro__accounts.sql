-- Customers that are companies.
select
    account_id,
    company as name,
    cast(null as varchar) as industry,
    cast(null as varchar) as city,
    postcode,
    cast(null as varchar) as country,
    cast(null as varchar) as parent,
    created_at,
    is_deleted
from {{ ref('stg_housecall_pro__contacts') }}
where account_id is not null
