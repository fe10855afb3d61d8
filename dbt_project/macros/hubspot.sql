{# HubSpot: which property holds which canonical column, and how its words are read. #}

{# canonical column -> property: the standard ones, the demo company's own, then what sources/hubspot.yml says #}
{% macro hubspot_properties(object) %}
    {% set standard = {
        'contacts': {
            'first_name': 'firstname', 'last_name': 'lastname', 'email': 'email', 'phone': 'phone', 'postcode': 'zip',
            'status': 'hs_lead_status', 'owner_id': 'hubspot_owner_id',
            'branch': 'branch', 'channel': 'lead_channel', 'campaign': 'campaign', 'service_line': 'service_line',
            'job_type': 'job_type', 'customer_type': 'customer_type', 'is_test': 'is_test',
        },
        'deals': {
            'name': 'dealname', 'pipeline': 'pipeline', 'stage': 'dealstage', 'amount': 'amount', 'currency': 'deal_currency_code',
            'expected_close_date': 'closedate', 'owner_id': 'hubspot_owner_id', 'loss_reason': 'loss_reason',
            'budget_band': 'budget_band', 'is_decision_maker': 'is_decision_maker', 'need': 'need', 'wanted_by': 'wanted_by',
            'next_step': 'next_step', 'branch': 'branch', 'channel': 'lead_channel', 'campaign': 'campaign',
            'service_line': 'service_line', 'job_type': 'job_type', 'customer_type': 'customer_type', 'is_test': 'is_test',
        },
    }[object] %}
    {% set properties = dict(standard) %}
    {% do properties.update(var('hubspot_fields', {}).get(object, {})) %}
    {{ return(properties) }}
{% endmacro %}

{# The properties of a record as a struct with the given property names, all as text. #}
{% macro hubspot_record(properties) -%}
    {% set names = {} -%}
    {% for name in properties | unique -%}{% do names.update({name: 'varchar'}) %}{%- endfor -%}
    {{ json_struct('record', {'properties': names}) }}.properties
{%- endmacro %}

{# hs_object_source -> created_by of a lead #}
{% macro hubspot_created_by(source) -%}
    case {{ source }}
        when 'CRM_UI' then 'rep'
        when 'MOBILE_IOS' then 'rep'
        when 'MOBILE_ANDROID' then 'rep'
        when 'FORMS' then 'form'
        when 'FORM' then 'form'
        when 'CALLS' then 'call'
        when 'CHAT' then 'chat'
        when 'CONVERSATIONS' then 'chat'
        when 'AUTOMATION_PLATFORM' then 'automation'
        when 'MEETINGS' then 'meeting'
        else lower({{ source }})
    end
{%- endmacro %}

{# Made by software, or by the customer in the booking page: not by a person of ours. #}
{% macro hubspot_is_automated(source) -%}
    coalesce({{ source }} in ('AUTOMATION_PLATFORM', 'WORKFLOWS', 'SEQUENCES', 'MARKETING_EMAIL', 'BOT', 'MEETINGS'), false)
{%- endmacro %}

{# Rows of propertiesWithHistory: the history of the given canonical columns of an object.
   The API lists the newest entry first, so among equal timestamps the later place is the older entry. #}
{% macro hubspot_history(object, subject_type, columns) -%}
    {% set properties = hubspot_properties(object) -%}
    {% set shape = {} -%}
    {% for column in columns if properties.get(column) -%}
        {% do shape.update({properties[column]: [{'value': 'varchar', 'timestamp': 'varchar'}]}) %}
    {%- endfor -%}
    with source as (

        {{ newest_version(source('raw_hubspot', object), ['id']) }}

    ),

    histories as (

        select
            id,
            {{ json_struct('record', {'propertiesWithHistory': shape}) }}.propertiesWithHistory as history
        from source

    ),

    entries as (
        {% for column in columns if properties.get(column) %}
        {{ 'union all' if not loop.first }}
        {{ unnest_list('histories', ['id', "'" ~ column ~ "' as field"], 'history."' ~ properties[column] ~ '"') }}
        {% endfor %}
    ),

    renamed as (

        select
            '{{ subject_type }}' as subject_type,
            {{ source_id("'hubspot'", 'id') }} as subject_id,
            field,
            case
                when field = 'owner_id' then {{ source_id("'hubspot'", 'item.value') }}
                when field = 'expected_close_date' then cast({{ parse_date(clean('item.value')) }} as varchar)
                else {{ clean('item.value') }}
            end as value,
            {{ parse_timestamp('item.timestamp') }} as at,
            -cast(position as bigint) as source_order
        from entries

    )

    select * from renamed
{%- endmacro %}
