{# `sql` is true, or not known, in every row; `rule` says it in words. #}
{% test holds(model, rule, sql) %}
select *
from {{ model }}
where not ({{ sql }})
{% endtest %}
