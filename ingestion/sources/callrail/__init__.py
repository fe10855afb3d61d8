"""CallRail → ``raw_callrail``: calls, form submissions, and who and what they belong to. How they are read is in ``run``."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from ingestion.connector.about import CALLS_HANDLED, About, Finding, Setting
from ingestion.sources.callrail.tables import TABLES
from salesgauge.progress import SILENT, Reporter

if TYPE_CHECKING:
    from ingestion.connector.checking import Trial
    from ingestion.http.client import HttpClient
    from ingestion.http.limits import RetryPolicy
    from ingestion.landing.load import Landing
    from salesgauge.process import Process
    from salesgauge.settings import Company, SourceSettings

__all__ = ["ABOUT", "TABLES", "check", "extract"]

_ENDED = ("answer_seconds", "call_abandoned", "call_missed", "call_back", "calls_ended_early")
ABOUT = About(
    name="callrail",
    label="CallRail",
    kind="calls",
    settings=(
        Setting("api_key", "API key of a user who sees all companies", is_required=True, is_secret=True),
        Setting("account_id", "needed only if the key sees several accounts"),
        Setting("reread_days", "days back that each sync reads, default 30: calls are graded and tagged later"),
        Setting("requests_per_hour", "default 900 of the 1,000 that CallRail allows"),
    ),
    provides={
        "calls": "direction, answered or not, duration, lead status, source and campaign; recording, transcript and keywords if the plan has them",
        "activities": "calls, linked to leads by telephone number",
        "form_submissions": "forms with source and campaign",
    },
    limits=dict.fromkeys(
        (kpi for kpi in CALLS_HANDLED if kpi.startswith(_ENDED)),
        "CallRail does not tell how long a call rang, nor who ended one that nobody answered: it is missed",
    ),
    scopes=("API key of an administrator or manager",),
    requests_when_unchanged="6, 1 per 250 calls and forms of the last 30 days, and 1 for each month without any",
)


def extract(
    company: Company, process: Process | None, landing: Landing, *, received_at: datetime, reporter: Reporter = SILENT
) -> int:
    """Land what is new or changed in CallRail; see ``ingestion.sources.callrail.run.run``. Returns the number of requests. ConfigurationError, SourceError."""
    from ingestion.sources.callrail.run import run  # the HTTP stack only when a source runs

    return run(company, landing, received_at=received_at, reporter=reporter)


def check(settings: SourceSettings) -> list[Finding]:
    """Try the key, the account, and the right to read calls and forms."""
    from ingestion.connector.checking import tried
    from ingestion.sources.callrail.run import account, connect

    def connected(policy: RetryPolicy) -> tuple[HttpClient, list[Trial]]:
        client = connect(settings, policy)

        def reading(name: str) -> Trial:
            return f"read {name}", lambda: client.get(f"/a/{account(client, settings)}/{name}.json", {"per_page": 1})

        tables = ("calls", "form_submissions", "users")
        return client, [("the key and its account", lambda: account(client, settings)), *map(reading, tables)]

    return tried(connected)
