{# stage_events: an event may leave with the row that it came from, so that what is left is counted where it is staged. #}
{%- for entity, key in entity_keys().items() %}
select
    source,
    '{{ entity }}' as entity,
    count(*) as loaded_rows,
    count(distinct {{ key }}) as records
from {{ source('raw_files', entity) }}
group by source
{{ 'union all' if not loop.last }}
{%- endfor %}
