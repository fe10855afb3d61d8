{# The segment columns of every fact, in one order: docs/kpis.md "Segments". #}

{# The record's own segments; `record` is an alias of int_segments. #}
{% macro record_segments(record) -%}
    {{ record }}.branch,
    {{ record }}.channel,
    {{ record }}.campaign,
    {{ record }}.service_line,
    {{ record }}.job_type,
    {{ record }}.customer_type,
    {{ record }}.pipeline
{%- endmacro %}

{# Who owned a lead or deal at a moment; periods of one record neither overlap nor leave gaps.
   Plain comparisons only: with an `or` the join would compare every row with every other. #}
{% macro owner_at(alias, subject_type, subject_id, at) -%}
    left join {{ ref('int_owner_periods') }} as {{ alias }}
        on {{ alias }}.subject_type = {{ subject_type }}
        and {{ alias }}.subject_id = {{ subject_id }}
        and {{ alias }}.valid_from <= {{ at }}
        and coalesce({{ alias }}.valid_to, timestamp '9999-12-31') > {{ at }}
{%- endmacro %}

{# The user behind an owner. #}
{% macro user_of(alias, user_id) -%}
    left join {{ ref('int_users') }} as {{ alias }} on {{ alias }}.user_id = {{ user_id }}
{%- endmacro %}

{# The process version in force on a date. #}
{% macro version_on(alias, day) -%}
    left join {{ source('process', 'versions') }} as {{ alias }}
        on {{ alias }}.effective_from <= {{ day }}
        and coalesce({{ alias }}.effective_to, date '9999-12-31') > {{ day }}
{%- endmacro %}

{# Segments that people type: their spelling is made one (int_segment_values). #}
{% macro spelled_segments() %}
    {{ return(['branch', 'channel', 'campaign', 'service_line', 'job_type', 'customer_type']) }}
{% endmacro %}

{# What two spellings of a segment have in common. #}
{% macro segment_word(value) -%}
    lower(trim({{ value }}))
{%- endmacro %}

{# The value of the segment whose name a column holds. #}
{% macro segment_of(field, record) -%}
    case {{ field }}
        {%- for segment in spelled_segments() %}
        when '{{ segment }}' then {{ record }}.{{ segment }}
        {%- endfor %}
    end
{%- endmacro %}

{# The columns of a record with its segments as they are written elsewhere too. #}
{% macro star_with_spelled_segments(record) -%}
    {{ star_except(record, spelled_segments()) }},
    {%- for segment in spelled_segments() %}
    coalesce(spelled_{{ segment }}.value, {{ record }}.{{ segment }}) as {{ segment }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{% macro join_segment_spellings(record) -%}
    {%- for segment in spelled_segments() %}
    left join {{ ref('int_segment_values') }} as spelled_{{ segment }}
        on spelled_{{ segment }}.field = '{{ segment }}' and spelled_{{ segment }}.word = {{ segment_word(record ~ '.' ~ segment) }}
    {%- endfor %}
{%- endmacro %}
