"""The SQL that reads events of GA4's export: their parameters, and the traffic that they came from. Which files there are belongs to ``ga4``."""

from __future__ import annotations

from ingestion.sql.text import quote

# Where an event names the traffic that it came from, best first: the session's last click, then what the event itself collected.
_TRAFFIC = (
    (
        "$.session_traffic_source_last_click.cross_channel_campaign.source",
        "$.session_traffic_source_last_click.cross_channel_campaign.medium",
        "$.session_traffic_source_last_click.cross_channel_campaign.campaign_name",
    ),
    (
        "$.session_traffic_source_last_click.manual_campaign.source",
        "$.session_traffic_source_last_click.manual_campaign.medium",
        "$.session_traffic_source_last_click.manual_campaign.campaign_name",
    ),
    (
        "$.collected_traffic_source.manual_source",
        "$.collected_traffic_source.manual_medium",
        "$.collected_traffic_source.manual_campaign_name",
    ),
)
_TOP = (
    "$.event_date",
    "$.event_timestamp",
    "$.event_name",
    "$.user_pseudo_id",
    "$.event_params",
    "$.collected_traffic_source.gclid",
    "$.collected_traffic_source.dclid",
)
# Names under which an ad network puts its click id, and the network. Facebook's fbclid is none: it stands behind every link, paid or not.
_CLICKS = {
    **dict.fromkeys(("gclid", "gbraid", "wbraid", "dclid", "gad_source"), "google"),
    "msclkid": "bing",
    "yclid": "yandex",
    "ttclid": "tiktok",
    "twclid": "twitter",
    "li_fat_id": "linkedin",
    "sccid": "snapchat",
    "rdt_cid": "reddit",
}
_PAID = "(.*cp[acmv].*|ppc|retargeting|paid.*|display|banner|affiliate.*)"
_PARAM = '[{"key": "VARCHAR", "value": {"string_value": "VARCHAR", "int_value": "VARCHAR", "double_value": "VARCHAR", "float_value": "VARCHAR"}}]'


def events_of(received: str) -> str:
    """The query for the columns of ``EVENTS``, given the records ``received`` with ``file``, ``day`` and ``line``."""
    # BigQuery's Parquet files may hold a list as {list: [{element: …}]}.
    return f"""
with read as (
    select file, day, line, record, try(json_extract_string(record, [{_PATHS}])) as v from {received}
),
lifted as (
    select *, try(from_json(
        case when v[5][1] = '{{' then cast(to_json(json_extract(v[5], '$.list[*].element')) as varchar) else v[5] end, '{_PARAM}'
    )) as params
    from read
),
keyed as (
    select *, list_transform(params, lambda param: param.key) as keys from lifted
),
clicked as (
    select *, {_clicked()} as click from keyed
)
select
    v[1] as event_day, v[2] as event_at, v[3] as event_name, v[4] as user_pseudo_id,
    {_param("ga_session_id")} as ga_session_id, {_param("page_location")} as page_location,
    {_traffic(0)} as source, {_traffic(1)} as medium, {_traffic(2)} as campaign,
    {_param("form_id")} as form_id, record, file as _file, line as _line,
    case
        when v is null then 'the record is no valid JSON'
        when replace(v[1], '-', '') <> day then 'event_date ' || v[1] || ' is not the day of the file'
    end as _reason
from clicked
"""


def _traffic(column: int) -> str:
    """Source (0), medium (1) or campaign (2) of the first level that names a source; where there is a click id, the visit was paid for."""
    names = ("source", "medium", "campaign")
    start = len(_TOP) + 1
    levels = []
    for level in range(len(_TRAFFIC)):
        is_named = f"coalesce(v[{start + 3 * level}], '(not set)') <> '(not set)'"
        levels.append(f"when {is_named} then v[{start + 3 * level + column}]")
    named = f"case {' '.join(levels)}"
    networks = " ".join(f"when {quote(key)} then {quote(network)}" for key, network in _CLICKS.items())
    # the campaign may have been collected without its source
    collected = f"v[{start + 3 * (len(_TRAFFIC) - 1) + 2}]"
    paid = (
        f"coalesce(nullif({named} end, '(direct)'), case click {networks} end)",
        f"case when regexp_full_match(lower({named} end), {quote(_PAID)}) then {named} end else 'cpc' end",
        f"case when {named} else {collected} end not like '(%)' then {named} else {collected} end end",
    )[column]
    return f"case when click is not null then {paid} else {named} else {_param(names[column])} end end"


def _clicked() -> str:
    """The name of the click id that an event carries: collected, as a parameter, or in the address of the page; null where there is none."""
    listed = ", ".join(quote(key) for key in _CLICKS)
    page = f"lower({_param('page_location')})"
    pattern = quote(f"[?&#]({'|'.join(_CLICKS)})=[^&#]")
    in_page = f"nullif(regexp_extract({page}, {pattern}, 1), '')"
    return (
        f"coalesce(case when {_is_given('v[6]')} then 'gclid' when {_is_given('v[7]')} then 'dclid' end, "
        f"list_filter(keys, lambda key: key in ({listed}))[1], case when contains({page}, 'id=') or contains({page}, 'braid=') "
        f"or contains({page}, 'gad_source=') then {in_page} end)"
    )


def _is_given(value: str) -> str:
    return f"coalesce({value}, '') not in ('', '(not set)')"


def _param(key: str) -> str:
    value = f"params[list_position(keys, '{key}')].value"
    return f"coalesce({value}.string_value, {value}.int_value, {value}.double_value, {value}.float_value)"


_PATHS = ", ".join(quote(path) for path in (*_TOP, *(path for level in _TRAFFIC for path in level)))
