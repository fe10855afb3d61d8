{{ config(materialized='table') }}
-- Jobs with their offers in figures, how they were canceled and who was sent: what deals, their stages and jobs are made from.
with source as (

    {{ newest_version(source('raw_servicetitan', 'jobs'), ['id']) }}

),

parsed as (

    select
        *,
        {{ json_struct('record', {
            'jobNumber': 'varchar', 'jobStatus': 'varchar', 'customerId': 'varchar', 'campaignId': 'varchar', 'leadCallId': 'varchar',
            'bookingId': 'varchar', 'soldById': 'varchar', 'createdFromEstimateId': 'varchar', 'businessUnitId': 'varchar', 'jobTypeId': 'varchar',
            'completedOn': 'varchar', 'total': 'varchar', 'noCharge': 'boolean', 'recallForId': 'varchar', 'warrantyId': 'varchar',
        }) }} as job
    from source

),

job_types as (

    select
        id,
        lower({{ json_struct('record', {'name': 'varchar'}) }}.name) as name
    from ({{ newest_version(source('raw_servicetitan', 'job_types'), ['id']) }}) as newest

),

sales as (

    select
        job_id,
        sold_by,
        row_number() over (partition by job_id order by sold_at, id) as place
    from {{ ref('stg_servicetitan__offers') }}
    where sold_at is not null

),

offers as (

    select
        job_id,
        min(created_at) as offered_at,
        min(sold_at) as sold_at,
        sum(case when sold_at is not null then amount end) as sold_amount,
        max(amount) as highest_amount,
        case when min(case when is_dismissed then 1 else 0 end) = 1 then max(dismissed_at) end as dismissed_at
    from {{ ref('stg_servicetitan__offers') }}
    group by job_id

),

logs as (

    {{ newest_version(source('raw_servicetitan', 'job_canceled_logs'), ['id']) }}

),

cancellations as (

    select
        {{ json_struct('record', {'jobId': 'varchar'}) }}.jobId as job_id,
        {{ json_struct('record', {'reasonId': 'varchar'}) }}.reasonId as reason_id,
        created_at,
        row_number() over (partition by {{ json_struct('record', {'jobId': 'varchar'}) }}.jobId order by created_at desc, id) as place
    from logs

),

reasons as (

    {{ newest_version(source('raw_servicetitan', 'job_cancel_reasons'), ['id']) }}

),

assignments as (

    {{ newest_version(source('raw_servicetitan', 'appointment_assignments'), ['id']) }}

),

sent as (

    select
        {{ json_struct('record', {'jobId': 'varchar'}) }}.jobId as job_id,
        {{ json_struct('record', {'technicianId': 'varchar'}) }}.technicianId as technician_id,
        row_number() over (partition by {{ json_struct('record', {'jobId': 'varchar'}) }}.jobId order by {{ try_cast('id', 'bigint') }}) as place
    from assignments
    where coalesce(is_active, true)

),

-- the estimate that a job was made from: of an earlier visit that is known, or of none (made for a project, or a customer)
origins as (

    select
        parsed.id,
        earlier.id as sold_by_visit_id,
        case when earlier.id is null then origin.created_at end as offered_at,
        case when earlier.id is null then origin.sold_at end as sold_at,
        case when earlier.id is null then origin.sold_by end as sold_by,
        case when earlier.id is null then origin.amount end as amount
    from parsed
    inner join {{ ref('stg_servicetitan__offers') }} as origin on parsed.job.createdFromEstimateId = origin.id
    left join parsed as earlier on origin.job_id = earlier.id and earlier.id <> parsed.id

),

final as (

    select
        parsed.id,
        parsed.created_at,
        parsed.modified_at,
        not coalesce(parsed.is_active, true) as is_deleted,
        parsed.job.jobNumber as number,
        lower(parsed.job.jobStatus) as status,
        parsed.job.customerId as customer_id,
        parsed.job.campaignId as campaign_id,
        parsed.job.leadCallId as call_id,
        parsed.job.bookingId as booking_id,
        parsed.job.createdFromEstimateId as estimate_id,
        parsed.job.businessUnitId as unit_id,
        parsed.job.jobTypeId as job_type_id,
        {{ parse_timestamp('parsed.job.completedOn') }} as completed_at,
        {{ try_cast('parsed.job.total', 'decimal(18, 2)') }} as total,
        origins.sold_by_visit_id,
        -- nothing could be sold: work that was promised before, unless something was offered or charged all the same
        (
            coalesce(parsed.job.noCharge, false)
            or nullif(parsed.job.recallForId, '0') is not null
            or nullif(parsed.job.warrantyId, '0') is not null
            or coalesce(job_types.name like '%warranty%' or job_types.name like '%recall%', false)
        )
        and offers.job_id is null
        and origins.id is null
        and coalesce({{ try_cast('parsed.job.total', 'decimal(18, 2)') }}, 0) = 0 as is_service,
        coalesce(offers.offered_at, origins.offered_at) as offered_at,
        coalesce(offers.highest_amount, origins.amount) as highest_amount,
        -- work that was done without an offer was sold on the spot
        case
            when offers.job_id is not null then offers.sold_at
            when origins.sold_at is not null then origins.sold_at
            when {{ try_cast('parsed.job.total', 'decimal(18, 2)') }} > 0 then {{ parse_timestamp('parsed.job.completedOn') }}
        end as sold_at,
        case
            when offers.job_id is not null then offers.sold_amount
            when origins.sold_at is not null then origins.amount
            when {{ try_cast('parsed.job.total', 'decimal(18, 2)') }} > 0 and parsed.job.completedOn is not null then {{ try_cast('parsed.job.total', 'decimal(18, 2)') }}
        end as sold_amount,
        case
            when coalesce(offers.sold_at, origins.sold_at) is not null then null
            when lower(parsed.job.jobStatus) = 'canceled' then coalesce(cancellations.created_at, parsed.modified_at)
            else offers.dismissed_at
        end as lost_at,
        {{ clean(json_struct('reasons.record', {'name': 'varchar'}) ~ '.name') }} as canceled_for,
        coalesce(sales.sold_by, origins.sold_by, sent.technician_id, parsed.job.soldById) as seller_id
    from parsed
    left join job_types on parsed.job.jobTypeId = job_types.id
    left join offers on parsed.id = offers.job_id
    left join sales on parsed.id = sales.job_id and sales.place = 1
    left join origins on parsed.id = origins.id
    left join cancellations on parsed.id = cancellations.job_id and cancellations.place = 1
    left join reasons on cancellations.reason_id = reasons.id
    left join sent on parsed.id = sent.job_id and sent.place = 1

)

select * from final
