{{ config(materialized='view', tags=['after_analysis']) }}

{#- while dbt parses there are no declarations: it must see the facts #}
{%- do kpi_facts() %}
{%- for kpi, declared in kpi_declarations().items() %}
{{ kpi_observations(kpi, declared) }}
{{ '' if loop.last else 'union all' }}
{%- endfor %}
