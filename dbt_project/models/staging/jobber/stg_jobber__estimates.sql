with quotes as (

    select * from {{ ref('stg_jobber__quotes') }}
    where is_newest

),

absences as (

    {{ absent_records('jobber', 'quotes') }}

),

final as (

    select
        {{ source_id("'jobber'", 'quotes.id') }} as estimate_id,
        {{ source_id("'jobber'", 'quotes.id') }} as deal_id,
        quotes.lead_id,
        cast(null as varchar) as job_id,
        quotes.name,
        case
            when quotes.approved_at is not null then 'approved'
            when quotes.status = 'archived' then 'declined'
            when quotes.sent_at is not null then 'sent'
            else 'draft'
        end as status,
        quotes.created_at,
        quotes.sent_at,
        coalesce(quotes.approved_at, case when quotes.status = 'archived' then quotes.status_since end) as decided_at,
        quotes.amount,
        cast(null as varchar) as currency,
        quotes.owner_id as user_id,
        absences.id is not null as is_deleted
    from quotes
    left join absences on quotes.id = absences.id

)

select * from final
