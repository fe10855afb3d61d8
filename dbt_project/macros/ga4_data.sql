{# The rows of a report that count: those of the load that the newest reading of their day names, with what is to be known of that day. A later load
   without a reading of the day can only hold rows of it that waited in quarantine. #}
{% macro ga4_data_rows(report) -%}
    select
        report_rows.*,
        days.is_sampled,
        days.is_thresholded,
        days.currency
    from {{ source('raw_ga4_data', report) }} as report_rows
    inner join {{ ref('stg_ga4_data__days') }} as days
        on
            report_rows.property_id = days.property_id
            and report_rows.date = days.date
            and report_rows._load_id >= days.load_id
            and days.report = '{{ report }}'
{%- endmacro %}

{# GA4 says "(not set)" for nothing. "(direct)", "(none)" and "(other)" are something. #}
{% macro ga4_data_value(column) -%}
    nullif({{ clean(column) }}, '(not set)')
{%- endmacro %}

{# The name of a campaign; what is in brackets is none: (not set), (direct), (organic), (referral), (other). #}
{% macro ga4_data_name(column) -%}
    case when {{ clean(column) }} not like '(%)' then {{ clean(column) }} end
{%- endmacro %}
