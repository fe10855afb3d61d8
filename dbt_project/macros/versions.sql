{# The raw log keeps every version of a record: staging takes the newest one. #}

{% macro newest_version(relation, key) -%}
    select *
    from {{ relation }}
    qualify row_number() over (partition by {{ key | join(', ') }} order by _load_id desc, _row desc) = 1
{%- endmacro %}

{# A file that is loaded again replaces what came from it before; then the newest row of each key. When a file was loaded says nothing of how old
   its rows are: an old export may be saved again. #}
{% macro newest_rows_of_files(relation, key) -%}
    {{ rows_of_files_by_age(relation, key) }} = 1
{%- endmacro %}

{# The rows that newer ones replace. #}
{% macro superseded_rows_of_files(relation, key) -%}
    {{ rows_of_files_by_age(relation, key) }} > 1
{%- endmacro %}

{% macro rows_of_files_by_age(relation, key) -%}
    select *
    from (
        select *
        from {{ relation }}
        qualify _load_id = max(_load_id) over (partition by source, _file)
    ) as newest_files
    qualify row_number() over (
        partition by source, {{ key | join(', ') }}
        order by updated_at desc nulls last, _file_order desc, _load_id desc, _row desc
    )
{%- endmacro %}

{# A day that is exported again replaces the day. #}
{% macro newest_load_of_day(relation, day) -%}
    select *
    from {{ relation }}
    qualify _load_id = max(_load_id) over (partition by {{ day }})
{%- endmacro %}

{# The rows of several relations, columns matched by name; a column that one lacks is null there. #}
{% macro union_by_name(relations) -%}
    {% for relation in relations -%}
    select * from {{ relation }}
    {{ 'union all by name' if not loop.last }}
    {% endfor -%}
{%- endmacro %}

{# All columns of an alias but some. #}
{% macro star_except(alias, columns) -%}
    {{ alias }}.* exclude ({{ columns | join(', ') }})
{%- endmacro %}
