{# Where they are known, the columns are from `low` to `high`, or have that one limit. Floating sums may differ in their last bits: they are not wrong for that. #}
{% test within(model, columns, low=none, high=none) %}
select {{ columns | join(', ') }}
from {{ model }}
where false
{%- for column in columns %}
    {%- if low is not none %}
    or {{ column }} < {{ low }} - 0.000000001
    {%- endif %}
    {%- if high is not none %}
    or {{ column }} > {{ high }} + 0.000000001
    {%- endif %}
{%- endfor %}
{% endtest %}
