{{ config(materialized='table') }}
-- What becomes a deal: every estimate, and every job that was not made from one. With the moments that tell its stages: booked, visited, offered,
-- won (its first job was made; an approved option without one: when the first version that shows it was changed), lost.
with estimate_versions as (

    select
        *,
        row_number() over (partition by id order by _load_id desc, _row desc) = 1 as is_newest,
        {{ json_struct('record', {
            'estimate_number': 'varchar', 'work_status': 'varchar', 'customer': {'id': 'varchar'}, 'schedule': {'scheduled_start': 'varchar', 'scheduled_end': 'varchar'},
            'work_timestamps': {'completed_at': 'varchar'}, 'canceled_at': 'varchar', 'assigned_employees': [{'id': 'varchar'}], 'company_name': 'varchar',
        }) }} as estimate
    from {{ source('raw_housecall_pro', 'estimates') }}

),

options as (

    select * from {{ ref('stg_housecall_pro__options') }}

),

-- since when an option is approved or declined: the change of the first version that shows it
decided as (

    select
        id,
        option_id,
        min(case when is_approved then modified_at end) as approved_at,
        min(case when is_declined then modified_at end) as declined_at
    from options
    group by id, option_id

),

offers as (

    select
        options.id,
        min(case when options.amount > 0 then options.created_at end) as offered_at,
        sum(case when options.is_approved then options.amount end) as approved_amount,
        max(case when options.amount > 0 then options.amount end) as highest_amount,
        min(case when options.is_approved then decided.approved_at end) as approved_at,
        case when min(case when options.is_declined then 1 else 0 end) = 1 then max(decided.declined_at) end as declined_at
    from options
    inner join decided on options.id = decided.id and options.option_id = decided.option_id
    where options.is_newest
    group by options.id

),

jobs as (

    {{ newest_version(source('raw_housecall_pro', 'jobs'), ['id']) }}

),

parsed_jobs as (

    select
        *,
        {{ json_struct('record', {
            'invoice_number': 'varchar', 'work_status': 'varchar', 'customer': {'id': 'varchar'}, 'schedule': {'scheduled_start': 'varchar', 'scheduled_end': 'varchar'},
            'work_timestamps': {'completed_at': 'varchar'}, 'canceled_at': 'varchar', 'deleted_at': 'varchar', 'assigned_employees': [{'id': 'varchar'}],
            'company_name': 'varchar', 'total_amount': 'varchar', 'original_estimate_id': 'varchar', 'original_estimate_uuids': ['varchar'],
        }) }} as job
    from jobs

),

-- a job names the estimate, or options of it
job_options as (

    select distinct option_id, id as estimate_id from options

),

made_from as (

    select
        parsed_jobs.id,
        coalesce({{ clean('parsed_jobs.job.original_estimate_id') }}, job_options.estimate_id) as estimate_id,
        parsed_jobs.created_at
    from parsed_jobs
    left join job_options on {{ first_item('parsed_jobs.job.original_estimate_uuids') }} = job_options.option_id

),

first_jobs as (

    select
        estimate_id,
        min(created_at) as created_at
    from made_from
    where estimate_id is not null
    group by estimate_id

),

from_estimates as (

    select
        'estimate' as kind,
        estimates.id,
        'Estimate ' || estimates.estimate.estimate_number as name,
        estimates.created_at,
        estimates.modified_at,
        estimates.estimate.customer.id as customer_id,
        lower(estimates.estimate.work_status) as status,
        {{ first_item('estimates.estimate.assigned_employees') }}.id as seller_id,
        {{ clean('estimates.estimate.company_name') }} as location,
        {{ parse_timestamp('estimates.estimate.schedule.scheduled_start') }} as scheduled_at,
        {{ parse_timestamp('estimates.estimate.schedule.scheduled_end') }} as scheduled_until,
        {{ parse_timestamp('estimates.estimate.work_timestamps.completed_at') }} as completed_at,
        offers.offered_at,
        nullif(coalesce(offers.approved_amount, offers.highest_amount), 0) as amount,
        case when first_jobs.created_at is not null or offers.approved_at is not null then coalesce(first_jobs.created_at, offers.approved_at) end as won_at,
        coalesce(
            offers.declined_at,
            {{ parse_timestamp('estimates.estimate.canceled_at') }},
            case when lower(estimates.estimate.work_status) like '%canceled%' then estimates.modified_at end
        ) as lost_at,
        false as is_deleted,
        cast(null as timestamp) as deleted_at
    from estimate_versions as estimates
    left join offers on estimates.id = offers.id
    left join first_jobs on estimates.id = first_jobs.estimate_id
    where estimates.is_newest

),

from_jobs as (

    select
        'job' as kind,
        parsed_jobs.id,
        'Job ' || parsed_jobs.job.invoice_number as name,
        parsed_jobs.created_at,
        parsed_jobs.modified_at,
        parsed_jobs.job.customer.id as customer_id,
        lower(parsed_jobs.job.work_status) as status,
        {{ first_item('parsed_jobs.job.assigned_employees') }}.id as seller_id,
        {{ clean('parsed_jobs.job.company_name') }} as location,
        {{ parse_timestamp('parsed_jobs.job.schedule.scheduled_start') }} as scheduled_at,
        {{ parse_timestamp('parsed_jobs.job.schedule.scheduled_end') }} as scheduled_until,
        {{ parse_timestamp('parsed_jobs.job.work_timestamps.completed_at') }} as completed_at,
        cast(null as timestamp) as offered_at,
        nullif({{ cents('parsed_jobs.job.total_amount') }}, 0) as amount,
        -- what was done and priced was sold on the spot
        case when {{ try_cast('parsed_jobs.job.total_amount', 'decimal(18, 2)') }} > 0 then {{ parse_timestamp('parsed_jobs.job.work_timestamps.completed_at') }} end as won_at,
        coalesce(
            {{ parse_timestamp('parsed_jobs.job.canceled_at') }},
            case when lower(parsed_jobs.job.work_status) like '%canceled%' then parsed_jobs.modified_at end
        ) as lost_at,
        parsed_jobs.job.deleted_at is not null as is_deleted,
        {{ parse_timestamp('parsed_jobs.job.deleted_at') }} as deleted_at
    from parsed_jobs
    inner join made_from on parsed_jobs.id = made_from.id
    where made_from.estimate_id is null

),

united as (

    select * from from_estimates
    union all
    select * from from_jobs

),

absences as (

    {{ absent_records('housecall_pro', 'estimates') }}
    union all
    {{ absent_records('housecall_pro', 'jobs') }}

),

final as (

    select
        {{ star_except('united', ['lost_at', 'offered_at', 'is_deleted', 'deleted_at']) }},
        case when united.won_at is null then united.lost_at end as lost_at,
        -- an option is often made with the estimate: the offer comes with the visit, and before the decision
        case when united.offered_at is not null then
            least(
                greatest(united.offered_at, coalesce(united.completed_at, united.offered_at)),
                coalesce(united.won_at, united.lost_at, timestamp '9999-12-31')
            )
        end as offered_at,
        united.is_deleted or absences.id is not null as is_deleted,
        coalesce(united.deleted_at, absences.since) as since
    from united
    left join absences on united.id = absences.id

)

select * from final
