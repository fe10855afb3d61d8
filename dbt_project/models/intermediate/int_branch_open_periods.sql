-- Opening hours as UTC intervals, made from the wall clock of each day, so a day of a clock change is as long as it is on the wall.
-- microseconds_before: the open time of the branch before the interval; the open time between two moments is a difference of two look-ups.
-- It begins two weeks before the first record, so that a branch was open before anything happened; a mistyped first date must not make a table of
-- centuries.
with bounds as (

    select
        min(created_at) as first_at,
        max(run.as_of) as last_at
    from {{ source('process', 'run') }} as run
    left join {{ ref('int_segments') }} as records on records.created_at <= run.as_of

),

days as (

    {{ days_between(
        "(select greatest(coalesce(first_at, last_at) - interval '14' day, last_at - interval '30' year) from bounds)",
        "(select last_at + interval '2' day from bounds)"
    ) }}

),

open_days as (

    select
        branches.branch,
        branches.timezone,
        days.date_day,
        hours.opens_minute,
        hours.closes_minute
    from {{ source('process', 'branches') }} as branches
    inner join {{ source('process', 'branch_hours') }} as hours on branches.branch = hours.branch
    inner join days on {{ iso_weekday('days.date_day') }} = hours.iso_weekday
    left join {{ source('process', 'holidays') }} as holidays
        on holidays.holiday_date = days.date_day and (holidays.branch is null or holidays.branch = branches.branch)
    where holidays.holiday_date is null

),

intervals as (

    select
        branch,
        {{ to_utc(add_minutes('cast(date_day as timestamp)', 'opens_minute'), 'timezone') }} as opens_at,
        {{ to_utc(add_minutes('cast(date_day as timestamp)', 'closes_minute'), 'timezone') }} as closes_at
    from open_days

),

final as (

    select
        branch,
        opens_at,
        closes_at,
        cast(coalesce(sum({{ microseconds_between('opens_at', 'closes_at') }}) over (
            partition by branch
            order by opens_at
            rows between unbounded preceding and 1 preceding
        ), 0) as bigint) as microseconds_before
    from intervals

)

select * from final
