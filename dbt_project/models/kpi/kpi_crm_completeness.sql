{% set values %}
    count(*) as n,
    cast(sum(cells) as bigint) as cells,
    {{ ratio_sums('weights', 'filled_weight', 'weight') }},
    {{ count_where('is_complete') }} as complete_records,
    sum(valid_cells) as valid_cells,
    sum(checked_cells) as checked_cells,
    {{ count_where('is_unique') }} as unique_records,
    count(is_unique) as identified_records,
    {{ count_where('is_timely') }} as timely_records,
    count(is_timely) as limited_records
{% endset %}

with records as (
    select
        object,
        record_id,
        created_date,
        {% for segment in kpi_segments() -%}
        max({{ segment }}) as {{ segment }},
        {% endfor -%}
        count(*) as cells,
        sum(weight) as weight,
        sum(filled_weight) as filled_weight,
        min(case when is_filled then 1 else 0 end) = 1 as is_complete,
        {{ count_where('is_valid') }} as valid_cells,
        count(is_valid) as checked_cells
    from {{ ref('fct_field_completeness') }}
    group by object, record_id, created_date
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
        rolled.n,
        rolled.cells,
        {{ ratio_of('rolled.weights_y', 'rolled.weights_x') }} as completeness,
        {{ ratio_bound('-', 'weights', 'rolled.n') }} as completeness_low,
        {{ ratio_bound('+', 'weights', 'rolled.n') }} as completeness_high,
        rolled.complete_records,
        {{ ratio_of('rolled.complete_records', 'rolled.n') }} as complete_record_rate,
        {{ wilson_low('rolled.complete_records', 'rolled.n') }} as low,
        {{ wilson_high('rolled.complete_records', 'rolled.n') }} as high,
        {{ ratio_of('rolled.valid_cells', 'rolled.checked_cells') }} as validity_rate,
        {{ ratio_of('rolled.unique_records', 'rolled.identified_records') }} as uniqueness_rate,
        {{ ratio_of('rolled.timely_records', 'rolled.limited_records') }} as timeliness_rate,
        {{ is_low_n('rolled.n') }} as is_low_n,
        {{ kpi_stamp() }}
    from rolled
    cross join {{ source('process', 'run') }} as run
)

select * from final
