{# Click ids of ad networks in the address of a page: they make a visit paid. GA4's export is read by ingestion/sources/ga4/events.py, by the same names; tests
   hold the two together. Facebook's fbclid is none: it stands behind every link, paid or not. #}

{% macro click_networks() %}
    {{ return({
        'gclid': 'google', 'gbraid': 'google', 'wbraid': 'google', 'dclid': 'google', 'gad_source': 'google', 'msclkid': 'bing', 'yclid': 'yandex', 'ttclid': 'tiktok',
        'twclid': 'twitter', 'li_fat_id': 'linkedin', 'sccid': 'snapchat', 'rdt_cid': 'reddit',
    }) }}
{% endmacro %}

{# The name of the click id in an address; null where there is none. #}
{% macro click_of(page) -%}
    nullif(regexp_extract(lower({{ page }}), '[?&#]({{ click_networks() | join('|') }})=[^&#]', 1), '')
{%- endmacro %}

{% macro source_with_click(traffic_source, click) -%}
    case when {{ click }} is null then {{ traffic_source }} else coalesce(nullif({{ traffic_source }}, '(direct)'), case {{ click }}
        {%- for name, network in click_networks().items() %}
        when '{{ name }}' then '{{ network }}'
        {%- endfor %}
    end) end
{%- endmacro %}

{% macro medium_with_click(medium, click) -%}
    case when {{ click }} is null or regexp_full_match(lower({{ medium }}), '(.*cp[acmv].*|ppc|retargeting|paid.*|display|banner|affiliate.*)') then {{ medium }} else 'cpc' end
{%- endmacro %}
