{# The declarations of the KPIs (config.meta in models/semantic/metrics.yml) as SQL. What a kind of KPI is, is said once, here: which columns are summed up of its
   observations (kpi_sums), and what the estimate is and its interval (kpi_estimate_of). The formulas are in statistics.sql, periods and segments in kpi_rollup.sql.

   An observation of a KPI is a row of its fact with a y, and an x where the kind has a denominator; one whose y or x is null is none.
   kind       y                     x             estimate                                       interval
   count      1                     -             how many                                       -
   sum        value, null is 0      -             sum of y                                       -
   share      numerator, 1 or 0     -             sum of y / how many                            Wilson
   odds       numerator, 1 or 0     -             sum of y / (how many - sum of y)               Wilson's, as odds
   mean       value                 -             mean of y                                      normal approximation
   points     value                 -             mean of y                                      the same, within -100 and 100
   median     value                 -             median of y                                    order statistic
   p90        value                 -             90th percentile of y                           -
   weighted   numerator             denominator   sum of y / sum of x                            ratio estimator
   quotient   numerator             denominator   sum of y / sum of x                            -
   per        one KPI (a count) per another       how many of the first / how many of the other  -   #}
{% macro kpi_kinds() %}
    {{ return(['count', 'sum', 'share', 'odds', 'mean', 'points', 'median', 'p90', 'weighted', 'quotient', 'per']) }}
{% endmacro %}

{# The facts that a declaration can name. dbt must know them when it parses, and reads the declarations only when it compiles: so they are listed. #}
{% macro kpi_facts() %}
    {{ return({
        'fct_activity': ref('fct_activity'),
        'fct_call': ref('fct_call'),
        'fct_closed_deal': ref('fct_closed_deal'),
        'fct_deal': ref('fct_deal'),
        'fct_follow_up': ref('fct_follow_up'),
        'fct_forecast': ref('fct_forecast'),
        'fct_job_chain': ref('fct_job_chain'),
        'fct_lead': ref('fct_lead'),
        'fct_open_case': ref('fct_open_case'),
        'fct_payment': ref('fct_payment'),
        'fct_pipeline_event': ref('fct_pipeline_event'),
        'fct_qualification': ref('fct_qualification'),
        'fct_record_completeness': ref('fct_record_completeness'),
        'fct_speed_to_lead': ref('fct_speed_to_lead'),
        'fct_stage_conversion': ref('fct_stage_conversion'),
        'fct_survey_response': ref('fct_survey_response'),
        'fct_web_session': ref('fct_web_session')
    }) }}
{% endmacro %}

{# Name -> declaration, by name; nothing while dbt parses, and in dbt's unit tests, whose graph has no metrics. #}
{% macro kpi_declarations() %}
    {% set found = {} %}
    {% if execute and graph.metrics %}
        {% for metric in graph.metrics.values() | sort(attribute='name') if metric.config.meta.kind %}
            {% do found.update({metric.name: metric.config.meta}) %}
        {% endfor %}
    {% endif %}
    {{ return(found) }}
{% endmacro %}

{# The declaration of ``kpi``. While dbt parses, what is read of it is nothing. #}
{% macro kpi_declared(kpi) %}
    {% if not execute %}{{ return({}) }}{% endif %}
    {% set found = kpi_declarations().get(kpi) %}
    {% if not found %}
        {{ exceptions.raise_compiler_error("models/semantic/metrics.yml declares no KPI '" ~ kpi ~ "'") }}
    {% endif %}
    {{ return(found) }}
{% endmacro %}

{% macro kpi_fact(declared) %}
    {% set facts = kpi_facts() %}
    {% if declared.fact not in facts %}
        {{ exceptions.raise_compiler_error("a KPI is declared of the fact '" ~ declared.fact ~ "', which kpi_facts() in macros/kpis.sql does not list") }}
    {% endif %}
    {{ return(facts[declared.fact]) }}
{% endmacro %}

{# y of an observation. #}
{% macro kpi_y(declared) -%}
    {%- if declared.kind == 'count' -%} 1
    {%- elif declared.kind == 'sum' -%} coalesce({{ declared.value }}, 0)
    {%- elif declared.kind in ('share', 'odds') -%} {{ flag(declared.numerator) }}
    {%- else -%} {{ declared.value or declared.numerator }}
    {%- endif -%}
{%- endmacro %}

{# x of an observation; 1 where the kind has none. #}
{% macro kpi_x(declared) -%}
    {{ declared.denominator if declared.kind in ('weighted', 'quotient') else '1' }}
{%- endmacro %}

{# Which rows of the fact the declaration is about, as a condition. The level of a lock is left to whoever asks: it is the segment's. #}
{% macro kpi_where(declared) -%}
    {%- set conditions = ['(' ~ declared.where ~ ')'] if declared.where else [] -%}
    {%- for column, value in (declared.defaults or {}).items() if column != 'level' -%}
        {%- do conditions.append(column ~ " = '" ~ value ~ "'") -%}
    {%- endfor -%}
    {{ conditions | join(' and ') or 'true' }}
{%- endmacro %}

{# All observations of a KPI: kpi, its stages and level where it has them, on_date, y, x, segments. Of a KPI per another both are observed:
   (1, 0) each of the first, (0, 1) each of the other. #}
{% macro kpi_observations(kpi, declared) %}
    {%- if declared.kind == 'per' -%}
    {{ kpi_observed(kpi, kpi_declared(declared.numerator), '1', '0') }}
    union all
    {{ kpi_observed(kpi, kpi_declared(declared.denominator), '0', '1') }}
    {%- else -%}
    {{ kpi_observed(kpi, declared, kpi_y(declared), kpi_x(declared)) }}
    {%- endif -%}
{% endmacro %}

{% macro kpi_observed(kpi, declared, y, x) -%}
    select
        '{{ kpi }}' as kpi,
        {{ 'from_stage' if declared.pairs else 'cast(null as varchar)' }} as from_stage,
        {{ 'to_stage' if declared.pairs else 'cast(null as varchar)' }} as to_stage,
        {{ 'is_next_stage' if declared.pairs == 'next' else 'true' }} as is_asked_of_all,
        {{ 'level' if 'level' in (declared.defaults or {}) else 'cast(null as varchar)' }} as level,
        {{ declared.date }} as on_date,
        cast({{ y }} as double) as y,
        cast({{ x }} as double) as x,
        {{ kpi_segments() | join(', ') }}
    from {{ kpi_fact(declared) }}
    where {{ kpi_where(declared) }} and ({{ y }}) is not null and ({{ x }}) is not null
{%- endmacro %}

{# Aggregates over a relation that has the columns of the KPI's fact, named ``<name>_n`` (how many), ``<name>_y`` and so on: all that kpi_estimate needs.
   ``is_of_default``: of a KPI that has defaults only the rows that these name; else the dimensions that have one are keys of the relation. #}
{% macro kpi_sums(kpi, name=none, is_of_default=true) -%}
    {%- set declared = kpi_declared(kpi) -%}
    {%- set where = kpi_where(declared) if is_of_default else (declared.where or 'true') -%}
    {%- set y = kpi_y(declared) if where == 'true' else 'case when ' ~ where ~ ' then ' ~ kpi_y(declared) ~ ' end' -%}
    {{ kpi_sums_of(declared.kind, y, declared.denominator, name or kpi) }}
{%- endmacro %}

{% macro kpi_sums_of(kind, y, x, name) -%}
    {%- if kind in ('weighted', 'quotient', 'per') -%}
    {%- set both = '(' ~ y ~ ') is not null and (' ~ x ~ ') is not null' -%}
    {{ count_where(both) }} as {{ name }}_n,
    {{ ratio_sums(name, 'case when ' ~ both ~ ' then ' ~ y ~ ' end', 'case when ' ~ both ~ ' then ' ~ x ~ ' end') }}
    {%- else -%}
    count({{ y }}) as {{ name }}_n
    {%- if kind == 'share' or kind == 'odds' -%}, {{ count_where('(' ~ y ~ ') = 1') }} as {{ name }}_y
    {%- elif kind == 'sum' -%}, sum({{ y }}) as {{ name }}_y
    {%- elif kind in ('mean', 'points') -%}, avg({{ y }}) as {{ name }}_mean, stddev_samp({{ y }}) as {{ name }}_deviation
    {%- elif kind == 'median' -%}, {{ median_of(y) }} as {{ name }}_median, {{ sorted_values(y) }} as {{ name }}_sorted
    {%- elif kind == 'p90' -%}, {{ percentile_of(y, 0.9) }} as {{ name }}_p90
    {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{# ``part``: value, low, high, n or numerator, from the columns of kpi_sums. #}
{% macro kpi_estimate(kpi, part, name=none) -%}
    {{ kpi_estimate_of(kpi_declared(kpi).kind, part, name or 'rolled.' ~ kpi) }}
{%- endmacro %}

{% macro kpi_estimate_of(kind, part, name) -%}
    {%- set y, n, x = name ~ '_y', name ~ '_n', name ~ '_x' -%}
    {%- set sign = '-' if part == 'low' else '+' -%}
    {%- if part == 'n' -%}
        {{ 'cast(' ~ x ~ ' as bigint)' if kind == 'per' else n }}
    {%- elif part == 'numerator' -%} {{ 'cast(null as double)' if kind in ('count', 'mean', 'points', 'median', 'p90') else y }}
    {%- elif part == 'value' -%}
        {%- if kind == 'count' -%} {{ n }}
        {%- elif kind == 'sum' -%} {{ y }}
        {%- elif kind == 'share' -%} {{ ratio_of(y, n) }}
        {%- elif kind == 'odds' -%} {{ ratio_of(y, '(' ~ n ~ ' - ' ~ y ~ ')') }}
        {%- elif kind in ('mean', 'points') -%} {{ name }}_mean
        {%- elif kind == 'median' -%} {{ name }}_median
        {%- elif kind == 'p90' -%} {{ name }}_p90
        {%- else -%} {{ ratio_of(y, x) }}
        {%- endif -%}
    {%- elif kind == 'share' -%}
        {{ wilson_low(y, n) if part == 'low' else wilson_high(y, n) }}
    {%- elif kind == 'odds' -%}
        {#- without a value no interval: of wins alone nobody knows the odds #}
        case when {{ n }} > {{ y }} then {{ odds_of(wilson_low(y, n) if part == 'low' else wilson_high(y, n)) }} end
    {%- elif kind == 'mean' -%}
        {{ mean_bound(sign, name ~ '_mean', name ~ '_deviation', n) }}
    {%- elif kind == 'points' -%}
        case when {{ n }} > 1 then {{ 'greatest(-100.0, ' if part == 'low' else 'least(100.0, ' }}{{ mean_bound(sign, name ~ '_mean', name ~ '_deviation', n) }}) end
    {%- elif kind == 'median' -%}
        {{ median_low(name ~ '_sorted') if part == 'low' else median_high(name ~ '_sorted') }}
    {%- elif kind == 'weighted' -%}
        {{ ratio_bound(sign, name, n) }}
    {%- else -%}
        cast(null as double)
    {%- endif -%}
{%- endmacro %}
