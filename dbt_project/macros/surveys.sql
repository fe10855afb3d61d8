{# Surveys: what a question asks for. #}

{# nps, csat, comment or email: what people say in sources/<source>.yml (`questions`: by reference or title, lower case), else what the kind of the
   question, the number of steps of its scale and its wording tell; null for any other question.
   `kind`: nps, scale, text, long_text or email; `reference` may be null. #}
{% macro question_role(source_name, kind, steps, title, reference) -%}
    {%- set named = var(source_name ~ '_questions', {}) -%}
    case
        {% for role in ['nps', 'csat', 'comment'] if named.get(role) -%}
        when lower({{ reference }}) in ({{ text_list(named[role]) }}) or lower({{ title }}) in ({{ text_list(named[role]) }}) then '{{ role }}'
        {% endfor -%}
        when {{ kind }} = 'nps' or ({{ kind }} = 'scale' and {{ steps }} = 11 and lower({{ title }}) like '%recommend%') then 'nps'
        {% if not named.get('csat') -%}
        when {{ kind }} = 'scale' and {{ steps }} = 5 and (lower({{ title }}) like '%satisf%' or lower({{ reference }}) in ('csat', 'satisfaction')) then 'csat'
        {% endif -%}
        {% if not named.get('comment') -%}
        when {{ kind }} = 'long_text' or ({{ kind }} = 'text' and (
            lower({{ title }}) like '%comment%' or lower({{ title }}) like '%feedback%' or lower({{ title }}) like '%anything else%'
            or lower({{ reference }}) in ('comment', 'comments')
        )) then 'comment'
        {% endif -%}
        when {{ kind }} = 'email' or ({{ kind }} = 'text' and (lower({{ title }}) like '%e-mail%' or lower({{ title }}) like '%email%')) then 'email'
    end
{%- endmacro %}

{# An answer on our scales, 0 to 10 for nps and 1 to 5 for csat, by the place of the step on the form's scale: `number` as the form counts, `first` its
   first step, `steps` how many there are. Of ten steps the first is 1. Null where the scale is another one: other_scale says so. #}
{% macro scale_score(role, number, first, steps) -%}
    case
        when {{ role }} = 'nps' and {{ steps }} in (10, 11) then {{ number }} - {{ first }} + (11 - {{ steps }})
        when {{ role }} = 'csat' and {{ steps }} = 5 then {{ number }} - {{ first }} + 1
    end
{%- endmacro %}

{# What was answered on a scale that is none of ours, in words: left out and listed (kpi_left_out). #}
{% macro other_scale(role, number, first, steps) -%}
    case
        when {{ role }} = 'nps' and {{ steps }} not in (10, 11) or {{ role }} = 'csat' and {{ steps }} <> 5
            then {{ role }} || ': ' || cast({{ number }} as varchar) || ' on a scale of ' || cast({{ first }} as varchar) || ' to ' || cast({{ first }} + {{ steps }} - 1 as varchar)
    end
{%- endmacro %}

{# The number that stands in the text of a choice, as in "10 - Extremely likely"; null where there is none, or more than one. #}
{% macro number_in_text(value) -%}
    case when len(regexp_extract_all({{ value }}, '[0-9]+')) = 1 then try_cast(regexp_extract({{ value }}, '[0-9]+') as bigint) end
{%- endmacro %}
