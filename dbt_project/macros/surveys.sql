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
