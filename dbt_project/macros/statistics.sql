{# Estimators and their intervals; docs/kpis.md ("Denominators", "Statistics, exactly") is the source of every formula.
   Arguments are SQL expressions. z = 1.96. Nothing here knows a table: periods and segments are in kpi_rollup.sql. #}

{% macro z_value() %}1.96{% endmacro %}

{# Null instead of an error or 0 where the denominator is 0. #}
{% macro ratio_of(numerator, denominator) -%}
    cast({{ numerator }} as double) / nullif(cast({{ denominator }} as double), 0)
{%- endmacro %}

{% macro count_where(condition) -%}
    count(case when {{ condition }} then 1 end)
{%- endmacro %}

{# Linear interpolation (numpy's default); nulls are ignored. #}
{% macro percentile_of(value, share) -%}
    quantile_cont({{ value }}, {{ share }})
{%- endmacro %}

{% macro median_of(value) -%}
    {{ percentile_of(value, 0.5) }}
{%- endmacro %}

{# Aggregate: the values that are not null, ascending. Input of median_low and median_high. #}
{% macro sorted_values(value) -%}
    list_sort(list({{ value }}) filter (where {{ value }} is not null))
{%- endmacro %}

{# Order-statistic interval of the median: ranks floor(n/2 - 0.98 sqrt n) and ceil(1 + n/2 + 0.98 sqrt n), clamped to 1..n.
   Of fewer than six values even the smallest and the largest one hold the median in less than 95 % of cases: they have no interval. Subscripts begin at 1. #}
{% macro median_low(sorted) -%}
    case when len({{ sorted }}) >= 6 then
        {{ sorted }}[greatest(1, cast(floor(len({{ sorted }}) / 2.0 - 0.98 * sqrt(len({{ sorted }}))) as bigint))]
    end
{%- endmacro %}

{% macro median_high(sorted) -%}
    case when len({{ sorted }}) >= 6 then
        {{ sorted }}[least(len({{ sorted }}), cast(ceil(1 + len({{ sorted }}) / 2.0 + 0.98 * sqrt(len({{ sorted }}))) as bigint))]
    end
{%- endmacro %}

{# Wilson score interval of numerator / n. The ends are kept on their side of the share against rounding. #}
{% macro wilson_centre(numerator, n) -%}
    (({{ ratio_of(numerator, n) }}) + {{ z_value() }} * {{ z_value() }} / (2.0 * {{ n }})) / (1 + {{ z_value() }} * {{ z_value() }} / {{ n }})
{%- endmacro %}

{% macro wilson_half_width(numerator, n) -%}
    {{ z_value() }} / (1 + {{ z_value() }} * {{ z_value() }} / {{ n }}) * sqrt(
        ({{ ratio_of(numerator, n) }}) * (1 - ({{ ratio_of(numerator, n) }})) / {{ n }}
        + {{ z_value() }} * {{ z_value() }} / (4.0 * {{ n }} * {{ n }})
    )
{%- endmacro %}

{% macro wilson_low(numerator, n) -%}
    case when {{ n }} > 0 then greatest(0.0, least(
        {{ ratio_of(numerator, n) }}, {{ wilson_centre(numerator, n) }} - {{ wilson_half_width(numerator, n) }}
    )) end
{%- endmacro %}

{% macro wilson_high(numerator, n) -%}
    case when {{ n }} > 0 then least(1.0, greatest(
        {{ ratio_of(numerator, n) }}, {{ wilson_centre(numerator, n) }} + {{ wilson_half_width(numerator, n) }}
    )) end
{%- endmacro %}

{# Normal approximation of a mean; ``deviation`` is the sample standard deviation (null for n = 1). sign: + or -. #}
{% macro mean_bound(sign, mean, deviation, n) -%}
    case when {{ n }} > 1 then {{ mean }} {{ sign }} {{ z_value() }} * {{ deviation }} / sqrt({{ n }}) end
{%- endmacro %}

{# The sums that ratio_bound needs, as columns <name>_x, _y, _xx, _xy, _yy of an aggregation. y / x per record. #}
{% macro ratio_sums(name, y, x) -%}
    sum(cast({{ x }} as double)) as {{ name }}_x,
    sum(cast({{ y }} as double)) as {{ name }}_y,
    sum(cast({{ x }} as double) * cast({{ x }} as double)) as {{ name }}_xx,
    sum(cast({{ x }} as double) * cast({{ y }} as double)) as {{ name }}_xy,
    sum(cast({{ y }} as double) * cast({{ y }} as double)) as {{ name }}_yy
{%- endmacro %}

{# Ratio estimator R = sum y / sum x with se = sqrt(n / (n - 1) * sum (y - R x)^2) / sum x, clamped to 0..1. sign: + or -.
   The sum of squares is expanded, so that one pass is enough; what is then left of a sum that is 0 (all records alike) is cut off. #}
{% macro ratio_bound(sign, name, n) -%}
    {%- set ratio = '(' ~ name ~ '_y / nullif(' ~ name ~ '_x, 0))' -%}
    {%- set squares = '(' ~ name ~ '_yy - 2 * ' ~ ratio ~ ' * ' ~ name ~ '_xy + ' ~ ratio ~ ' * ' ~ ratio ~ ' * ' ~ name ~ '_xx)' -%}
    case when {{ n }} > 1 and {{ name }}_x > 0 then greatest(0.0, least(1.0,
        {{ ratio }} {{ sign }} {{ z_value() }} * sqrt(
            {{ n }} / ({{ n }} - 1.0) * case when {{ squares }} > 1e-12 * {{ name }}_yy then {{ squares }} else 0 end
        ) / {{ name }}_x
    )) end
{%- endmacro %}

{# MOVER interval of a - b (Zou & Donner 2008). Null when any of the ends is null. #}
{% macro mover_low(a, a_low, b, b_high) -%}
    ({{ a }} - {{ b }}) - sqrt(power({{ a }} - {{ a_low }}, 2) + power({{ b_high }} - {{ b }}, 2))
{%- endmacro %}

{% macro mover_high(a, a_high, b, b_low) -%}
    ({{ a }} - {{ b }}) + sqrt(power({{ a_high }} - {{ a }}, 2) + power({{ b }} - {{ b_low }}, 2))
{%- endmacro %}

{% macro is_low_n(n) -%}
    ({{ n }} < 20)
{%- endmacro %}

{# 1, 0 or null for a condition. #}
{% macro flag(condition) -%}
    case when {{ condition }} then 1 when not ({{ condition }}) then 0 end
{%- endmacro %}

{# Share to odds; null for a share of 1. #}
{% macro odds_of(share) -%}
    ({{ share }}) / nullif(1 - ({{ share }}), 0)
{%- endmacro %}

{# amount * numerator / denominator of an amount >= 0 and whole numbers: exact, to the cent, half to even. Null without a denominator. #}
{% macro amount_share(amount, numerator, denominator) -%}
    {%- set cents = '(cast(' ~ amount ~ ' * 100 as hugeint) * ' ~ numerator ~ ')' -%}
    {%- set whole = '(' ~ cents ~ ' // nullif(' ~ denominator ~ ', 0))' -%}
    {%- set rest = '(2 * (' ~ cents ~ ' % nullif(' ~ denominator ~ ', 0)))' -%}
    cast(({{ whole }} + case
        when {{ rest }} > {{ denominator }} then 1
        when {{ rest }} = {{ denominator }} then {{ whole }} % 2
        else 0
    end) as decimal(38, 2)) / 100
{%- endmacro %}
