with sales as (

    select * from {{ ref('stg_housecall_pro__sales') }}

),

final as (

    select
        {{ source_id("'housecall_pro'", 'sales.id') }} as deal_id,
        {{ source_id("'housecall_pro'", 'conversions.lead_key') }} as lead_id,
        accounts.account_id,
        cast(null as varchar) as product_id,
        'default' as pipeline,
        sales.name,
        sales.status as stage,
        sales.amount,
        cast(null as varchar) as currency,
        sales.created_at,
        cast(null as timestamp) as closed_at,
        cast(null as date) as expected_close_date,
        {{ mapped_branch('housecall_pro', 'sales.location') }} as branch,
        {{ source_id("'housecall_pro'", 'sales.seller_id') }} as owner_id,
        sales.is_deleted,
        cast(null as varchar) as merged_into_id,
        false as is_test,
        sales.since as removed_at,
        cast(null as varchar) as merged_ids
    from sales
    left join {{ ref('stg_housecall_pro__conversions') }} as conversions on sales.id = conversions.sale_id and conversions.place = 1
    left join {{ ref('stg_housecall_pro__accounts') }} as accounts on {{ source_id("'housecall_pro'", 'sales.customer_id') }} = accounts.account_id

)

select * from final
