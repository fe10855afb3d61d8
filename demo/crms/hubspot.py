"""The company on HubSpot: a contact is a lead, a deal a deal. HubSpot tells all that the log holds."""

from __future__ import annotations

from pathlib import Path

from demo.log import CompanyLog
from demo.servers.hubspot.server import TOKEN, HubSpotOptions, HubSpotServer, made
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
    """All of it."""
    return log
