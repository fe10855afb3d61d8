{% set values %}
    count(*) as n,
    {{ count_where('is_filled') }} as filled,
    max(weight) as weight
{% endset %}

with cells as (
    select * from {{ ref('fct_field_completeness') }}
),

rolled as (
    {{ kpi_rollup('cells', 'created_date', values, keys=['object', 'stage', 'field']) }}
),

final as (
    select
        rolled.period_grain,
        rolled.period_start_date,
        rolled.segment_type,
        rolled.segment,
        rolled.object,
        rolled.stage,
        rolled.field,
        rolled.n,
        rolled.filled,
        {{ ratio_of('rolled.filled', 'rolled.n') }} as completeness,
        {{ wilson_low('rolled.filled', 'rolled.n') }} as low,
        {{ wilson_high('rolled.filled', 'rolled.n') }} as high,
        cast(rolled.weight as double) as weight,
        {{ is_low_n('rolled.n') }} as is_low_n,
        {{ kpi_stamp() }}
    from rolled
    cross join {{ source('process', 'run') }} as run
)

select * from final
