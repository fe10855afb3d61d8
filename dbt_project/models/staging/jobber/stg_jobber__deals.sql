-- A quote is a deal. A request without one is not yet: it stays a lead.
with quotes as (

    select * from {{ ref('stg_jobber__quotes') }}
    where is_newest

),

absences as (

    {{ absent_records('jobber', 'quotes') }}

),

final as (

    select
        {{ source_id("'jobber'", 'quotes.id') }} as deal_id,
        quotes.lead_id,
        accounts.account_id,
        cast(null as varchar) as product_id,
        'default' as pipeline,
        quotes.name,
        quotes.status as stage,
        quotes.amount,
        cast(null as varchar) as currency,
        quotes.created_at,
        cast(null as timestamp) as closed_at,
        cast(null as date) as expected_close_date,
        quotes.owner_id,
        absences.id is not null as is_deleted,
        cast(null as varchar) as merged_into_id,
        false as is_test,
        absences.since as removed_at,
        cast(null as varchar) as merged_ids
    from quotes
    left join {{ ref('stg_jobber__accounts') }} as accounts on quotes.client_id = accounts.account_id
    left join absences on quotes.id = absences.id

)

select * from final
