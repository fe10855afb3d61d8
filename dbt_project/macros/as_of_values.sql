{# A record is received with today's values: what its history says was changed after as_of is taken back. #}

{% macro join_value_at_as_of(alias, subject_type, subject_id, field) -%}
    left join {{ ref('int_values_at_as_of') }} as {{ alias }}
        on {{ alias }}.subject_type = '{{ subject_type }}' and {{ alias }}.subject_id = {{ subject_id }} and {{ alias }}.field = '{{ field }}'
{%- endmacro %}

{% macro value_at_as_of(alias, today, type='varchar') -%}
    case when {{ alias }}.subject_id is null then {{ today }} else {{ try_cast(alias ~ '.value', type) }} end
{%- endmacro %}
