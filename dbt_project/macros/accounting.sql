{# The key of each canonical entity (salesgauge/entities.py), in the order in which people read the accounting. #}
{% macro entity_keys() %}
    {{ return({
        'leads': 'lead_id', 'deals': 'deal_id', 'deal_leads': 'link_id', 'stage_events': 'event_id', 'field_history': 'event_id', 'activities': 'activity_id', 'calls': 'call_id',
        'appointments': 'appointment_id', 'estimates': 'estimate_id', 'jobs': 'job_id', 'invoices': 'invoice_id', 'payments': 'payment_id',
        'web_events': 'event_id', 'web_sessions': 'session_key', 'form_submissions': 'submission_id', 'survey_answers': 'response_id',
        'users': 'user_id', 'accounts': 'account_id', 'contacts': 'contact_id', 'products': 'product_id', 'campaigns': 'campaign_id',
        'spend': 'spend_id', 'timesheet_entries': 'entry_id',
    }) }}
{% endmacro %}

{# Entities that no mart is made of. #}
{% macro unread_entities() %}
    {{ return(['web_sessions', 'form_submissions', 'accounts', 'contacts', 'campaigns', 'spend', 'timesheet_entries']) }}
{% endmacro %}

{# Rows of sources with a connector as staging has them: where their accounting begins. Not of entities whose first model is a plain union of staging's,
   or is compared with it elsewhere (kpi_reconciliation): to plan those views once more takes longer than all the rest. #}
{% macro staged_counts() -%}
    {%- set parts = [] -%}
    {%- for entity in entity_keys() if entity not in ('leads', 'deals', 'field_history') -%}
    {%- for source, models in staged().get(entity, {}).items() if source in var('sources') -%}
    {%- for model in models -%}
    {%- do parts.append("select '" ~ source ~ "' as source, '" ~ entity ~ "' as entity, count(*) as n from " ~ ref('stg_' ~ source ~ '__' ~ model)) -%}
    {%- endfor -%}
    {%- endfor -%}
    {%- endfor -%}
    {%- do parts.append("select cast(null as varchar) as source, cast(null as varchar) as entity, cast(null as bigint) as n where false") -%}
    {{ parts | join('\n    union all\n    ') }}
{%- endmacro %}
