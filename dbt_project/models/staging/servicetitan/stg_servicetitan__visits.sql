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
            'completedOn': 'varchar', 'total': 'varchar',
        }) }} as job
    from source

),

offers as (

    select
        job_id,
        min(created_at) as offered_at,
        min(sold_at) as sold_at,
        min(sold_by) as sold_by,
        sum(case when sold_at is not null then amount end) as sold_amount,
        max(amount) as highest_amount,
        case when bool_and(is_dismissed) then max(dismissed_at) end as dismissed_at
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
        offers.offered_at,
        offers.highest_amount,
        -- work that was done without an offer was sold on the spot
        case
            when offers.job_id is not null then offers.sold_at
            when {{ try_cast('parsed.job.total', 'decimal(18, 2)') }} > 0 then {{ parse_timestamp('parsed.job.completedOn') }}
        end as sold_at,
        case
            when offers.job_id is not null then offers.sold_amount
            when {{ try_cast('parsed.job.total', 'decimal(18, 2)') }} > 0 and parsed.job.completedOn is not null then {{ try_cast('parsed.job.total', 'decimal(18, 2)') }}
        end as sold_amount,
        case
            when offers.sold_at is not null then null
            when lower(parsed.job.jobStatus) = 'canceled' then coalesce(cancellations.created_at, parsed.modified_at)
            else offers.dismissed_at
        end as lost_at,
        {{ clean(json_struct('reasons.record', {'name': 'varchar'}) ~ '.name') }} as canceled_for,
        coalesce(offers.sold_by, sent.technician_id, parsed.job.soldById) as seller_id
    from parsed
    left join offers on parsed.id = offers.job_id
    left join cancellations on parsed.id = cancellations.job_id and cancellations.place = 1
    left join reasons on cancellations.reason_id = reasons.id
    left join sent on parsed.id = sent.job_id and sent.place = 1

)

select * from final
