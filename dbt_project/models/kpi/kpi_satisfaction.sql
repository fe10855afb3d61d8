{% set values %}
    count(nps_points) as nps_n,
    avg(nps_points) as nps,
    stddev_samp(nps_points) as nps_deviation,
    count(is_satisfied) as csat_n,
    {{ count_where('is_satisfied') }} as satisfied
{% endset %}

with responses as (
    select * from {{ ref('fct_survey_response') }}
),

rolled as (
    {{ kpi_rollup('responses', 'submitted_date', values ~ ', count(*) as responses') }}
),

final as (
    select
        rolled.period_grain,
        rolled.period_start_date,
        rolled.segment_type,
        rolled.segment,
        rolled.responses,
        rolled.nps_n,
        rolled.nps,
        case when rolled.nps_n > 1
            then greatest(-100.0, {{ mean_bound('-', 'rolled.nps', 'rolled.nps_deviation', 'rolled.nps_n') }}) end as nps_low,
        case when rolled.nps_n > 1
            then least(100.0, {{ mean_bound('+', 'rolled.nps', 'rolled.nps_deviation', 'rolled.nps_n') }}) end as nps_high,
        {{ is_low_n('rolled.nps_n') }} as is_low_nps_n,
        rolled.csat_n,
        rolled.satisfied,
        {{ ratio_of('rolled.satisfied', 'rolled.csat_n') }} as csat,
        {{ wilson_low('rolled.satisfied', 'rolled.csat_n') }} as csat_low,
        {{ wilson_high('rolled.satisfied', 'rolled.csat_n') }} as csat_high,
        {{ is_low_n('rolled.csat_n') }} as is_low_n,
        {{ kpi_stamp() }}
    from rolled
    cross join {{ source('process', 'run') }} as run
)

select * from final
