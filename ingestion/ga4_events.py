"""The SQL that reads events of GA4's export: their parameters, and the traffic that they came from. Which files there are belongs to ``ga4``."""

from __future__ import annotations

from ingestion.lines import quote

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
)
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
from keyed
"""


def _traffic(column: int) -> str:
    """Source (0), medium (1) or campaign (2) of the first level that names a source."""
    names = ("source", "medium", "campaign")
    start = len(_TOP) + 1
    levels = []
    for level in range(len(_TRAFFIC)):
        is_named = f"coalesce(v[{start + 3 * level}], '(not set)') <> '(not set)'"
        levels.append(f"when {is_named} then v[{start + 3 * level + column}]")
    clicked = ("'google'", "'cpc'", f"v[{start + 3 * (len(_TRAFFIC) - 1) + 2}]")[column]
    return f"case {' '.join(levels)} when v[6] is not null then {clicked} else {_param(names[column])} end"


def _param(key: str) -> str:
    value = f"params[list_position(keys, '{key}')].value"
    return f"coalesce({value}.string_value, {value}.int_value, {value}.double_value, {value}.float_value)"


_PATHS = ", ".join(quote(path) for path in (*_TOP, *(path for level in _TRAFFIC for path in level)))
