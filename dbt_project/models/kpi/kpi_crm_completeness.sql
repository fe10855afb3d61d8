{% set values %}
    {{ kpi_sums('crm_completeness') }},
    {{ kpi_sums('crm_complete_record_rate') }},
    cast(sum(cells) as bigint) as cells,
    sum(valid_cells) as valid_cells,
    sum(checked_cells) as checked_cells,
    {{ count_where('is_unique') }} as unique_records,
    count(is_unique) as identified_records,
    {{ count_where('is_timely') }} as timely_records,
    count(is_timely) as limited_records
{% endset %}

with records as (
    select * from {{ ref('fct_record_completeness') }}
),

persons as (
    select 'lead' as object, lead_id as record_id, row_number() over (partition by person_key order by created_at, lead_id) = 1 as is_unique
    from {{ ref('fct_lead') }}
    where person_key is not null
),

last_activity_of_lead as (
    select lead_id, max(activities."at") as last_at
    from {{ ref('fct_activity') }} as activities
    where lead_id is not null and activities."at" <= (select as_of from {{ source('process', 'run') }})
    group by lead_id
),

last_activity_of_deal as (
    select deal_id, max(activities."at") as last_at
    from {{ ref('fct_activity') }} as activities
    where deal_id is not null and activities."at" <= (select as_of from {{ source('process', 'run') }})
    group by deal_id
),

{# The record of a case is its deal, else its lead. #}
current_visits as (
    select
        case when visits.deal_id is not null then 'deal' else 'lead' end as object,
        coalesce(visits.deal_id, visits.lead_id) as record_id,
        max(greatest(visits.entered_at, coalesce(of_lead.last_at, visits.entered_at), coalesce(of_deal.last_at, visits.entered_at))) as last_at,
        max(stages.days_in_stage) as days_in_stage
    from {{ ref('fct_stage_visit') }} as visits
    inner join {{ source('process', 'stages') }} as stages on visits.stage = stages.stage
    left join last_activity_of_lead as of_lead on visits.lead_id = of_lead.lead_id
    left join last_activity_of_deal as of_deal on visits.deal_id = of_deal.deal_id
    where visits.exit_kind is null and stages.kind = 'open' and stages.days_in_stage is not null
    group by 1, 2
),

scored as (
    select
        records.*,
        persons.is_unique,
        {{ seconds_between('current_visits.last_at', 'run.as_of') }} <= current_visits.days_in_stage * 86400 as is_timely
    from records
    left join persons on records.object = persons.object and records.record_id = persons.record_id
    left join current_visits on records.object = current_visits.object and records.record_id = current_visits.record_id
    cross join {{ source('process', 'run') }} as run
),

rolled as (
    {{ kpi_rollup('scored', 'created_date', values) }}
),

final as (
    select
        rolled.period_grain,
        rolled.period_start_date,
        rolled.segment_type,
        rolled.segment,
        {{ kpi_estimate('crm_completeness', 'n') }} as n,
        rolled.cells,
        {{ kpi_estimate('crm_completeness', 'value') }} as completeness,
        {{ kpi_estimate('crm_completeness', 'low') }} as completeness_low,
        {{ kpi_estimate('crm_completeness', 'high') }} as completeness_high,
        {{ kpi_estimate('crm_complete_record_rate', 'numerator') }} as complete_records,
        {{ kpi_estimate('crm_complete_record_rate', 'value') }} as complete_record_rate,
        {{ kpi_estimate('crm_complete_record_rate', 'low') }} as low,
        {{ kpi_estimate('crm_complete_record_rate', 'high') }} as high,
        {{ ratio_of('rolled.valid_cells', 'rolled.checked_cells') }} as validity_rate,
        {{ ratio_of('rolled.unique_records', 'rolled.identified_records') }} as uniqueness_rate,
        {{ ratio_of('rolled.timely_records', 'rolled.limited_records') }} as timeliness_rate,
        {{ is_low_n(kpi_estimate('crm_completeness', 'n')) }} as is_low_n,
        {{ kpi_stamp() }}
    from rolled
    cross join {{ source('process', 'run') }} as run
)

select * from final
