{{ config(materialized='view') }}

{%- for kpi, declared in kpi_declarations().items() %}
select '{{ kpi }}' as kpi, '{{ declared.kind }}' as kind, '{{ declared.unit }}' as unit{{ '' if loop.last else ' union all' }}
{%- endfor %}
