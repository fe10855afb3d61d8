{{ config(tags=['after_analysis']) }}

{# Every KPI that has no mart of its own, in one table: a declaration and its fact are all that one needs. #}
{%- do kpi_facts() -%}
{%- set found = [] -%}
{%- for kpi, declared in kpi_declarations().items() if not declared.mart -%}
    {%- do found.append(kpi) -%}
{%- endfor %}

with run as (
    select * from {{ source('process', 'run') }}
),

{% for kpi in found -%}
{%- set declared = kpi_declared(kpi) -%}
{{ kpi }}_observations as (
    {{ kpi_observations(kpi, declared) }}
),

{{ kpi }} as (
    {{ kpi_rollup(kpi ~ '_observations', 'on_date', kpi_sums_of(declared.kind, 'y', 'x', 'sums')) }}
),

{% endfor -%}

estimates as (
    {% if not found -%}
    {# none is declared, or dbt only parses #}
    select
        cast(null as varchar) as kpi, cast(null as varchar) as period_grain, cast(null as date) as period_start_date, cast(null as varchar) as segment_type,
        cast(null as varchar) as segment, cast(null as bigint) as n, cast(null as double) as numerator, cast(null as double) as value,
        cast(null as double) as low, cast(null as double) as high
    where false
    {%- endif %}
    {% for kpi in found -%}
    {%- set kind = kpi_declared(kpi).kind -%}
    select
        '{{ kpi }}' as kpi, period_grain, period_start_date, segment_type, segment,
        {{ kpi_estimate_of(kind, 'n', 'sums') }} as n,
        cast({{ kpi_estimate_of(kind, 'numerator', 'sums') }} as double) as numerator,
        cast({{ kpi_estimate_of(kind, 'value', 'sums') }} as double) as value,
        {{ kpi_estimate_of(kind, 'low', 'sums') }} as low,
        {{ kpi_estimate_of(kind, 'high', 'sums') }} as high
    from {{ kpi }}
    where sums_n > 0  -- a total of nothing is a row of the grouping sets too
    {{ '' if loop.last else 'union all' }}
    {% endfor %}
),

final as (
    select
        estimates.*,
        {{ is_low_n('estimates.n') }} as is_low_n,
        {{ kpi_stamp() }}
    from estimates
    cross join run
)

select * from final
