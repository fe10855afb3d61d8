-- Before the first offer a job has no amount.
with visits as (

    select * from {{ ref('stg_servicetitan__visits') }}
    where sold_by_visit_id is null and coalesce(offered_at, sold_at) is not null

),

final as (

    select
        {{ source_id("'servicetitan'", 'id') }} || ':amount' as event_id,
        'deal' as subject_type,
        {{ source_id("'servicetitan'", 'id') }} as subject_id,
        'amount' as field,
        cast(coalesce(sold_amount, highest_amount) as varchar) as value,
        coalesce(offered_at, sold_at) as at,
        1 as source_order
    from visits

)

select * from final
