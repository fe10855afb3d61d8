"""GA4 Data API → ``raw_ga4_data``: counts by day (sessions, landing pages, events, cost of ads). How they are read is in ``run``.

It is a source of its own, and no mode of ``ga4``: rows of the export and counts of the API have other keys, other credentials and other limits, and
a company may use both, sessions from the one and cost from the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ingestion.connector.about import About, Finding, Setting
from ingestion.sources.ga4_data.tables import AD_COST, TABLES
from salesgauge.errors import ConfigurationError
from salesgauge.progress import SILENT, Reporter

if TYPE_CHECKING:
    from ingestion.connector.checking import Trial
    from ingestion.http.client import HttpClient
    from ingestion.http.limits import RetryPolicy
    from ingestion.landing.load import Landing
    from ingestion.landing.quarantine import Waiting
    from salesgauge.process import Process
    from salesgauge.settings import Company, SourceSettings

__all__ = ["ABOUT", "TABLES", "check", "extract", "read_again", "remark"]

ABOUT = About(
    name="ga4_data",
    label="Google Analytics 4 (Data API)",
    kind="web",
    settings=(
        Setting("property_id", "number of the property", is_required=True),
        Setting(
            "service_account", "JSON key of a service account", is_required=True, is_secret=True, unless="refresh_token"
        ),
        Setting("refresh_token", "refresh token of a user, instead of the service account", is_secret=True),
        Setting(
            "client_id", "client id of the app that the user authorized", is_secret=True, given_with="refresh_token"
        ),
        Setting(
            "client_secret",
            "client secret of the app that the user authorized",
            is_secret=True,
            given_with="refresh_token",
        ),
        Setting("start_date", "first day of the first load, default 395 days ago"),
        Setting("reread_days", "days that each sync reads again, default 3"),
        Setting("longest_wait_minutes", "how long a sync may wait for a quota, default 35"),
        Setting("keep_tokens", "quota tokens per day to leave to others, default 0"),
    ),
    provides={
        "web_sessions": "counts by day, channel, source, medium and campaign; no single sessions",
        "spend": "cost of linked ad accounts by day and campaign",
        "campaigns": "campaign names of visits and cost",
    },
    limits={
        "leads_created": "the Data API returns counts: no visitor, session or form can be linked to a lead; the export files (ga4) allow it",
    },
    scopes=("analytics.readonly", "Viewer on the property"),
    requests_when_unchanged="12: 4 reports for each of the last 3 days, and one more per 10,000 rows",
)


def extract(
    company: Company, process: Process | None, landing: Landing, *, received_at: datetime, reporter: Reporter = SILENT
) -> tuple[int, str | None]:
    """Land the days that are new or changed; see ``ingestion.sources.ga4_data.run.run``. ConfigurationError, SourceError."""
    from ingestion.sources.ga4_data.run import run  # the HTTP stack only when a source runs

    return run(company, landing, received_at=received_at, reporter=reporter)


def read_again(company: Company, landing: Landing, records: Iterable[Waiting]) -> None:
    """Note that the next run has to ask for the days of quarantined ``records`` again."""
    from ingestion.sources.ga4_data.run import ask_again

    ask_again(company, landing, records)


def remark(con: Any) -> str:
    """What people should know of the numbers: days that were sampled or thresholded. Empty where there is nothing."""
    from ingestion.sources.ga4_data.run import remark as of_days

    return of_days(con)


def check(settings: SourceSettings) -> list[Finding]:
    """Try the key, the right to read the property, and whether it may see cost."""
    from ingestion.connector.checking import tried
    from ingestion.sources.ga4_data.api import connect

    def connected(policy: RetryPolicy) -> tuple[HttpClient, list[Trial]]:
        api = connect(settings, policy)

        def see_cost() -> None:
            answer = api.page(AD_COST, datetime.now().date() - timedelta(days=2), limit=1)
            restrictions = (answer.get("metadata") or {}).get("schemaRestrictionResponse") or {}
            if restrictions.get("activeMetricRestrictions"):
                raise ConfigurationError(
                    "The account may not see cost. Take the restriction 'No cost metrics' from it (Admin → Property access management)."
                )

        return api.client, [(f"read property {api.property_id}", api.see), ("see the cost of ads", see_cost)]

    return tried(connected)
