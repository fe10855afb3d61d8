{# Which staging models hold which canonical entity (salesgauge/entities.py), per source. The only place where models after staging learn of
   sources: what is not in var('sources') is not built and not read. File sources are always there, so every column of an entity exists. #}

{% macro staged() %}
    {%- set is_lead_an_object = hubspot_lead_object() == 'leads' %}
    {{ return({
        'users': {'salesforce': ['users'], 'jobber': ['users'], 'servicetitan': ['users'], 'housecall_pro': ['users'], 'hubspot': ['owners']},
        'accounts': {'salesforce': ['accounts'], 'jobber': ['accounts'], 'servicetitan': ['accounts'], 'housecall_pro': ['accounts'], 'hubspot': ['companies']},
        'leads': {'salesforce': ['leads'], 'jobber': ['leads'], 'servicetitan': ['leads'], 'housecall_pro': ['leads'], 'hubspot': ['leads' if is_lead_an_object else 'contacts']},
        'deals': {'salesforce': ['deals'], 'jobber': ['deals'], 'servicetitan': ['deals'], 'housecall_pro': ['deals'], 'hubspot': ['deals']},
        'stage_events': {'jobber': ['stage_events'], 'servicetitan': ['stage_events'], 'housecall_pro': ['stage_events']},
        'field_history': {'salesforce': ['field_history'], 'jobber': ['field_history'], 'servicetitan': ['field_history'], 'housecall_pro': ['field_history'], 'hubspot': ['lead_history' if is_lead_an_object else 'contact_history', 'deal_history']},
        'activities': {'salesforce': ['activities'], 'hubspot': ['calls', 'emails', 'meetings', 'tasks']},
        'contacts': {'salesforce': ['contacts'], 'jobber': ['contacts'], 'servicetitan': ['contacts'], 'housecall_pro': ['contacts'], 'hubspot': ['persons'] if is_lead_an_object else []},
        'appointments': {'jobber': ['appointments'], 'servicetitan': ['appointments'], 'housecall_pro': ['appointments'], 'calendly': ['appointments']},
        'estimates': {'jobber': ['estimates'], 'servicetitan': ['estimates'], 'housecall_pro': ['estimates'], 'hubspot': ['quotes']},
        'jobs': {'jobber': ['jobs'], 'servicetitan': ['jobs'], 'housecall_pro': ['jobs']},
        'invoices': {'jobber': ['invoices'], 'servicetitan': ['invoices'], 'housecall_pro': ['invoices'], 'hubspot': ['invoices']},
        'payments': {'jobber': ['payments'], 'servicetitan': ['payments'], 'housecall_pro': ['payments'], 'calendly': ['payments'], 'hubspot': ['payments']},
        'campaigns': {'salesforce': ['campaigns'], 'servicetitan': ['campaigns'], 'ga4_data': ['campaigns']},
        'spend': {'servicetitan': ['spend'], 'ga4_data': ['spend']},
        'calls': {'callrail': ['calls'], 'servicetitan': ['calls'], 'twilio': ['calls']},
        'form_submissions': {'callrail': ['form_submissions'], 'calendly': ['form_submissions'], 'hubspot': ['form_submissions']},
        'web_events': {'ga4': ['events']},
        'web_sessions': {'ga4_data': ['sessions']},
        'survey_answers': {'typeform': ['responses'], 'surveymonkey': ['responses']},
    }) }}
{% endmacro %}

{# Sources without stages of their own: staging makes these of time stamps, and what a record calls its status is none of them. #}
{% macro sources_without_stages() %}
    {{ return(staged()['stage_events'].keys() | list) }}
{% endmacro %}

{# Raw tables whose records become leads and deals: what is rejected there was one. #}
{% macro raw_records() %}
    {{ return({
        'lead': {'hubspot': [hubspot_lead_object()], 'salesforce': ['leads'], 'jobber': ['requests'], 'servicetitan': ['leads', 'bookings'], 'housecall_pro': ['leads'], 'files': ['leads']},
        'deal': {'hubspot': ['deals'], 'salesforce': ['opportunities'], 'jobber': ['quotes'], 'servicetitan': ['jobs'], 'housecall_pro': ['estimates'], 'files': ['deals']},
    }) }}
{% endmacro %}

{% macro canonical_relations(entity) %}
    {%- set relations = [] -%}
    {%- for source, models in staged().get(entity, {}).items() if source in var('sources') -%}
    {%- for model in models -%}
    {%- do relations.append(ref('stg_' ~ source ~ '__' ~ model)) -%}
    {%- endfor -%}
    {%- endfor -%}
    {%- do relations.append(ref('stg_files__' ~ entity)) -%}
    {{ return(relations) }}
{% endmacro %}

{# All records of an entity; a column that a source does not have is null there. #}
{% macro canonical(entity) -%}
    {{ union_by_name(canonical_relations(entity)) }}
{%- endmacro %}

{# Which staging models tell what a stage of a source is called there: label, kind, and whether it was deleted. #}
{% macro stage_labels() -%}
    {% if 'hubspot' in var('sources') -%}
    select
        'hubspot' as source,
        case when object_type = 'leads' then 'lead' else pipeline end as pipeline,
        source_stage,
        stage_label as label,
        kind,
        is_deleted
    from {{ ref('stg_hubspot__pipelines') }}
    {%- else -%}
    select cast(null as varchar) as source, cast(null as varchar) as pipeline, cast(null as varchar) as source_stage, cast(null as varchar) as label,
        cast(null as varchar) as kind, cast(null as boolean) as is_deleted
    from {{ source('process', 'run') }}
    where false
    {%- endif %}
{%- endmacro %}

{# Whether a rejected record of the quarantine would have been a lead or a deal; null for any other. #}
{% macro rejected_entity(source, table_name) -%}
    case
        {%- for entity, tables in raw_records().items() %}
        {%- for one, names in tables.items() %}
        {%- for name in names %}
        when {{ "not" if one == "files" else "" }} {{ source }} {{ "in (" ~ text_list(api_sources()) ~ ")" if one == "files" else "= '" ~ one ~ "'" }} and {{ table_name }} = '{{ name }}' then '{{ entity }}'
        {%- endfor %}
        {%- endfor %}
        {%- endfor %}
    end
{%- endmacro %}

{# Every source with a connector of its own; any other name is a file source or a database. #}
{% macro api_sources() %}
    {{ return(['hubspot', 'salesforce', 'servicetitan', 'housecall_pro', 'jobber', 'ga4', 'ga4_data', 'callrail', 'twilio', 'calendly', 'typeform', 'surveymonkey']) }}
{% endmacro %}
