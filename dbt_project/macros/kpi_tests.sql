{# Generic tests of the KPI marts. Each returns the rows that break its rule. #}

{# Counts and sums over the segments of one type give the total of the same period and keys. #}
{% test kpi_segments_sum(model, columns, keys=[], dated=true) %}
{% set groups = (['period_grain', 'period_start_date'] if dated else []) + keys %}
with totals as (
    select {% for column in groups %}{{ column }}, {% endfor %}{% for column in columns %}sum({{ column }}) as total_{{ column }}{{ '' if loop.last else ', ' }}{% endfor %}
    from {{ model }}
    where segment_type = 'total'
    {% if groups %}group by {{ groups | join(', ') }}{% endif %}
),

sums as (
    select {% for column in groups %}{{ column }}, {% endfor %}segment_type, {% for column in columns %}sum({{ column }}) as sum_{{ column }}{{ '' if loop.last else ', ' }}{% endfor %}
    from {{ model }}
    where segment_type <> 'total'
    group by {% for column in groups %}{{ column }}, {% endfor %}segment_type
)

select *
from totals
inner join sums on true {% for column in groups %} and totals.{{ column }} is not distinct from sums.{{ column }}{% endfor %}
where {% for column in columns %}total_{{ column }} <> sum_{{ column }}{{ '' if loop.last else ' or ' }}{% endfor %}
{% endtest %}

{# An interval (low, value, high) holds its estimate, and needs one. #}
{% test kpi_interval(model, intervals) %}
{% for low, value, high in intervals %}
select '{{ value }}' as estimate, cast({{ low }} as double) as low, cast({{ value }} as double) as value, cast({{ high }} as double) as high
from {{ model }}
where {{ low }} > {{ value }} + 1e-9
    or {{ high }} < {{ value }} - 1e-9
    or ({{ low }} is not null and {{ value }} is null)
{{ '' if loop.last else 'union all' }}
{% endfor %}
{% endtest %}

{# received = the sum of the other reasons, per entity. #}
{% test kpi_reconciles(model) %}
select
    entity,
    sum(case when reason = 'received' then records else 0 end) as received,
    sum(case when reason <> 'received' then records else 0 end) as accounted
from {{ model }}
group by entity
having sum(case when reason = 'received' then records else 0 end) <> sum(case when reason <> 'received' then records else 0 end)
{% endtest %}

{# received = the sum of the other reasons, per source and entity, no reason twice, none below zero. #}
{% test kpi_accounts(model) %}
select
    source,
    entity,
    sum(case when reason = 'received' then "rows" else 0 end) as received,
    sum(case when reason <> 'received' then "rows" else 0 end) as accounted
from {{ model }}
group by source, entity
having sum(case when reason = 'received' then "rows" else 0 end) <> sum(case when reason <> 'received' then "rows" else 0 end)
    or count(*) <> count(distinct reason)
    or min("rows") < 0
{% endtest %}
