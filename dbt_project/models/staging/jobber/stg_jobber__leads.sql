-- A request is a lead. What it says of the person itself wins over the client's record.
with requests as (

    select * from {{ ref('stg_jobber__requests') }}
    where is_newest

),

clients as (

    select * from {{ ref('stg_jobber__contacts') }}

),

absences as (

    {{ absent_records('jobber', 'requests') }}

),

final as (

    select
        {{ source_id("'jobber'", 'requests.id') }} as lead_id,
        requests.created_at,
        lower({{ clean('requests.request.source') }}) as created_by,
        clients.first_name,
        clients.last_name,
        coalesce({{ clean('requests.request.email') }}, clients.email) as email,
        coalesce({{ clean('requests.request.phone') }}, clients.phone) as phone,
        clients.postcode,
        cast(null as varchar) as branch,
        clients.channel,
        cast(null as varchar) as campaign,
        cast(null as varchar) as service_line,
        cast(null as varchar) as job_type,
        cast(null as varchar) as customer_type,
        {{ clean('requests.request.requestStatus') }} as status,
        cast(null as varchar) as owner_id,
        absences.id is not null as is_deleted,
        cast(null as varchar) as merged_into_id,
        false as is_test,
        absences.since as removed_at,
        cast(null as varchar) as merged_ids
    from requests
    left join clients on {{ source_id("'jobber'", 'requests.request.client.id') }} = clients.contact_id
    left join absences on requests.id = absences.id

)

select * from final
