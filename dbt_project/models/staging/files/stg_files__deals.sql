with newest as (

    {{ newest_rows_of_files(source('raw_files', 'deals'), ['deal_id']) }}

),

links as (

    {{ newest_rows_of_files(source('raw_files', 'deal_leads'), ['link_id']) }}

),

leads as (

    {{ newest_rows_of_files(source('raw_files', 'leads'), ['lead_id']) }}

),

-- Of several leads of a deal the one marked as primary, else the newest one created at or before the deal, else the first.
ranked as (

    select
        links.source,
        links.deal_id,
        links.lead_id,
        row_number() over (
            partition by links.source, links.deal_id
            order by
                case when links.is_primary then 0 else 1 end,
                case when leads.created_at <= newest.created_at then 0 else 1 end,
                case when leads.created_at <= newest.created_at then leads.created_at end desc nulls last,
                leads.created_at nulls last,
                links.lead_id
        ) as place
    from links
    inner join leads on links.source = leads.source and links.lead_id = leads.lead_id
    inner join newest on links.source = newest.source and links.deal_id = newest.deal_id

),

linked as (

    select
        {{ star_except('newest', ['lead_id']) }},
        coalesce({{ clean('newest.lead_id') }}, ranked.lead_id) as lead_id
    from newest
    left join ranked on newest.source = ranked.source and newest.deal_id = ranked.deal_id and ranked.place = 1

),

renamed as (

    select
        {{ source_id('source', 'deal_id') }} as deal_id,
        {{ source_id('source', 'lead_id') }} as lead_id,
        {{ source_id('source', 'account_id') }} as account_id,
        {{ source_id('source', 'product_id') }} as product_id,
        {{ clean('name') }} as name,
        {{ clean('pipeline') }} as pipeline,
        {{ clean('stage') }} as stage,
        amount,
        {{ currency_code('currency') }} as currency,
        created_at,
        closed_at,
        expected_close_date,
        {{ clean('loss_reason') }} as loss_reason,
        {{ clean('budget_band') }} as budget_band,
        is_decision_maker,
        {{ clean('need') }} as need,
        wanted_by,
        {{ clean('next_step') }} as next_step,
        {{ clean('branch') }} as branch,
        {{ clean('channel') }} as channel,
        {{ clean('campaign') }} as campaign,
        {{ clean('service_line') }} as service_line,
        {{ clean('job_type') }} as job_type,
        {{ clean('customer_type') }} as customer_type,
        {{ source_id('source', 'owner_id') }} as owner_id,
        coalesce(is_deleted, false) as is_deleted,
        {{ source_id('source', 'merged_into_id') }} as merged_into_id,
        coalesce(is_test, false) as is_test,
        cast(null as timestamp) as removed_at,
        {{ id_list('merged_ids') }} as merged_ids,
        updated_at
    from linked

)

select * from renamed
