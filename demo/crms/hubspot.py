"""The company on HubSpot: a contact is a lead, a deal a deal. HubSpot tells all that the log holds, but for what only a telephone system knows of calls."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd

from demo.log import CompanyLog, logged_call
from demo.servers.hubspot.server import TOKEN, HubSpotOptions, HubSpotServer, made
from demo.servers.outline import WORK
from demo.servers.traffic import Limit
from demo.truth.dialect import HUBSPOT as DIALECT

# HubSpot's limits, a tenth of the time long: a run of the demo is refused now and then but does not wait for minutes.
DEMO = HubSpotOptions(
    burst=Limit(190, 1.0, "TEN_SECONDLY_ROLLING"), search=Limit(20, 1.0, "SECONDLY"), refuse_every=240
)
__all__ = ["DIALECT", "config", "files", "known", "record_id", "secrets", "server"]

_MAPPING = Path(__file__).parent / "hubspot.yml"


def server(log: CompanyLog, options: HubSpotOptions = DEMO) -> HubSpotServer:
    """HubSpot with the records of ``log``."""
    return HubSpotServer(made(log, options), options)


def config(url: str) -> str:
    """The section of ``.dlt/config.toml``."""
    return (
        f'[sources.hubspot]\nbase_url = "{url}"\napi_version = "v3"\nsearch_requests_per_second = 18\n'
        'objects = ["contacts", "companies", "deals", "calls", "emails", "meetings", "tasks"]\n'
    )


def secrets() -> str:
    """The section of ``.dlt/secrets.toml``."""
    return f'[sources.hubspot]\naccess_token = "{TOKEN}"\n'


def files() -> dict[str, str]:
    """Which property holds what."""
    return {"sources/hubspot.yml": _MAPPING.read_text(encoding="utf-8")}


def record_id(kind: str, log_id: str) -> str:
    """Contacts and deals have the log's ids."""
    return log_id


def known(log: CompanyLog) -> CompanyLog:
    """All of it but the work after the sale; calls as people log them: of contacts, and whether somebody answered."""
    events = log.events
    is_call = events["kind"] == "call"
    is_nobodys = is_call & events["lead_id"].isna() & events["deal_id"].isna()
    events = events[~(is_nobodys | events["kind"].isin(WORK))].reset_index(drop=True)
    data = [
        logged_call(one) if kind == "call" else one for kind, one in zip(events["kind"], events["data"], strict=True)
    ]
    return replace(log, events=events.assign(data=pd.Series(data, dtype=object), seq=range(len(events))))
