{{ config(schema='intermediate', materialized='view', contract={'enforced': false}, tags=['after_analysis']) }}

{%- for kpi, declared in kpi_declarations().items() %}
{{ kpi_observations(kpi, declared) }}
{{ '' if loop.last else 'union all' }}
{%- else %}
{# while dbt parses: it must see the facts #}
{%- do kpi_facts() %}
{%- endfor %}
