{# stage_events: an event may leave with the row that it came from, so that what is left is counted where it is staged.
   other_records: rows of leads and deals whose id another record has too. The creation of a record does not change: where that of most shared ids does, in
   files whose numbers begin again, the id is none. #}
with versions as (
    {%- for entity, key in {'leads': 'lead_id', 'deals': 'deal_id'}.items() %}
    select
        source,
        '{{ entity }}' as entity,
        count(*) as n,
        count(distinct cast(created_at as date)) as days,
        min(created_at) as first_created_at,
        max(created_at) as last_created_at
    from {{ source('raw_files', entity) }}
    group by source, {{ key }}
    having count(*) > 1
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

{# a day apart may be the same moment in another zone #}
reused as (
    select
        source,
        entity,
        count(*) as shared_ids,
        count(case when first_created_at < last_created_at - interval 2 day then 1 end) as reused_ids,
        sum(case when first_created_at < last_created_at - interval 2 day then days - 1 else 0 end) as other_records
    from versions
    group by source, entity
),

counted as (
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
)

select
    counted.source,
    counted.entity,
    counted.loaded_rows,
    counted.records,
    cast(coalesce(case when 2 * reused.reused_ids > reused.shared_ids then reused.other_records end, 0) as bigint) as other_records
from counted
left join reused on counted.source = reused.source and counted.entity = reused.entity
