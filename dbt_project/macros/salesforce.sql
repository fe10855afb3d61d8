{# Salesforce: which field holds which canonical column, and how its values are read. #}

{# canonical column -> field: the standard ones, then what sources/salesforce.yml says #}
{% macro salesforce_fields(entity) %}
    {% set standard = {
        'leads': {
            'first_name': 'FirstName', 'last_name': 'LastName', 'email': 'Email', 'phone': 'Phone', 'postcode': 'PostalCode',
            'status': 'Status', 'owner_id': 'OwnerId', 'created_by': none, 'branch': none, 'channel': 'LeadSource', 'campaign': none,
            'service_line': none, 'job_type': none, 'customer_type': none, 'is_test': none,
        },
        'deals': {
            'name': 'Name', 'pipeline': 'RecordTypeId', 'stage': 'StageName', 'amount': 'Amount', 'currency': 'CurrencyIsoCode',
            'expected_close_date': 'CloseDate', 'owner_id': 'OwnerId', 'loss_reason': none, 'budget_band': none,
            'is_decision_maker': none, 'need': none, 'wanted_by': none, 'next_step': 'NextStep', 'branch': none, 'channel': none,
            'campaign': none, 'service_line': none, 'job_type': none, 'customer_type': none, 'is_test': none,
        },
        'events': {'outcome': none},
    }[entity] %}
    {% set fields = dict(standard) %}
    {% do fields.update(var('salesforce_fields', {}).get(entity, {})) %}
    {{ return(fields) }}
{% endmacro %}

{# The fields of a record as a struct, all as text. #}
{% macro salesforce_record(names) -%}
    {% set shape = {} -%}
    {% for name in names | select | unique -%}{% do shape.update({name: 'varchar'}) %}{%- endfor -%}
    {{ json_struct('record', shape) }}
{%- endmacro %}

{# The value of a canonical column; null where the org has no field for it. #}
{% macro salesforce_value(fields, column) -%}
    {%- if fields[column] -%}{{ clean('parsed.fields."' ~ fields[column] ~ '"') }}{%- else -%}cast(null as varchar){%- endif -%}
{%- endmacro %}

{# 2026-02-01T09:00:00.000+0000 -> UTC #}
{% macro salesforce_timestamp(value) -%}
    {{ parse_timestamp("replace(" ~ value ~ ", '+0000', 'Z')") }}
{%- endmacro %}

{# An owner may be a queue (00G): then nobody owns the record. #}
{% macro salesforce_user(value) -%}
    case when {{ value }} like '005%' then {{ source_id("'salesforce'", value) }} end
{%- endmacro %}

{# Rows of a tracked field history: id, subject_type, record_id, field, old_value, new_value, at. #}
{% macro salesforce_tracked(table, subject_type, parent) -%}
    select
        id,
        '{{ subject_type }}' as subject_type,
        fields."{{ parent }}" as record_id,
        fields.Field as field,
        {{ clean('fields.OldValue') }} as old_value,
        {{ clean('fields.NewValue') }} as new_value,
        created_at as at
    from (
        select
            id,
            created_at,
            {{ salesforce_record([parent, 'Field', 'OldValue', 'NewValue']) }} as fields
        from ({{ newest_version(source('raw_salesforce', table), ['id']) }}) as newest
        where not coalesce(is_deleted, false)
    ) as parsed
{%- endmacro %}
