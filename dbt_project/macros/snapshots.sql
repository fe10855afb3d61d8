{# What the versions of a record in the raw log tell of its past: each version is how the record was when it was loaded. #}

{# The changes of an expression over the versions of a raw table, the first value included: the key, value, at, place.
   `first_at` says since when the first value that we know holds; later ones hold since the version's `changed_at`. #}
{% macro version_changes(relation, key, value, first_at, changed_at) -%}
    select {{ key }}, value, before, "at", place
    from (
        select
            {{ key }},
            {{ value }} as value,
            lag({{ value }}) over versions as before,
            row_number() over versions as place,
            case when row_number() over versions = 1 then {{ first_at }} else {{ changed_at }} end as at
        from {{ relation }}
        window versions as (partition by {{ key }} order by _load_id, _row)
    ) as versions
    where place = 1 or value is distinct from before
{%- endmacro %}

{# The branch that sources/<source>.yml names for a team or location; null for others. #}
{% macro mapped_branch(source_name, team) -%}
    cast(case lower({{ clean(team) }})
        {% for name, branch in var(source_name ~ '_team_branches', {}).items() -%}
        when lower('{{ name | replace("'", "''") }}') then '{{ branch | replace("'", "''") }}'
        {% endfor -%}
        when null then null
    end as varchar)
{%- endmacro %}

{# Ids that a full listing lacked, by raw table: gone at the source until they come back. #}
{% macro absent_records(source_name, table) -%}
    select id, since
    from ({{ newest_version(source('raw_' ~ source_name, 'absences'), ['table_name', 'id']) }}) as absences
    where table_name = '{{ table }}' and is_absent
{%- endmacro %}
