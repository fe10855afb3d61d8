{{ config(tags=['after_analysis']) }}

{% set values %}
    count(*) as n,
    {% for kpi in ['forecast_wape', 'forecast_bias', 'forecast_accuracy', 'forecast_coverage_rate'] -%}
    {{ kpi_sums(kpi, is_of_default=false) }},
    {% endfor -%}
    sum(case when naive_amount is not null then abs(forecast_amount - actual_amount) end) as shared_error_amount,
    sum(abs(naive_amount - actual_amount)) as naive_error_amount
{% endset %}

with over_locks as (
    select * from {{ ref('fct_forecast') }} where actual_amount is not null
),

naive_locks as (
    select lock_date, period_start_date, level, segment, forecast_amount as naive_amount
    from over_locks
    where method = 'seasonal_naive'
),

locks as (
    select over_locks.*, naive_locks.naive_amount
    from over_locks
    left join naive_locks
        on over_locks.lock_date = naive_locks.lock_date
        and over_locks.period_start_date = naive_locks.period_start_date
        and over_locks.level = naive_locks.level
        and over_locks.segment is not distinct from naive_locks.segment
),

bucketed_locks as (
    select *, horizon_bucket as bucket from locks
    union all
    select *, 'all' as bucket from locks
),

rolled as (
    {{ kpi_rollup(
        'bucketed_locks', 'period_start_date', values,
        keys=['method', 'level', 'bucket'], grains=['year', 'quarter', 'month'], segments=['branch', 'rep', 'service_line']
    ) }}
),

final as (
    select
        rolled.period_grain,
        rolled.period_start_date,
        rolled.segment_type,
        rolled.segment,
        rolled.method,
        rolled.level,
        rolled.bucket as horizon_bucket,
        rolled.n,
        {{ kpi_estimate('forecast_wape', 'value') }} as wape,
        {{ kpi_estimate('forecast_bias', 'value') }} as bias,
        {{ kpi_estimate('forecast_accuracy', 'value') }} as accuracy,
        1 - {{ ratio_of('rolled.shared_error_amount', 'rolled.naive_error_amount') }} as skill,
        cast(coalesce({{ kpi_estimate('forecast_coverage_rate', 'numerator') }}, 0) as bigint) as covered,
        {{ kpi_estimate('forecast_coverage_rate', 'n') }} as with_interval,
        {{ kpi_estimate('forecast_coverage_rate', 'value') }} as coverage_rate,
        {{ is_low_n('rolled.n') }} as is_low_n,
        {{ kpi_stamp() }}
    from rolled
    cross join {{ source('process', 'run') }} as run
    {# A lock has the segment of its own level only; `total` of a level pools its segments. #}
    where rolled.segment_type in ('total', rolled.level)
)

select * from final
