{{ config(materialized='view', tags=['after_analysis']) }}

{# The newest complete weeks and months of every KPI, from the table that its declaration names. A view of what is published: the tables
   have it all, only not under one name. #}
{% set tables = {
    'kpi_crm_completeness': ref('kpi_crm_completeness'),
    'kpi_forecast_accuracy': ref('kpi_forecast_accuracy'),
    'kpi_overall_conversion': ref('kpi_overall_conversion'),
    'kpi_sales_cycle': ref('kpi_sales_cycle'),
    'kpi_satisfaction': ref('kpi_satisfaction'),
    'kpi_speed_to_lead': ref('kpi_speed_to_lead'),
    'kpi_stage_conversion': ref('kpi_stage_conversion'),
    'kpi_value': ref('kpi_value'),
    'kpi_volume': ref('kpi_volume'),
    'kpi_win_loss': ref('kpi_win_loss')
} %}
{% set neighbours = "(from_stage, to_stage) in (select from_stage, to_stage from " ~ ref('fct_stage_conversion') ~ " where is_next_stage)" %}
{% set selects = [] %}
{% for kpi, declared in kpi_declarations().items() %}
    {% set mart = declared.mart or {'table': 'kpi_value', 'value': 'value', 'n': 'n', 'low': 'low', 'high': 'high', 'where': "kpi = '" ~ kpi ~ "'"} %}
    {% if mart.table not in tables %}
        {{ exceptions.raise_compiler_error("kpi_trend does not list '" ~ mart.table ~ "', the table of the KPI " ~ kpi) }}
    {% endif %}
    {% set conditions = [mart.where] if mart.where else [] %}
    {% if declared.pairs == 'next' %}
        {% do conditions.append(neighbours) %}
    {% endif %}
    {% set select %}
    select
        '{{ kpi }}' as kpi, period_grain, period_start_date, segment_type, segment,
        {{ 'from_stage, to_stage' if declared.pairs else 'cast(null as varchar) as from_stage, cast(null as varchar) as to_stage' }},
        cast({{ mart.value }} as double) as value, cast({{ mart.n or 'null' }} as bigint) as n,
        cast({{ mart.low or 'null' }} as double) as low, cast({{ mart.high or 'null' }} as double) as high,
        definition_version, as_of
    from {{ tables[mart.table] }}
    where period_grain in ('week', 'month'){{ ' and ' ~ conditions | join(' and ') if conditions }}
    {% endset %}
    {% do selects.append(select) %}
{% endfor %}

with periods as (
    {% if selects %}
    {{ selects | join('union all') }}
    {% else %}
    {# dbt only parses #}
    select
        cast(null as varchar) as kpi, cast(null as varchar) as period_grain, cast(null as date) as period_start_date, cast(null as varchar) as segment_type,
        cast(null as varchar) as segment, cast(null as varchar) as from_stage, cast(null as varchar) as to_stage, cast(null as double) as value,
        cast(null as bigint) as n, cast(null as double) as low, cast(null as double) as high, cast(null as integer) as definition_version,
        cast(null as timestamp) as as_of
    where false
    {% endif %}
),

final as (
    select
        periods.kpi,
        periods.period_grain,
        periods.period_start_date,
        periods.segment_type,
        periods.segment,
        periods.from_stage,
        periods.to_stage,
        periods.value,
        periods.n,
        periods.low,
        periods.high,
        coalesce({{ is_low_n('periods.n') }}, false) as is_low_n,
        periods.definition_version,
        periods.as_of
    from periods
    cross join {{ source('process', 'run') }} as run
    where case periods.period_grain
        when 'week' then periods.period_start_date between {{ period_start('week', 'run.as_of_date') }} - 91 and {{ period_start('week', 'run.as_of_date') }} - 7
        else periods.period_start_date >= {{ period_start('month', 'run.as_of_date') }} - interval 13 month and periods.period_start_date < {{ period_start('month', 'run.as_of_date') }}
    end
)

select * from final
