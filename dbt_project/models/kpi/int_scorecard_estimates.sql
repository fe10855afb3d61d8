{{ config(schema='intermediate', tags=['after_analysis']) }}

{# One row per target and window (current, baseline, every process version): the estimate with its interval. Every KPI is a list of
   observations (y, x) on dates; its kind says which statistic of them it is. #}
{% set kinds = {
    'speed_to_lead_median_minutes': ('median', 'minutes'),
    'speed_to_lead_p90_minutes': ('p90', 'minutes'),
    'speed_to_lead_within_5_minutes_rate': ('share', 'share'),
    'speed_to_lead_within_target_rate': ('share', 'share'),
    'speed_to_lead_never_contacted_rate': ('share', 'share'),
    'stage_conversion_rate': ('share', 'share'),
    'stage_pair_conversion_rate': ('share', 'share'),
    'overall_conversion_rate': ('share', 'share'),
    'period_conversion_rate': ('quotient', 'ratio'),
    'sales_cycle_days_mean': ('mean', 'days'),
    'sales_cycle_days_median': ('median', 'days'),
    'sales_cycle_days_p90': ('p90', 'days'),
    'win_rate': ('share', 'share'),
    'win_rate_by_amount': ('weighted', 'share'),
    'win_loss_ratio': ('odds', 'ratio'),
    'leads_created': ('sum', 'count'),
    'deals_created': ('sum', 'count'),
    'deals_won': ('sum', 'count'),
    'deals_lost': ('sum', 'count'),
    'won_amount': ('sum', 'amount'),
    'lost_amount': ('sum', 'amount'),
    'survey_responses': ('sum', 'count'),
    'forecast_wape': ('quotient', 'share'),
    'forecast_bias': ('quotient', 'share'),
    'forecast_accuracy': ('quotient', 'share'),
    'forecast_coverage_rate': ('quotient', 'share'),
    'crm_completeness': ('weighted', 'share'),
    'crm_complete_record_rate': ('share', 'share'),
    'nps': ('points', 'points'),
    'csat': ('share', 'share')
} %}
{% set segments = kpi_segments() | join(', ') %}

with run as (
    select as_of_date, {{ period_start('week', 'as_of_date') }} as this_monday
    from {{ source('process', 'run') }}
),

newest_version as (
    select max(versions.effective_from) as effective_from
    from {{ source('process', 'versions') }} as versions
    cross join run
    where versions.effective_from <= run.as_of_date
),

data_begin as (
    select min(created_date) as first_date
    from (
        select created_date from {{ ref('fct_lead') }}
        union all
        select created_date from {{ ref('fct_deal') }}
    ) as created
),

spans as (
    select
        run.as_of_date,
        run.this_monday - 91 as current_start_date,
        coalesce(data_begin.first_date <= run.this_monday - 91 - 364, false) as is_season_matched,
        {{ period_start('week', 'newest_version.effective_from') }} as change_monday
    from run
    cross join newest_version
    cross join data_begin
),

windows as (
    select 'current' as window_id, current_start_date as start_date, current_start_date + 90 as end_date, is_season_matched
    from spans
    union all
    select
        'baseline',
        case when is_season_matched then current_start_date - 364 else change_monday - 91 end,
        case when is_season_matched then current_start_date - 364 + 90 else change_monday - 1 end,
        is_season_matched
    from spans
    union all
    select
        'version:' || versions.process_version,
        versions.effective_from,
        least(coalesce(versions.effective_to - 1, spans.as_of_date), spans.as_of_date),
        spans.is_season_matched
    from {{ source('process', 'versions') }} as versions
    cross join spans
),

kinds as (
    {% for kpi, kind in kinds.items() -%}
    select '{{ kpi }}' as kpi, '{{ kind[0] }}' as kind, '{{ kind[1] }}' as unit{{ '' if loop.last else ' union all' }}
    {% endfor -%}
),

effective_targets as (
    select
        targets.*,
        coalesce(targets.segment_type, 'total') as of_segment_type,
        coalesce(targets.segment, 'total') as of_segment,
        row_number() over (
            partition by targets.kpi, targets.from_stage, targets.to_stage, coalesce(targets.segment_type, 'total'), coalesce(targets.segment, 'total')
            order by targets.effective_from desc nulls last
        ) as newness
    from {{ source('process', 'targets') }} as targets
    cross join run
    where targets.effective_from is null or targets.effective_from <= run.as_of_date
),

wanted as (
    select
        effective_targets.kpi, effective_targets.from_stage, effective_targets.to_stage,
        effective_targets.of_segment_type as segment_type, effective_targets.of_segment as segment,
        effective_targets.before_value, effective_targets.target_value, effective_targets.direction,
        kinds.kind, kinds.unit
    from effective_targets
    left join kinds on effective_targets.kpi = kinds.kpi
    where effective_targets.newness = 1
),

completeness_records as (
    select
        object, record_id, created_date,
        {% for segment in kpi_segments() -%}
        max({{ segment }}) as {{ segment }},
        {% endfor -%}
        sum(weight) as weight,
        sum(filled_weight) as filled_weight,
        min(case when is_filled then 1 else 0 end) as is_complete
    from {{ ref('fct_field_completeness') }}
    group by object, record_id, created_date
),

{% set own_stage = 'cast(null as varchar) as from_stage, cast(null as varchar) as to_stage, true as is_next_stage, cast(null as varchar) as level' %}
observations as (
    {% for kpi, y, x, date_column, relation, condition in [
        ('speed_to_lead_median_minutes', 'minutes', '1', 'created_date', ref('fct_speed_to_lead'), 'minutes is not null'),
        ('speed_to_lead_p90_minutes', 'minutes', '1', 'created_date', ref('fct_speed_to_lead'), 'minutes is not null'),
        ('speed_to_lead_within_5_minutes_rate', flag('is_within_5_minutes'), '1', 'created_date', ref('fct_speed_to_lead'), 'is_within_5_minutes is not null'),
        ('speed_to_lead_within_target_rate', flag('is_within_target'), '1', 'created_date', ref('fct_speed_to_lead'), 'is_within_target is not null'),
        ('speed_to_lead_never_contacted_rate', flag('not is_contacted'), '1', 'created_date', ref('fct_speed_to_lead'), 'true'),
        ('overall_conversion_rate', flag('is_won'), '1', 'created_date', ref('fct_lead'), 'true'),
        ('period_conversion_rate', '0', '1', 'created_date', ref('fct_lead'), 'true'),
        ('period_conversion_rate', '1', '0', 'closed_date', ref('fct_closed_deal'), 'is_won'),
        ('sales_cycle_days_mean', 'cycle_days', '1', 'closed_date', ref('fct_closed_deal'), 'is_won and not is_negative_cycle and cycle_days is not null'),
        ('sales_cycle_days_median', 'cycle_days', '1', 'closed_date', ref('fct_closed_deal'), 'is_won and not is_negative_cycle and cycle_days is not null'),
        ('sales_cycle_days_p90', 'cycle_days', '1', 'closed_date', ref('fct_closed_deal'), 'is_won and not is_negative_cycle and cycle_days is not null'),
        ('win_rate', flag('is_won'), '1', 'closed_date', ref('fct_closed_deal'), 'true'),
        ('win_rate_by_amount', 'case when is_won then amount else 0 end', 'amount', 'closed_date', ref('fct_closed_deal'), 'amount is not null'),
        ('win_loss_ratio', flag('is_won'), '1', 'closed_date', ref('fct_closed_deal'), 'true'),
        ('leads_created', '1', '1', 'created_date', ref('fct_lead'), 'true'),
        ('deals_created', '1', '1', 'created_date', ref('fct_deal'), 'true'),
        ('deals_won', '1', '1', 'closed_date', ref('fct_closed_deal'), 'is_won'),
        ('deals_lost', '1', '1', 'closed_date', ref('fct_closed_deal'), 'is_lost'),
        ('won_amount', 'coalesce(amount, 0)', '1', 'closed_date', ref('fct_closed_deal'), 'is_won'),
        ('lost_amount', 'coalesce(amount, 0)', '1', 'closed_date', ref('fct_closed_deal'), 'is_lost'),
        ('survey_responses', '1', '1', 'submitted_date', ref('fct_survey_response'), 'true'),
        ('nps', 'nps_points', '1', 'submitted_date', ref('fct_survey_response'), 'nps_points is not null'),
        ('csat', flag('is_satisfied'), '1', 'submitted_date', ref('fct_survey_response'), 'is_satisfied is not null'),
        ('crm_completeness', 'filled_weight', 'weight', 'created_date', 'completeness_records', 'true'),
        ('crm_complete_record_rate', 'is_complete', '1', 'created_date', 'completeness_records', 'true')
    ] -%}
    select
        '{{ kpi }}' as kpi, {{ own_stage }}, {{ date_column }} as on_date,
        cast({{ y }} as double) as y, cast({{ x }} as double) as x, {{ segments }}
    from {{ relation }}
    where {{ condition }}
    union all
    {% endfor -%}
    {% for kpi in ['stage_conversion_rate', 'stage_pair_conversion_rate'] -%}
    select
        '{{ kpi }}', from_stage, to_stage, is_next_stage or {{ 'true' if loop.last else 'false' }}, null, entered_date,
        cast({{ flag('is_reached') }} as double), 1.0, {{ segments }}
    from {{ ref('fct_stage_conversion') }}
    union all
    {% endfor -%}
    {% for kpi, y, x, condition in [
        ('forecast_wape', 'abs(forecast_amount - actual_amount)', 'abs(actual_amount)', 'actual_amount is not null'),
        ('forecast_bias', 'forecast_amount - actual_amount', 'actual_amount', 'actual_amount is not null'),
        ('forecast_accuracy', 'abs(actual_amount) - abs(forecast_amount - actual_amount)', 'abs(actual_amount)', 'actual_amount is not null'),
        ('forecast_coverage_rate', flag('is_covered'), '1', 'is_covered is not null')
    ] -%}
    select
        '{{ kpi }}', null, null, true, level, period_start_date,
        cast({{ y }} as double), cast({{ x }} as double), {{ segments }}
    from {{ ref('fct_forecast') }}
    where method = 'stage_age_pipeline' and {{ condition }}
    {{ '' if loop.last else 'union all' }}
    {% endfor -%}
),

matched as (
    select windows.window_id, wanted.kpi, wanted.kind, wanted.from_stage, wanted.to_stage, wanted.segment_type, wanted.segment, observations.y, observations.x
    from wanted
    inner join observations
        on wanted.kpi = observations.kpi
        and (wanted.from_stage is null or wanted.from_stage = observations.from_stage)
        and (wanted.to_stage is null or wanted.to_stage = observations.to_stage)
        {# a pair that the target names counts, neighbours or not #}
        and (observations.is_next_stage or wanted.to_stage is not null)
        and (observations.level is null or observations.level = wanted.segment_type)
        and case wanted.segment_type
            when 'total' then true
            {% for segment in kpi_segments() -%}
            when '{{ segment }}' then coalesce(observations.{{ segment }}, '(none)') = wanted.segment
            {% endfor -%}
            else false
        end
    inner join windows on observations.on_date between windows.start_date and windows.end_date
),

aggregated as (
    select
        window_id, kpi, kind, from_stage, to_stage, segment_type, segment,
        count(*) as observations,
        sum(y) as total,
        avg(y) as mean_y,
        stddev_samp(y) as deviation,
        {{ median_of("case when kind = 'median' then y end") }} as median_y,
        {{ percentile_of("case when kind = 'p90' then y end", 0.9) }} as p90_y,
        {{ sorted_values("case when kind = 'median' then y end") }} as sorted_y,
        {{ ratio_sums('weights', 'y', 'x') }}
    from matched
    group by window_id, kpi, kind, from_stage, to_stage, segment_type, segment
),

estimates as (
    select
        *,
        case when kpi = 'period_conversion_rate' then cast(weights_x as bigint) else observations end as n,
        case kind
            when 'median' then median_y
            when 'p90' then p90_y
            when 'sum' then total
            when 'odds' then {{ ratio_of('total', '(observations - total)') }}
            when 'weighted' then {{ ratio_of('total', 'weights_x') }}
            when 'quotient' then {{ ratio_of('total', 'weights_x') }}
            else mean_y
        end as value,
        case kind
            when 'median' then {{ median_low('sorted_y') }}
            when 'share' then {{ wilson_low('total', 'observations') }}
            when 'odds' then {{ odds_of(wilson_low('total', 'observations')) }}
            when 'weighted' then {{ ratio_bound('-', 'weights', 'observations') }}
            when 'mean' then {{ mean_bound('-', 'mean_y', 'deviation', 'observations') }}
            when 'points' then case when observations > 1
                then greatest(-100.0, {{ mean_bound('-', 'mean_y', 'deviation', 'observations') }}) end
        end as low,
        case kind
            when 'median' then {{ median_high('sorted_y') }}
            when 'share' then {{ wilson_high('total', 'observations') }}
            when 'odds' then {{ odds_of(wilson_high('total', 'observations')) }}
            when 'weighted' then {{ ratio_bound('+', 'weights', 'observations') }}
            when 'mean' then {{ mean_bound('+', 'mean_y', 'deviation', 'observations') }}
            when 'points' then case when observations > 1
                then least(100.0, {{ mean_bound('+', 'mean_y', 'deviation', 'observations') }}) end
        end as high
    from aggregated
),

final as (
    select
        wanted.kpi,
        wanted.from_stage,
        wanted.to_stage,
        wanted.segment_type,
        wanted.segment,
        wanted.unit,
        wanted.direction,
        wanted.before_value,
        wanted.target_value,
        windows.window_id,
        windows.start_date,
        windows.end_date,
        windows.is_season_matched,
        case when wanted.kind = 'sum' then coalesce(estimates.value, 0) else estimates.value end as value,
        estimates.low,
        estimates.high,
        coalesce(estimates.n, 0) as n
    from wanted
    cross join windows
    left join estimates
        on windows.window_id = estimates.window_id
        and wanted.kpi = estimates.kpi
        and wanted.from_stage is not distinct from estimates.from_stage
        and wanted.to_stage is not distinct from estimates.to_stage
        and wanted.segment_type = estimates.segment_type
        and wanted.segment = estimates.segment
)

select * from final
