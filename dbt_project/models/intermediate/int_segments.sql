with records as (

    select
        'lead' as subject_type,
        lead_id as subject_id,
        {{ id_source('lead_id') }} as source,
        created_at,
        branch,
        timezone,
        channel,
        campaign,
        service_line,
        job_type,
        customer_type,
        cast(null as varchar) as pipeline,
        owner_id,
        exclusion_reason,
        is_counted,
        is_derived
    from {{ ref('int_leads') }}

    union all

    select
        'deal' as subject_type,
        deal_id as subject_id,
        {{ id_source('deal_id') }} as source,
        created_at,
        branch,
        timezone,
        channel,
        campaign,
        service_line,
        job_type,
        customer_type,
        pipeline,
        owner_id,
        exclusion_reason,
        is_counted,
        is_derived
    from {{ ref('int_deals') }}

)

select * from records
