{{ config(materialized='table') }}
-- Estimates with what became of them. A dismissal has its moment in the changes of its status, else it is that of the estimate's last change.
with source as (

    {{ newest_version(source('raw_servicetitan', 'estimates'), ['id']) }}

),

changes as (

    {{ newest_version(source('raw_servicetitan', 'estimate_changes'), ['estimate_id', 'id']) }}

),

parsed_changes as (

    select
        estimate_id,
        created_at,
        lower({{ json_struct('record', {'newStatus': 'varchar'}) }}.newStatus) as status
    from changes

),

dismissals as (

    select
        estimate_id,
        max(created_at) as dismissed_at
    from parsed_changes
    where status like '%dismiss%'
    group by estimate_id

),

parsed as (

    select
        *,
        {{ json_struct('record', {
            'jobId': 'varchar', 'customerId': 'varchar', 'name': 'varchar', 'status': 'json', 'soldOn': 'varchar', 'soldBy': 'varchar', 'subtotal': 'varchar',
        }) }} as estimate
    from source

),

worded as (

    select
        *,
        lower(coalesce({{ json_value('cast(estimate.status as varchar)', "'name'") }}, {{ json_text('estimate.status') }})) as status
    from parsed

),

final as (

    select
        worded.id,
        worded.estimate.jobId as job_id,
        worded.estimate.customerId as customer_id,
        {{ clean('worded.estimate.name') }} as name,
        worded.created_at,
        {{ parse_timestamp('worded.estimate.soldOn') }} as sold_at,
        worded.estimate.soldBy as sold_by,
        {{ try_cast('worded.estimate.subtotal', 'decimal(18, 2)') }} as amount,
        worded.estimate.soldOn is null and coalesce(worded.status not in ('open', 'sold'), false) as is_dismissed,
        coalesce(dismissals.dismissed_at, worded.modified_at) as dismissed_at
    from worded
    left join dismissals on worded.id = dismissals.estimate_id
    where coalesce(worded.is_active, true)

)

select * from final
