with products as (

    select * from {{ ref('int_products') }}

),

final as (

    select
        product_id,
        coalesce(name, {{ id_in_source('product_id') }}) as product,
        series,
        list_price_amount
    from products

)

select * from final
