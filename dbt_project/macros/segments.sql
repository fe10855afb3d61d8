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
