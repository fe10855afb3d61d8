{# What is a touch of ours, on columns of int_activities: a person reached out. A meeting counts when it is set, not here. #}
{% macro is_outreach() -%}
    (type = 'call' and direction = 'outbound') or (type in ('email', 'text') and direction = 'outbound' and not is_automated)
{%- endmacro %}
