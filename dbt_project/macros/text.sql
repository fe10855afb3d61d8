{# Text, numbers, JSON and lists: one macro per concept in which engines differ. #}

{# Sources say "nothing" with an empty string as often as with null. #}
{% macro clean(value) -%}
    nullif(trim({{ value }}), '')
{%- endmacro %}

{# The texts with `separator` between them; those that are null are left out, and null of nothing. #}
{% macro joined(separator, texts) -%}
    nullif(concat_ws('{{ separator }}', {{ texts }}), '')
{%- endmacro %}

{% macro try_cast(value, type) -%}
    try_cast({{ value }} as {{ type }})
{%- endmacro %}

{% macro digits(value) -%}
    regexp_replace({{ value }}, '[^0-9]', '', 'g')
{%- endmacro %}

{% macro matches(value, pattern) -%}
    regexp_full_match({{ value }}, '{{ pattern }}')
{%- endmacro %}

{# Whole cents as text -> money. #}
{% macro cents(value) -%}
    cast({{ try_cast(value, 'decimal(18, 0)') }} * 0.01 as decimal(18, 2))
{%- endmacro %}

{# A money value as text without trailing zeros: 0.00 is 0, as people write it. #}
{% macro plain_number(value) -%}
    regexp_replace(cast({{ value }} as varchar), '\.0+$', '')
{%- endmacro %}

{# Ids are `<source>:<id in the source>`; no id stays null. #}
{% macro source_id(source, id) -%}
    {{ source }} || ':' || {{ clean(id) }}
{%- endmacro %}

{# `<source>:<id>` -> `<id>` #}
{% macro id_in_source(id) -%}
    regexp_replace({{ id }}, '^[^:]*:', '')
{%- endmacro %}

{% macro text_hash(value) -%}
    md5({{ value }})
{%- endmacro %}

{# The parts of a JSON document that are needed, parsed once, as a struct: `{'id': 'varchar', 'teams': [{'name': 'varchar'}]}`. #}
{% macro json_struct(document, shape) -%}
    json_transform({{ document }}, '{{ tojson(shape) }}')
{%- endmacro %}

{# Any value of a JSON object by a name that is not known before; null when the name is null. #}
{% macro json_value(document, name) -%}
    json_extract_string({{ document }}, '$."' || {{ name }} || '"')
{%- endmacro %}

{# The value at a place of a JSON document that is known before, as text. #}
{% macro json_at(document, place) -%}
    json_extract_string({{ document }}, '{{ place }}')
{%- endmacro %}

{# The path of a page's address, without host and parameters. #}
{% macro page_path(page) -%}
    coalesce(nullif(regexp_replace({{ page }}, '^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*|[?#].*$', '', 'g'), ''), case when {{ page }} is not null then '/' end)
{%- endmacro %}

{# A JSON value as text: of a string what is between the quotes. #}
{% macro json_text(value) -%}
    json_extract_string({{ value }}, '$')
{%- endmacro %}

{% macro first_item(list) -%}
    {{ list }}[1]
{%- endmacro %}

{# Ids that are numbers, written as text, in the order of the numbers. #}
{% macro id_order(id, direction='asc') -%}
    length({{ id }}) {{ direction }}, {{ id }} {{ direction }}
{%- endmacro %}

{# Of a list of such ids the lowest. #}
{% macro lowest_id(ids) -%}
    case when len({{ ids }}) > 1 then list_sort(list_transform({{ ids }}, lambda id: {'digits': length(id), 'id': id}))[1].id else {{ ids }}[1] end
{%- endmacro %}

{# Of a list of structs the first one whose flag is set, else the first one. #}
{% macro first_marked(list, flag) -%}
    coalesce(list_filter({{ list }}, item -> item."{{ flag }}")[1], {{ list }}[1])
{%- endmacro %}

{# The part with that number (from 1) of a text that a separator divides; empty where there is none. #}
{% macro split_part(value, separator, number) -%}
    split_part({{ value }}, '{{ separator }}', {{ number }})
{%- endmacro %}

{% macro split(value, separator) -%}
    string_split({{ value }}, '{{ separator }}')
{%- endmacro %}

{# A list of ids as people and programs write it ('a, b', 'a;b', '["a","b"]') -> 'a;b'. #}
{% macro id_list(value) -%}
    nullif(trim(regexp_replace(regexp_replace({{ value }}, '[\[\]{}"'']', '', 'g'), '\s*[,;|\r\n]+\s*', ';', 'g'), '; '), '')
{%- endmacro %}

{# Text with one blank where there are several, and none at the ends. #}
{% macro single_blanks(value) -%}
    trim(regexp_replace({{ value }}, '\s+', ' ', 'g'))
{%- endmacro %}

{# Text without the tags of HTML. #}
{% macro without_tags(value) -%}
    regexp_replace({{ value }}, '<[^>]*>', '', 'g')
{%- endmacro %}

{% macro list_length(list) -%}
    len({{ list }})
{%- endmacro %}

{# What comes after the last separator. #}
{% macro last_part(value, separator) -%}
    regexp_replace({{ value }}, '^.*{{ separator }}', '')
{%- endmacro %}

{# The items of a list as one text; null for an empty list. #}
{% macro join_list(list, separator) -%}
    nullif(array_to_string({{ list }}, '{{ separator }}'), '')
{%- endmacro %}

{# One row per item of a list with its place (from 1): the kept columns, item, position. #}
{% macro unnest_list(relation, keep, list) -%}
    select
        {{ keep | join(', ') }},
        unnest({{ list }}) as item,
        generate_subscripts({{ list }}, 1) as position
    from {{ relation }}
{%- endmacro %}

{# A Jinja list as SQL literals, lower case. #}
{% macro text_list(values) -%}
    {% for value in values %}'{{ value | lower | replace("'", "''") }}'{{ ', ' if not loop.last }}{% endfor %}
{%- endmacro %}

{# `<source>:<id>` -> `<source>` #}
{% macro id_source(id) -%}
    split_part({{ id }}, ':', 1)
{%- endmacro %}

{# True where the digits are one digit again and again, as in 000-0000; false for no digits. #}
{% macro is_repeated_digit(digits) -%}
    coalesce(length({{ digits }}) > 1 and replace({{ digits }}, left({{ digits }}, 1), '') = '', false)
{%- endmacro %}

{# Words for yes and no, in any case; null for anything else. #}
{% macro word_boolean(value) -%}
    case lower({{ value }}) when 'true' then true when 'yes' then true when 'false' then false when 'no' then false end
{%- endmacro %}

{# A moment as its day, for people. #}
{% macro iso_day(at) -%}
    strftime({{ at }}, '%Y-%m-%d')
{%- endmacro %}
