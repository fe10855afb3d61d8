-- The touches that the cadence of a stage asks for (cadence_days in process.yml), and whether they were made. docs/kpis/follow-up.md says what counts.
with run as (

    select * from {{ source('process', 'run') }}

),

visits as (

    select
        visits.*,
        coalesce(branches.timezone, run.timezone) as timezone,
        run.as_of
    from {{ ref('fct_stage_visit') }} as visits
    cross join run
    left join {{ source('process', 'branches') }} as branches on visits.branch = branches.branch
    where visits.entered_date is not null

),

-- a day that is over (as_of is a moment, at midnight too), to whose end the case stayed
due as (

    select
        visits.*,
        cadences.touch_number,
        {{ add_days('visits.entered_date', 'cadences.due_day') }} as due_date
    from visits
    inner join {{ source('process', 'cadences') }} as cadences on visits.stage = cadences.stage
    where {{ add_days('visits.entered_date', 'cadences.due_day') }} < cast({{ to_local('visits.as_of', 'visits.timezone') }} as date)
        and (visits.exit_kind is null or visits.left_date > {{ add_days('visits.entered_date', 'cadences.due_day') }})

),

made as (

    select
        due.case_id,
        due.sequence,
        due.touch_number,
        count(distinct touches.activity_id) as touches
    from due
    inner join {{ ref('int_touches') }} as touches
        on due.case_id = touches.case_id
        and not {{ is_after('due.entered_at', 'touches.at', 'due.timezone') }}
        and {{ business_date('touches.at', 'due.timezone') }} <= due.due_date
    group by due.case_id, due.sequence, due.touch_number

),

final as (

    select
        due.case_id,
        due.sequence,
        due.touch_number,
        due.lead_id,
        due.deal_id,
        due.stage,
        due.entered_at,
        due.due_date,
        {{ weekday_of('due.due_date') }} as due_weekday,
        coalesce(made.touches, 0) as touches,
        coalesce(made.touches, 0) >= due.touch_number as is_made,
        due.branch,
        due.rep,
        due.rep_id,
        due.team,
        due.channel,
        due.campaign,
        due.service_line,
        due.job_type,
        due.customer_type,
        versions.process_version,
        due.pipeline
    from due
    left join made on due.case_id = made.case_id and due.sequence = made.sequence and due.touch_number = made.touch_number
    {{ version_on('versions', 'due.due_date') }}

)

select * from final
