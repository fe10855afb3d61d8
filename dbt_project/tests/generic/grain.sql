{# The grain of a model, which its `meta` says: the key columns name one row, and are never null. Where `nullable`, nulls are equal to each other. #}
{% test grain(model, nullable=false) %}
{# dbt knows what models say of themselves when it compiles, and not when it parses. Quoted, because `at` and `rows` are words of SQL. #}
{%- set grain = graph.nodes['model.salesgauge.' ~ model.identifier].config.meta.grain if execute else [] %}
{%- set columns = [] %}
{%- for column in grain %}{% do columns.append(adapter.quote(column)) %}{% endfor %}
select
    {{ columns | join(', ') }},
    count(*) as found
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1{% if not nullable %}{% for column in columns %} or {{ column }} is null{% endfor %}{% endif %}
{% endtest %}
