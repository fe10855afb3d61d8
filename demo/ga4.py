"""The website's events as GA4's daily BigQuery export in JSON lines: ``events_YYYYMMDD.jsonl.gz``, int64 as text, exact duplicates here and there.

The newest days come twice in reality: first without late events, then rewritten with them (``with_late``). How visitors behave is in ``web``.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
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
    for day, rows in events.groupby("event_date", sort=True):
        content = "".join(_lines(rows)).encode()
        path = folder / f"events_{day}.jsonl{'.gz' if compress else ''}"
        if compress:
            content = gzip.compress(content, compresslevel=4, mtime=0)
        if not path.is_file() or path.read_bytes() != content:
            partial = path.with_name(path.name + ".part")
            partial.write_bytes(content)
            partial.replace(path)
            written.append(path)
    return written


def _lines(rows: pd.DataFrame) -> Iterator[str]:
    names = list(rows.columns)
    for place, values in zip(rows.index, rows.itertuples(index=False, name=None), strict=True):
        line = (
            json.dumps(event(dict(zip(names, values, strict=True))), ensure_ascii=False, separators=(",", ":")) + "\n"
        )
        yield line
        if place % TWICE_EVERY == TWICE_EVERY - 1:
            yield line


def event(row: dict[str, Any]) -> dict[str, Any]:
    """One row of the export from one row of ``web_events``. What is null is left out, as the export does."""
    has_session = not pd.isna(row["ga_session_id"])
    parameters = [_text("page_location", row["page_location"]), _text("page_title", row["page_title"])]
    if has_session:
        parameters += [_whole("ga_session_id", row["ga_session_id"]), _whole("ga_session_number", 1)]
    if row["event_name"] in ("page_view", "user_engagement"):
        parameters.append(_text("session_engaged", "1"))
    if row["event_name"] == "user_engagement":
        parameters.append(_whole("engagement_time_msec", 11_000))
    if row["form_id"] is not None:
        parameters += [_text("form_id", row["form_id"]), _text("form_name", "quote")]
    if row["event_name"] == "generate_lead":
        parameters += [_text("currency", "USD"), {"key": "value", "value": {"double_value": 50.0}}]
    is_direct = row["source"] == "(direct)"
    campaign = {"source": row["source"], "medium": row["medium"]}
    if row["campaign"] is not None:
        campaign["campaign_name"] = row["campaign"]
    shown: dict[str, Any] = {
        "event_date": row["event_date"],
        "event_timestamp": str(row["event_timestamp"]),
        "event_name": row["event_name"],
        "event_params": parameters,
        "event_bundle_sequence_id": str(row["event_timestamp"] % 1_000_003),
        "batch_event_index": str(row["batch_index"]),
        "privacy_info": {
            "analytics_storage": "Yes" if has_session else "No",
            "ads_storage": "Yes",
            "uses_transient_token": "No",
        },
        "user_properties": [],
        "device": {
            "category": row["device"],
            "language": "en-us",
            "web_info": {"browser": "Chrome", "hostname": "www.northside.example"},
        },
        "geo": {"country": "United States", "city": row["city"]},
        "traffic_source": {"name": "(direct)", "medium": row["medium"], "source": row["source"]},
        "session_traffic_source_last_click": {
            "manual_campaign": {} if is_direct else campaign,
            "cross_channel_campaign": {**campaign, "default_channel_group": CHANNEL[row["source"], row["medium"]]},
        },
        "stream_id": STREAM,
        "platform": "WEB",
        "is_active_user": True,
        "items": [],
    }
    if row["user_pseudo_id"] is not None:
        shown["user_pseudo_id"] = row["user_pseudo_id"]
    if not is_direct:
        collected = {"manual_source": row["source"], "manual_medium": row["medium"]}
        if row["campaign"] is not None:
            collected["manual_campaign_name"] = row["campaign"]
        if row["gclid"] is not None:
            collected["gclid"] = row["gclid"]
        shown["collected_traffic_source"] = collected
    return shown


def _text(key: str, value: str) -> dict[str, Any]:
    return {"key": key, "value": {"string_value": value}}


def _whole(key: str, value: int) -> dict[str, Any]:
    return {"key": key, "value": {"int_value": str(int(value))}}
