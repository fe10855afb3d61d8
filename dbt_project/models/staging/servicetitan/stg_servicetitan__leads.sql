with inquiries as (

    select * from {{ ref('stg_servicetitan__inquiries') }}

),

job_types as (

    {{ newest_version(source('raw_servicetitan', 'job_types'), ['id']) }}

),

final as (

    select
        {{ source_id("'servicetitan'", 'inquiries.key') }} as lead_id,
        inquiries.created_at,
        inquiries.created_by,
        contacts.first_name,
        coalesce(contacts.last_name, inquiries.name) as last_name,
        coalesce(contacts.email, inquiries.email) as email,
        coalesce(contacts.phone, inquiries.phone) as phone,
        contacts.postcode,
        units.branch,
        campaigns.channel,
        campaigns.name as campaign,
        units.service_line,
        {{ clean(json_struct('job_types.record', {'name': 'varchar'}) ~ '.name') }} as job_type,
        cast(null as varchar) as customer_type,
        inquiries.status,
        cast(null as varchar) as owner_id,
        inquiries.is_deleted,
        cast(null as varchar) as merged_into_id,
        false as is_test,
        case when inquiries.is_deleted then inquiries.modified_at end as removed_at,
        cast(null as varchar) as merged_ids
    from inquiries
    left join {{ ref('stg_servicetitan__contacts') }} as contacts on {{ source_id("'servicetitan'", 'inquiries.customer_id') }} = contacts.contact_id
    left join {{ ref('stg_servicetitan__units') }} as units on inquiries.unit_id = units.id
    left join {{ ref('stg_servicetitan__campaigns') }} as campaigns on {{ source_id("'servicetitan'", 'inquiries.campaign_id') }} = campaigns.campaign_id
    left join job_types on inquiries.job_type_id = job_types.id

)

select * from final
