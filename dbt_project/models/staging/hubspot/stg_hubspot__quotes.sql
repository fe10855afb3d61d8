-- HubSpot does not say what the customer decided: a quote was approved when it was paid or its deal won with it, declined when the deal was lost.
with source as (

    {{ newest_version(source('raw_hubspot', 'quotes'), ['id']) }}

),

associations as (

    {{ newest_version(source('raw_hubspot', 'associations'), ['from_type', 'from_id', 'to_type']) }}

),

links as (

    {{ hubspot_first_links('quotes', ['deals']) }}

),

{{ hubspot_lead_contacts_cte() }}

deals as (

    select
        id,
        created_at,
        {{ hubspot_record(['hs_is_closed', 'hs_is_closed_won', 'hs_v2_date_entered_current_stage']) }} as properties
    from ({{ newest_version(source('raw_hubspot', 'deals'), ['id']) }}) as newest

),

deal_links as (

    {{ hubspot_main_contacts('deals', 'select id, created_at from deals', with_merges=true) }}

),

parsed as (

    select
        *,
        {{ hubspot_record(['hs_title', 'hs_status', 'hs_quote_amount', 'hs_currency', 'hs_payment_status', 'hs_payment_date', 'hubspot_owner_id']) }} as properties,
        {{ json_struct('record', {'propertiesWithHistory': {'hs_status': [{'value': 'varchar', 'timestamp': 'varchar'}]}}) }}.propertiesWithHistory.hs_status as history
    from source

),

entries as (

    {{ unnest_list('parsed', ['id'], 'history') }}

),

published as (

    select
        id,
        min({{ parse_timestamp('item.timestamp') }}) as sent_at
    from entries
    where {{ hubspot_is_published('item.value') }}
    group by id

),

known as (

    select
        parsed.*,
        links.deal_id,
        {{ hubspot_is_published('parsed.properties.hs_status') }} as is_sent,
        upper(parsed.properties.hs_payment_status) = 'PAID' as is_paid,
        {{ word_boolean('deals.properties.hs_is_closed') }} as is_closed,
        {{ word_boolean('deals.properties.hs_is_closed_won') }} as is_won,
        {{ parse_timestamp('deals.properties.hs_v2_date_entered_current_stage') }} as closed_at
    from parsed
    left join links on parsed.id = links.from_id
    left join deals on links.deal_id = deals.id

),

-- of several quotes of a deal the one that was sent last is the one that was decided on
placed as (

    select
        known.*,
        published.sent_at,
        row_number() over (
            partition by known.deal_id, known.is_sent, coalesce(known.is_archived, false)
            order by case when upper(known.properties.hs_status) = 'EXPIRED' then 1 else 0 end, published.sent_at desc, known.created_at desc, known.id desc
        ) as place
    from known
    left join published on known.id = published.id

),

judged as (

    select
        *,
        case
            when is_paid then 'approved'
            when is_sent and is_won and place = 1 and not coalesce(is_archived, false) then 'approved'
            when upper(properties.hs_status) = 'EXPIRED' then 'expired'
            when not is_sent then 'draft'
            when is_closed and not is_won then 'declined'
            else 'sent'
        end as status
    from placed

),

final as (

    select
        {{ source_id("'hubspot'", 'judged.id') }} as estimate_id,
        {{ source_id("'hubspot'", 'judged.deal_id') }} as deal_id,
        {{ hubspot_lead_id('deal_links.contact_id') }} as lead_id,
        cast(null as varchar) as job_id,
        {{ clean('judged.properties.hs_title') }} as name,
        judged.status,
        judged.created_at,
        case when judged.status <> 'draft' then coalesce(judged.sent_at, judged.created_at) end as sent_at,
        case
            when judged.status = 'approved' then coalesce({{ parse_timestamp('judged.properties.hs_payment_date') }}, judged.closed_at)
            when judged.status = 'declined' then judged.closed_at
        end as decided_at,
        {{ try_cast('judged.properties.hs_quote_amount', 'decimal(18, 2)') }} as amount,
        {{ clean('judged.properties.hs_currency') }} as currency,
        {{ source_id("'hubspot'", 'judged.properties.hubspot_owner_id') }} as user_id,
        coalesce(judged.is_archived, false) as is_deleted
    from judged
    left join deal_links on judged.deal_id = deal_links.from_id
    {{ hubspot_join_lead('deal_links.contact_id', 'judged.created_at') }}

)

select * from final
