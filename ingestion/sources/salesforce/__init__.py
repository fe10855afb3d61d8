"""Salesforce → ``raw_salesforce``: leads, opportunities with their histories, activities, people. How they are read is in ``run``."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from ingestion.connector.about import CALLS_HANDLED, LOGGED_CALLS, PIPELINE, About, Finding, Setting
from ingestion.sources.salesforce.tables import TABLES
from salesgauge.progress import SILENT, Reporter

if TYPE_CHECKING:
    from ingestion.landing.load import Landing
    from salesgauge.process import Process
    from salesgauge.settings import Company, SourceSettings

__all__ = ["ABOUT", "TABLES", "check", "extract"]

_SECONDS = "Salesforce keeps times to the second: durations are exact to a second"
_CLOSE_DATE = "Salesforce requires a close date, so people enter something"
ABOUT = About(
    name="salesforce",
    label="Salesforce Sales Cloud",
    kind="crm",
    settings=(
        Setting("instance_url", "https://MyDomain.my.salesforce.com", is_required=True),
        Setting("client_id", "consumer key of the connected app", is_required=True, is_secret=True),
        Setting("client_secret", "consumer secret of the connected app", is_required=True, is_secret=True),
        Setting("api_version", "default v62.0"),
        Setting("overlap_minutes", "minutes back that each sync reads, default 10"),
        Setting("bulk_from_rows", "objects with at least so many rows to read go through the Bulk API, default 50000"),
    ),
    pages=lambda _: dict.fromkeys(("lead_id", "deal_id", "account_id", "call_id"), "{instance_url}/{id}"),
    provides={
        "leads": "exact status and owner history where LeadHistory is on",
        "deals": "opportunities; exact history of stage, amount and close date; owner history where it is tracked",
        "accounts": "",
        "contacts": "",
        "activities": "calls, e-mails, tasks, meetings",
        "users": "",
        "campaigns": "",
    },
    limits={
        **dict.fromkeys(CALLS_HANDLED, LOGGED_CALLS),
        "speed_to_lead_median_minutes": _SECONDS,
        "speed_to_lead_p90_minutes": _SECONDS,
        "sales_cycle_days_mean": _SECONDS,
        "sales_cycle_days_median": _SECONDS,
        "sales_cycle_days_p90": _SECONDS,
        "lead_cycle_days_median": _SECONDS,
        "first_touch_cycle_days_median": _SECONDS,
        "no_next_step_rate": "a task is due on a day, not at a time",
        **dict.fromkeys(PIPELINE, _CLOSE_DATE),
        "crm_completeness": "Salesforce requires a last name and a close date, so people enter something",
    },
    scopes=("API Enabled", "View All Data (or read on every object below)"),
    requests_when_unchanged="2 for every object that the user can see, and 1 for the token",
)


def extract(
    company: Company, process: Process | None, landing: Landing, *, received_at: datetime, reporter: Reporter = SILENT
) -> int:
    """Land what is new or changed in Salesforce since the last committed load; see ``ingestion.sources.salesforce.run.run``.

    Returns the number of HTTP requests. ConfigurationError, SourceError.
    """
    from ingestion.sources.salesforce.run import run  # the HTTP stack only when a source runs

    return run(company, landing, received_at=received_at, reporter=reporter)


def check(settings: SourceSettings) -> list[Finding]:
    """Try the credentials, and the right to read each object."""
    from ingestion.sources.salesforce.checking import findings

    return findings(settings)
