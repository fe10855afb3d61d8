{# Directly-follows counts of the events as received: equal stages in a row are kept, so that self loops count. #}
with events as (
    select * from {{ ref('int_process_events') }}
),

steps as (
    select
        activity as from_activity,
        lead(activity) over (partition by case_id order by place) as to_activity,
        {{ seconds_between('happened_at', 'lead(happened_at) over (partition by case_id order by place)') }} / 3600 as hours
    from events

    union all

    select cast(null as varchar) as from_activity, activity as to_activity, cast(null as double) as hours
    from events
    where place = 1
),

final as (
    select
        steps.from_activity,
        steps.to_activity,
        count(*) as n,
        {{ median_of('steps.hours') }} as median_hours,
        {{ percentile_of('steps.hours', 0.9) }} as p90_hours,
        1 as definition_version,
        max(run.as_of) as as_of
    from steps
    cross join {{ source('process', 'run') }} as run
    group by steps.from_activity, steps.to_activity
)

select * from final
