{# ServiceTitan: what its business units stand for. #}

{# What sources/servicetitan.yml says of a business unit: `attribute` is branch or service_line; null for units that it does not name. #}
{% macro servicetitan_unit(name, attribute) -%}
    cast(case lower({{ name }})
        {% for unit, meaning in var('servicetitan_units', {}).items() if meaning.get(attribute) -%}
        when lower('{{ unit | replace("'", "''") }}') then '{{ meaning[attribute] | replace("'", "''") }}'
        {% endfor -%}
        when null then null
    end as varchar)
{%- endmacro %}
