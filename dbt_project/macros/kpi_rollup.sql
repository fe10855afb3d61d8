{# The long format of the KPI marts: one row per period, segment and further keys, by grouping sets over the facts, so that no row is
   copied once per period and segment. Statistics are in statistics.sql. #}

{% macro kpi_segments() %}
    {{ return(['branch', 'rep', 'team', 'channel', 'campaign', 'service_line', 'job_type', 'customer_type', 'process_version', 'pipeline']) }}
{% endmacro %}

{% macro kpi_grains() %}
    {{ return(['year', 'quarter', 'month', 'week']) }}
{% endmacro %}

{# The first day of the period. Weeks begin on Monday, years in January, where process.yml does not say otherwise: then the day is moved to where
   the calendar's own week or year begins, and its beginning moved back. #}
{% macro period_start(grain, date_column) -%}
    {%- set days = (8 - var('week_starts_on')) % 7 -%}
    {%- set months = (var('fiscal_year_starts_in') - 1) -%}
    {%- if grain == 'week' and days -%}
    cast(cast(date_trunc('week', cast({{ date_column }} as date) + {{ days }}) as date) - {{ days }} as date)
    {%- elif grain in ('quarter', 'year') and months -%}
    cast(date_trunc('{{ grain }}', cast({{ date_column }} as date) - interval {{ months }} month) + interval {{ months }} month as date)
    {%- else -%}
    cast(date_trunc('{{ grain }}', {{ date_column }}) as date)
    {%- endif -%}
{%- endmacro %}

{# Key columns of a mart that kpi_rollup made. #}
{% macro kpi_key_columns(keys=[], dated=true) %}
    {{ return((['period_grain', 'period_start_date'] if dated else []) + ['segment_type', 'segment'] + keys) }}
{% endmacro %}

{# ``values``: aggregates with their names. ``keys``: columns of ``relation`` that are part of the grain. ``date_column`` none: no periods.
   Rows without a date are in the period `all` only. A null segment is `(none)`. #}
{% macro kpi_rollup(relation, date_column, values, keys=[], where=none, grains=none, segments=none) %}
    {%- set grains = ((kpi_grains() if grains is none else grains) if date_column else []) -%}
    {%- set segments = kpi_segments() if segments is none else segments -%}
    select
        {%- if date_column %}
        case
            {%- for grain in grains %}
            when grouping(period_{{ grain }}) = 0 then '{{ grain }}'
            {%- endfor %}
            else 'all'
        end as period_grain,
        coalesce(
            {%- for grain in grains %}period_{{ grain }}, {% endfor -%}
            cast(null as date)
        ) as period_start_date,
        {%- endif %}
        case
            {%- for segment in segments %}
            when grouping(segment_{{ segment }}) = 0 then '{{ segment }}'
            {%- endfor %}
            else 'total'
        end as segment_type,
        coalesce({% for segment in segments %}segment_{{ segment }}, {% endfor %}'total') as segment,
        {%- for key in keys %}
        {{ key }},
        {%- endfor %}
        {{ values }}
    from (
        select
            *,
            {%- for grain in grains %}
            {{ period_start(grain, date_column) }} as period_{{ grain }},
            {%- endfor %}
            {%- for segment in segments %}
            coalesce({{ segment }}, '(none)') as segment_{{ segment }}{{ '' if loop.last else ',' }}
            {%- endfor %}
        from {{ relation }}
        {%- if where %}
        where {{ where }}
        {%- endif %}
    ) as base
    {%- set grouping_sets = [] -%}
    {%- for period in [none] + grains -%}
    {%- for segment in [none] + segments -%}
    {%- do grouping_sets.append('(' ~ (keys + (['period_' ~ period] if period else []) + (['segment_' ~ segment] if segment else [])) | join(', ') ~ ')') -%}
    {%- endfor -%}
    {%- endfor %}
    group by grouping sets (
        {{ grouping_sets | join(',\n        ') }}
    )
    {%- if grains %}
    having
        {%- for grain in grains %}
        (grouping(period_{{ grain }}) = 1 or period_{{ grain }} is not null){{ '' if loop.last else ' and' }}
        {%- endfor %}
    {%- endif %}
{% endmacro %}

{% macro km_day_zero() %}(date '0001-01-01' - 1000){% endmacro %}

{# Kaplan-Meier median of ``time`` (``event``: boolean) for every group of kpi_rollup: the key columns and ``median_time``; rows without a
   time are left out. Every row takes part in all its groups at once and must be sorted in each, so groups are numbers here: of the period
   (grain * 10000000 + days since a day before the year 1) and of the segment. Equal times need no grouping: with events before censorings the factors
   1 - 1/r of d events telescope to 1 - d/r. The product is a sum of logarithms, hence the tolerance of docs/kpis.md. #}
{% macro kpi_km_median(relation, date_column, time, event, where=none) %}
    {%- set grains = ['all'] + kpi_grains() -%}
    with segment_names as (
        select segment_type, segment, row_number() over (order by segment_type, segment) as number
        from (
            {%- for segment in kpi_segments() %}
            select distinct '{{ segment }}' as segment_type, coalesce({{ segment }}, '(none)') as segment from {{ relation }}
            {{- '' if loop.last else ' union all' }}
            {%- endfor %}
        ) as names
    ),

    numbered as (
        select
            cast(base.{{ time }} as double) as time,
            case when base.{{ event }} then 1 else 0 end as is_event
            {%- for grain in kpi_grains() %},
            cast({{ period_start(grain, 'base.' ~ date_column) }} - {{ km_day_zero() }} as integer) as period_{{ grain }}
            {%- endfor %}
            {%- for segment in kpi_segments() %},
            of_{{ segment }}.number as number_{{ segment }}
            {%- endfor %}
        from {{ relation }} as base
        {%- for segment in kpi_segments() %}
        left join segment_names as of_{{ segment }}
            on of_{{ segment }}.segment_type = '{{ segment }}' and of_{{ segment }}.segment = coalesce(base.{{ segment }}, '(none)')
        {%- endfor %}
        where base.{{ time }} is not null
        {%- if where %} and {{ where }}{% endif %}
    ),

    grouped as (
        select
            numbered.time,
            numbered.is_event,
            case periods.number
                {%- for grain in grains %}
                when {{ loop.index0 }} then {{ '0' if loop.first else loop.index0 * 10000000 ~ ' + numbered.period_' ~ grain }}
                {%- endfor %}
            end as period_number,
            case segments.number
                when 0 then 0
                {%- for segment in kpi_segments() %}
                when {{ loop.index }} then numbered.number_{{ segment }}
                {%- endfor %}
            end as segment_number
        from numbered
        cross join (values {% for grain in grains %}({{ loop.index0 }}){{ '' if loop.last else ', ' }}{% endfor %}) as periods (number)
        cross join (values (0){% for segment in kpi_segments() %}, ({{ loop.index }}){% endfor %}) as segments (number)
    ),

    placed as (
        select
            *,
            row_number() over (partition by period_number, segment_number order by time, is_event desc) as place,
            count(*) over (partition by period_number, segment_number) as observed
        from grouped
        where period_number is not null
    ),

    curve as (
        select
            *,
            exp(sum(case when place = observed then -1000.0 else ln(1 - 1.0 / (observed - place + 1)) end) over (
                partition by period_number, segment_number order by place rows between unbounded preceding and current row
            )) as survival
        from placed
        where is_event = 1
    ),

    halves as (
        select period_number, segment_number, min(time) as median_time
        from curve
        where survival <= 0.5 + 1e-9
        group by period_number, segment_number
    ),

    medians as (
        select placed.period_number, placed.segment_number, halves.median_time
        from placed
        left join halves on placed.period_number = halves.period_number and placed.segment_number = halves.segment_number
        where placed.place = 1
    )

    select
        case cast(floor(medians.period_number / 10000000) as integer)
            {%- for grain in grains %}
            when {{ loop.index0 }} then '{{ grain }}'
            {%- endfor %}
        end as period_grain,
        case when medians.period_number >= 10000000 then {{ km_day_zero() }} + cast(medians.period_number % 10000000 as integer) end as period_start_date,
        coalesce(segment_names.segment_type, 'total') as segment_type,
        coalesce(segment_names.segment, 'total') as segment,
        medians.median_time
    from medians
    left join segment_names on medians.segment_number = segment_names.number
{% endmacro %}

{# Join condition of two relations with the same key columns; `all` has no period start. #}
{% macro kpi_same_group(left, right, keys=[], dated=true) -%}
    {%- for column in kpi_key_columns(keys, dated) -%}
    {{ left }}.{{ column }} {{ 'is not distinct from' if column == 'period_start_date' else '=' }} {{ right }}.{{ column }}{{ '' if loop.last else ' and ' }}
    {%- endfor -%}
{%- endmacro %}

{# The last two columns of every KPI mart; ``run`` is process.run. #}
{% macro kpi_stamp() -%}
    1 as definition_version,
    run.as_of
{%- endmacro %}
