"""Twilio → ``raw_twilio``: the call log with all legs, and recordings. How they are read is in ``run``."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from ingestion.connector.about import About, Finding, Setting
from ingestion.sources.twilio.tables import TABLES
from salesgauge.progress import SILENT, Reporter

if TYPE_CHECKING:
    from ingestion.connector.checking import Trial
    from ingestion.http.client import HttpClient
    from ingestion.http.limits import RetryPolicy
    from ingestion.landing.load import Landing
    from salesgauge.process import Process
    from salesgauge.settings import Company, SourceSettings

__all__ = ["ABOUT", "TABLES", "check", "extract"]

ABOUT = About(
    name="twilio",
    label="Twilio Voice",
    kind="calls",
    settings=(
        Setting("account_sid", "AC…", is_required=True),
        Setting("api_key", "SK…, or the account's sid", is_required=True, is_secret=True),
        Setting("api_secret", "its secret, or the auth token", is_required=True, is_secret=True),
        Setting("reread_days", "days back that each sync reads, default 2"),
        Setting("history_days", "days back that the first load reads, default 395"),
    ),
    provides={
        "calls": "direction, answered, duration and recording; legs of one call are one call",
        "activities": "calls, linked to leads by telephone number",
    },
    scopes=("an API key (standard) of the account",),
    requests_when_unchanged="2, and one more per 1,000 calls of the last 2 days",
)


def extract(
    company: Company, process: Process | None, landing: Landing, *, received_at: datetime, reporter: Reporter = SILENT
) -> int:
    """Land what is new or changed in Twilio; see ``ingestion.sources.twilio.run.run``. Returns the number of requests. ConfigurationError, SourceError."""
    from ingestion.sources.twilio.run import run  # the HTTP stack only when a source runs

    return run(company, landing, received_at=received_at, reporter=reporter)


def check(settings: SourceSettings) -> list[Finding]:
    """Try the key, and the right to read calls and recordings."""
    from ingestion.connector.checking import tried
    from ingestion.sources.twilio.run import base_path, connect

    def connected(policy: RetryPolicy) -> tuple[HttpClient, list[Trial]]:
        client, base = connect(settings, policy), base_path(settings)
        trials: list[Trial] = [
            (f"read {name.lower()}", lambda name=name: client.get(f"{base}/{name}.json", {"PageSize": 1}))  # type: ignore[misc]
            for name in ("Calls", "Recordings")
        ]
        return client, trials

    return tried(connected)
