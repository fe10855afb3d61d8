{# What a stage of a source is in process.yml: by the event's own pipeline, then by any; a word that is itself a key of the process needs no mapping. #}

{# ``relation`` has source, source_stage, pipeline and subject_type; the joins give what mapped_stage and is_ignored_stage read. #}
{% macro join_stage_mapping(relation) -%}
    left join {{ source('process', 'stage_mapping') }} as exact
        on {{ relation }}.source = exact.source
        and {{ stage_word(relation ~ '.source_stage') }} = {{ stage_word('exact.source_stage') }}
        and exact.pipeline = case when {{ relation }}.subject_type = 'lead' then 'lead' else {{ relation }}.pipeline end
    left join {{ source('process', 'stage_mapping') }} as general
        on {{ relation }}.source = general.source
        and {{ stage_word(relation ~ '.source_stage') }} = {{ stage_word('general.source_stage') }}
        and general.pipeline = '*'
    left join {{ source('process', 'stage_mapping') }} as others
        on {{ relation }}.source = others.source
        and others.source_stage = '*'
        and others.pipeline = case when {{ relation }}.subject_type = 'lead' then 'lead' else {{ relation }}.pipeline end
    left join {{ source('process', 'stage_mapping') }} as all_others
        on {{ relation }}.source = all_others.source
        and all_others.source_stage = '*'
        and all_others.pipeline = '*'
    left join {{ source('process', 'stages') }} as stages on {{ stage_word(relation ~ '.source_stage') }} = stages.stage
{%- endmacro %}

{# Null where nothing maps the stage, or where it is ignored. #}
{% macro mapped_stage() -%}
    coalesce(
        exact.stage,
        case when exact.source is null then general.stage end,
        case when exact.source is null and general.source is null then stages.stage end
    )
{%- endmacro %}

{# Whether process.yml, or the map of a file, says that the activity is no stage: by name, or with all that it does not name. #}
{% macro is_ignored_stage(relation) -%}
    coalesce(
        case when {{ stage_word(relation ~ '.source_stage') }} = 'ignore' then true end,
        case when exact.source is not null then coalesce(exact.is_ignored, false) end,
        case when general.source is not null then coalesce(general.is_ignored, false) end,
        case when stages.stage is null then coalesce(others.is_ignored, all_others.is_ignored) end,
        false
    )
{%- endmacro %}

{# A stage's name as it is compared: case and blanks are of no matter, and a key is written with _ for a blank. #}
{% macro stage_word(value) -%}
    replace(lower(trim({{ value }})), ' ', '_')
{%- endmacro %}
