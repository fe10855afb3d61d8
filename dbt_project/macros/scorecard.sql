{# The days that the scorecard compares: `current`, the 13 complete weeks before the week of as_of, and `baseline`, the same weeks a year before where the data
   begin before them, else the 13 weeks before the newest process version. docs/kpis/scorecard.md. Also rendered by metrics/estimates.py, with the same
   tables of a published version: arguments are relations. #}
{% macro scorecard_windows(run, versions, leads, deals) %}
    with newest_version as (
        select max(versions.effective_from) as effective_from
        from {{ versions }} as versions
        cross join {{ run }} as run
        where versions.effective_from <= run.as_of_date
    ),

    data_begin as (
        select min(created_date) as first_date
        from (
            select created_date from {{ leads }}
            union all
            select created_date from {{ deals }}
        ) as created
    ),

    mondays as (
        select
            {{ period_start('week', 'run.as_of_date') }} - 91 as current_start_date,
            {{ period_start('week', 'newest_version.effective_from') }} as change_monday
        from {{ run }} as run
        cross join newest_version
    ),

    spans as (
        select mondays.*, coalesce(data_begin.first_date <= mondays.current_start_date - 364, false) as is_season_matched
        from mondays
        cross join data_begin
    )

    select 'current' as window_id, current_start_date as start_date, current_start_date + 90 as end_date, is_season_matched
    from spans
    union all
    select
        'baseline',
        case when is_season_matched then current_start_date - 364 else change_monday - 91 end,
        case when is_season_matched then current_start_date - 364 + 90 else change_monday - 1 end,
        is_season_matched
    from spans
{% endmacro %}
