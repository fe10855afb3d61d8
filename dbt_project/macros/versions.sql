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

{# Of the stages in which snapshots found a record (ingestion.files.mapping.sql calls them by record and file) those in which it was not before. #}
{% macro changes_of_snapshots(relation) -%}
    select *
    from {{ relation }}
    qualify event_id is distinct from subject_id || '@' || _file
        or (stage, pipeline) is distinct from lag((stage, pipeline)) over (
            partition by source, subject_type, subject_id, event_id is distinct from subject_id || '@' || _file
            order by "at", _file_order
        )
{%- endmacro %}

{# Events without an id of their own, as exports that overlap hold them: each once. What stands in one file twice happened twice. #}
{% macro events_of_overlapping_files(relation, alike) -%}
    select * exclude (is_named, occurrence)
    from (
        select
            *,
            event_id <> _file || ':' || cast(_line as varchar) as is_named,
            row_number() over (partition by source, _file, {{ alike | join(', ') }} order by _line) as occurrence
        from {{ relation }}
    ) as numbered
    qualify row_number() over (
        partition by source, {{ alike | join(', ') }}, occurrence, case when is_named then event_id end
        order by _file_order, _line
    ) = 1
{%- endmacro %}

{# The place of an event among those of the same moment, where the source gives none: that in its file, and of the files in their natural order. #}
{% macro place_in_files() -%}
    (cast(_file_order as bigint) * 1000000000 + _line)
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
