with newest as (

    {{ newest_rows_of_files(source('raw_files', 'deals'), ['deal_id']) }}

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
        cast(null as varchar) as merged_ids,
        updated_at
    from newest

)

select * from renamed
