{# The grain of a model: its key columns are never null and name one row. #}
{% test grain(model, columns) %}
select
    {{ columns | join(', ') }},
    count(*) as found
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1 or {% for column in columns %}{{ column }} is null{{ ' or ' if not loop.last }}{% endfor %}
{% endtest %}
