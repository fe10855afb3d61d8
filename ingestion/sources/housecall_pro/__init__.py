"""Housecall Pro → ``raw_housecall_pro``: customers, leads, estimates, jobs, invoices, employees. How they are read is in ``run``."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from ingestion.connector.about import (
    CHAIN,
    COMPLETENESS,
    CONVERSION,
    DEALS,
    FORECASTS,
    PIPELINE,
    QUALIFICATION,
    SPEED_TO_LEAD,
    VOLUME,
    About,
    Finding,
    Setting,
)
from ingestion.sources.housecall_pro.tables import LISTINGS, TABLES
from salesgauge.progress import SILENT, Reporter

if TYPE_CHECKING:
    from ingestion.connector.checking import Trial
    from ingestion.http.client import HttpClient
    from ingestion.http.limits import RetryPolicy
    from ingestion.landing.load import Landing
    from salesgauge.process import Process
    from salesgauge.settings import Company, SourceSettings

__all__ = ["ABOUT", "TABLES", "check", "extract"]

_TESTS = "Housecall Pro can't mark a record as a test: the exclusions of process.yml must know them; a lead has no date but its customer's"
_CALLS = "calls, e-mails and texts are not in Housecall Pro's API: connect the telephone system"
_WORK = "whole seconds; of several dates of a visit the last is known, and no no-show; an estimate without a price is no offer"
_ESTIMATES = "an estimate is won with its first job, lost once it is canceled or every option is declined; what came between is not known; whole seconds"
_FIELDS = "fields that Housecall Pro does not have are empty: campaign, service line, job type, the customer's answers"
_FORECAST = "estimates have no expected close date"
ABOUT = About(
    name="housecall_pro",
    label="Housecall Pro",
    kind="field_service",
    settings=(
        Setting("api_key", "API key that an administrator created (MAX plan)", is_required=True, is_secret=True),
        Setting("requests_per_second", "default 2: no limit is published"),
        Setting("overlap_hours", "hours back that each sync reads, default 24"),
        Setting("whole_every_days", "days between full readings, which find deleted records, default 7"),
    ),
    provides={
        "leads": "without dates of their own: the date of the customer, of the first estimate or job, or of the first sync that saw the lead",
        "deals": "estimates, and jobs without one",
        "accounts": "customers that are companies",
        "contacts": "customers",
        "appointments": "the date of an estimate or job",
        "estimates": "with the decision on each option",
        "jobs": "",
        "invoices": "",
        "payments": "",
        "users": "employees",
    },
    limits={
        **dict.fromkeys(SPEED_TO_LEAD, _CALLS),
        **dict.fromkeys(CHAIN, _WORK),
        "no_next_step_rate": "nothing tells when a visit was set, so one that is still to come is not known; tasks are not there",
        **dict.fromkeys((*DEALS, *CONVERSION), _ESTIMATES),
        **dict.fromkeys((*FORECASTS, *PIPELINE), _FORECAST),
        **dict.fromkeys((*COMPLETENESS, *QUALIFICATION), _FIELDS),
        **dict.fromkeys(VOLUME, _TESTS),
    },
    scopes=("API access of the MAX plan",),
    requests_when_unchanged="7, and 1 per 200 leads, per 200 employees and per 200 invoices that are open or of the last 60 days; once a week all records",
)


def extract(
    company: Company, process: Process | None, landing: Landing, *, received_at: datetime, reporter: Reporter = SILENT
) -> int:
    """Land what is new or changed in Housecall Pro; see ``ingestion.sources.housecall_pro.run.run``.

    Returns the number of requests. ConfigurationError, SourceError.
    """
    from ingestion.sources.housecall_pro.run import run  # the HTTP stack only when a source runs

    return run(company, landing, received_at=received_at, reporter=reporter)


def check(settings: SourceSettings) -> list[Finding]:
    """Try the key on each listing."""
    from ingestion.connector.checking import tried
    from ingestion.sources.housecall_pro.run import connect, pages

    def connected(policy: RetryPolicy) -> tuple[HttpClient, list[Trial]]:
        client = connect(settings, policy)
        return client, [
            (f"read {one.key}", lambda one=one: next(pages(client, one, page_size=1)))  # type: ignore[misc]
            for one in LISTINGS
        ]

    return tried(connected)
