-- From the year of the first record to a year after as_of; a mistyped first date must not make a table of centuries.
with bounds as (

    select
        greatest(
            date_trunc('year', coalesce(min(records.created_at), max(run.as_of))),
            date_trunc('year', max(run.as_of)) - interval '30' year
        ) as first_day,
        date_trunc('year', max(run.as_of)) + interval '2' year - interval '1' day as last_day
    from {{ source('process', 'run') }} as run
    left join {{ ref('int_segments') }} as records on records.created_at <= run.as_of

),

days as (

    {{ days_between('(select first_day from bounds)', '(select last_day from bounds)') }}

),

final as (

    select
        date_day,
        cast(date_trunc('week', date_day) as date) as iso_week_start_date,
        {{ period_start('week', 'date_day') }} as week_start_date,
        {{ period_start('month', 'date_day') }} as month_start_date,
        {{ period_start('quarter', 'date_day') }} as quarter_start_date,
        {{ period_start('year', 'date_day') }} as year_start_date
    from days

)

select * from final
