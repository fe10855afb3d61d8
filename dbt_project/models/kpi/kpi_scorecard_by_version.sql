{{ config(tags=['after_analysis']) }}

with estimates as (
    select * from {{ ref('stat_scorecard_estimates') }}
),

final as (
    select
        estimates.kpi,
        estimates.from_stage,
        estimates.to_stage,
        estimates.segment_type,
        estimates.segment,
        versions.process_version,
        estimates.unit,
        estimates.start_date,
        estimates.end_date,
        estimates.value,
        estimates.low,
        estimates.high,
        estimates.n,
        {{ is_low_n('estimates.n') }} as is_low_n,
        {{ kpi_stamp() }}
    from estimates
    inner join {{ source('process', 'versions') }} as versions on estimates.window_id = 'version:' || versions.process_version
    cross join {{ source('process', 'run') }} as run
)

select * from final
