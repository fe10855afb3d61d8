{{ config(tags=['after_analysis']) }}

with estimates as (
    select * from {{ ref('stat_scorecard_estimates') }}
),

compared as (
    select
        current_window.kpi,
        current_window.from_stage,
        current_window.to_stage,
        current_window.segment_type,
        current_window.segment,
        current_window.unit,
        baseline_window.start_date as baseline_start_date,
        baseline_window.end_date as baseline_end_date,
        baseline_window.value as baseline,
        baseline_window.low as baseline_low,
        baseline_window.high as baseline_high,
        baseline_window.n as baseline_n,
        current_window.start_date as current_start_date,
        current_window.end_date as current_end_date,
        current_window.value as current_value,
        current_window.low as current_low,
        current_window.high as current_high,
        current_window.n as current_n,
        current_window.value - baseline_window.value as difference,
        {{ mover_low('current_window.value', 'current_window.low', 'baseline_window.value', 'baseline_window.high') }} as difference_low,
        {{ mover_high('current_window.value', 'current_window.high', 'baseline_window.value', 'baseline_window.low') }} as difference_high,
        current_window.target_value as target,
        current_window.before_value,
        current_window.direction,
        baseline_window.is_season_matched
    from estimates as current_window
    inner join estimates as baseline_window
        on current_window.kpi = baseline_window.kpi
        and current_window.from_stage is not distinct from baseline_window.from_stage
        and current_window.to_stage is not distinct from baseline_window.to_stage
        and current_window.segment_type = baseline_window.segment_type
        and current_window.segment = baseline_window.segment
    where current_window.window_id = 'current' and baseline_window.window_id = 'baseline'
),

final as (
    select
        compared.*,
        (compared.baseline_n > 0 and {{ is_low_n('compared.baseline_n') }}) or {{ is_low_n('compared.current_n') }} as is_low_n,
        case
            when direction = 'up' and current_value >= target then 'met'
            when direction = 'down' and current_value <= target then 'met'
            when difference_low is not null and difference_high is not null then
                case
                    when difference_low <= 0 and difference_high >= 0 then 'no_change'
                    when (direction = 'up') = (difference > 0) then 'on_way'
                    else 'worse'
                end
            -- nothing to compare with, as in a young company: the interval says what can be said of the target
            when current_low is null or current_high is null then null
            when (direction = 'up' and current_high < target) or (direction = 'down' and current_low > target) then 'missed'
            else 'undecided'
        end as status,
        {{ kpi_stamp() }}
    from compared
    cross join {{ source('process', 'run') }} as run
)

select * from final
