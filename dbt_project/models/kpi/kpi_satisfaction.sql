{% set values %}
    {{ kpi_sums('survey_responses') }},
    {{ kpi_sums('nps') }},
    {{ kpi_sums('csat') }}
{% endset %}

with responses as (
    select * from {{ ref('fct_survey_response') }}
),

rolled as (
    {{ kpi_rollup('responses', 'submitted_date', values) }}
),

final as (
    select
        rolled.period_grain,
        rolled.period_start_date,
        rolled.segment_type,
        rolled.segment,
        {{ kpi_estimate('survey_responses', 'value') }} as responses,
        {{ kpi_estimate('nps', 'n') }} as nps_n,
        {{ kpi_estimate('nps', 'value') }} as nps,
        {{ kpi_estimate('nps', 'low') }} as nps_low,
        {{ kpi_estimate('nps', 'high') }} as nps_high,
        {{ is_low_n(kpi_estimate('nps', 'n')) }} as is_low_nps_n,
        {{ kpi_estimate('csat', 'n') }} as csat_n,
        {{ kpi_estimate('csat', 'numerator') }} as satisfied,
        {{ kpi_estimate('csat', 'value') }} as csat,
        {{ kpi_estimate('csat', 'low') }} as csat_low,
        {{ kpi_estimate('csat', 'high') }} as csat_high,
        {{ is_low_n(kpi_estimate('csat', 'n')) }} as is_low_n,
        {{ kpi_stamp() }}
    from rolled
    cross join {{ source('process', 'run') }} as run
)

select * from final
