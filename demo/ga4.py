"""The website's events as GA4's daily BigQuery export in JSON lines: ``events_YYYYMMDD.jsonl.gz``, int64 as text, exact duplicates here and there.

The newest days come twice in reality: first without late events, then rewritten with them (``with_late``). How visitors behave is in ``web``.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd

from demo.log import CompanyLog

REWRITTEN_DAYS = 3
TWICE_EVERY = 1_499  # that many-th event of the log is written twice
CHANNEL = {
    ("google", "organic"): "Organic Search", ("bing", "organic"): "Organic Search", ("google", "cpc"): "Paid Search",
    ("facebook", "paid_social"): "Paid Social", ("(direct)", "(none)"): "Direct", ("yelp.com", "referral"): "Referral",
}  # fmt: skip
STREAM = "5512345678"


def write_events(folder: Path, log: CompanyLog, *, with_late: bool = True, compress: bool = True) -> list[Path]:
    """Write one file per day into ``folder``; the files whose content is new or changed. Same log, same bytes.

    Without ``with_late`` the last three days lack their late events, as on the morning after.
    """
    folder.mkdir(parents=True, exist_ok=True)
    events = log.web_events
    newest = sorted(events["event_date"].unique())[-REWRITTEN_DAYS:]
    if not with_late:
        events = events[~(events["is_late"] & events["event_date"].isin(newest))]
    written = []
    for day, lines in _by_day(events):
        content = "".join(lines).encode()
        path = folder / f"events_{day}.jsonl{'.gz' if compress else ''}"
        if compress:
            content = gzip.compress(content, compresslevel=3, mtime=0)
        if not path.is_file() or path.read_bytes() != content:
            partial = path.with_name(path.name + ".part")
            partial.write_bytes(content)
            partial.replace(path)
            written.append(path)
    return written


def _by_day(events: pd.DataFrame) -> Iterator[tuple[str, Iterator[str]]]:
    """Each day with its lines. Columns become lists once: there are more days than many a company has rows a day."""
    ordered = events.sort_values("event_date", kind="stable")
    rows = zip(ordered.index.tolist(), *(ordered[name].tolist() for name in _COLUMNS), strict=True)
    for day, of_day in groupby(rows, key=lambda row: row[1]):
        yield day, _lines(of_day)


def _lines(rows: Iterable[tuple[Any, ...]]) -> Iterator[str]:
    for place, *values in rows:
        line = _line(*values)
        yield line
        if place % TWICE_EVERY == TWICE_EVERY - 1:
            yield line


_COLUMNS = (
    "event_date", "event_timestamp", "event_name", "user_pseudo_id", "ga_session_id", "page_location", "page_title", "source",
    "medium", "campaign", "gclid", "form_id", "device", "city", "batch_index",
)  # fmt: skip


def _line(
    day: str, timestamp: int, name: str, visitor: str | None, session: Any, page: str, title: str, source: str, medium: str,
    campaign: str | None, click: str | None, form: str | None, device: str, city: str, batch_index: int,
) -> str:  # fmt: skip
    """One row of the export. What is null is left out, as the export does. Joined from parts that repeat: there are very many rows."""
    parts = [
        f'{{"event_date":"{day}","event_timestamp":"{timestamp}",{_about(name, page, title, form)}',
        "" if session is pd.NA else f",{_whole('ga_session_id', session)},{_whole('ga_session_number', 1)}",
        f'],"event_bundle_sequence_id":"{timestamp % 1_000_003}","batch_event_index":"{batch_index}",',
        "" if visitor is None else f'"user_pseudo_id":"{visitor}",',
        _visitor(device, city, session is not pd.NA),
        _traffic(source, medium, campaign, click),
        f',"stream_id":"{STREAM}","platform":"WEB","is_active_user":true,"items":[]}}\n',
    ]
    return "".join(parts)


@cache
def _about(name: str, page: str, title: str, form: str | None) -> str:
    """The event's name and those parameters that are not of its session; the list is left open."""
    parameters = [_text("page_location", page), _text("page_title", title)]
    if name in ("page_view", "user_engagement"):
        parameters.append(_text("session_engaged", "1"))
    if name == "user_engagement":
        parameters.append(_whole("engagement_time_msec", 11_000))
    if form is not None:
        parameters += [_text("form_id", form), _text("form_name", form)]
    if name == "generate_lead":
        parameters += [_text("currency", "USD"), '{"key":"value","value":{"double_value":50.0}}']
    return f'"event_name":"{name}","event_params":[{",".join(parameters)}'


@cache
def _visitor(device: str, city: str, has_consent: bool) -> str:
    shown = {
        "device": {"category": device, "language": "en-us", "web_info": {"browser": "Chrome"}},
        "geo": {"country": "United States", "city": city},
        "privacy_info": {"analytics_storage": "Yes" if has_consent else "No", "ads_storage": "Yes"},
    }
    return _json(shown)[1:-1] + ","


def _traffic(source: str, medium: str, campaign: str | None, click: str | None) -> str:
    shown = _traffic_without_click(source, medium, campaign)
    return shown if click is None else shown.replace('"manual_source"', f'"gclid":"{click}","manual_source"', 1)


@cache
def _traffic_without_click(source: str, medium: str, campaign: str | None) -> str:
    last = {"source": source, "medium": medium} | ({} if campaign is None else {"campaign_name": campaign})
    shown: dict[str, Any] = {
        "traffic_source": {"name": "(direct)", "medium": medium, "source": source},
        "session_traffic_source_last_click": {
            "manual_campaign": {} if source == "(direct)" else last,
            "cross_channel_campaign": {**last, "default_channel_group": CHANNEL[source, medium]},
        },
    }
    if source != "(direct)":
        named = {} if campaign is None else {"manual_campaign_name": campaign}
        shown["collected_traffic_source"] = {"manual_source": source, "manual_medium": medium, **named}
    return _json(shown)[1:-1]


def _text(key: str, value: str) -> str:
    return _json({"key": key, "value": {"string_value": value}})


def _whole(key: str, value: int) -> str:
    return f'{{"key":"{key}","value":{{"int_value":"{value}"}}}}'


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
