"""ServiceTitan → ``raw_servicetitan``: leads, bookings, calls, jobs, estimates, invoices, people, campaigns. How they are read is in ``run``."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ingestion.connector.about import (
    CALLS_HANDLED,
    CHAIN,
    COMPLETENESS,
    CONVERSION,
    DEALS,
    FORECASTS,
    PIPELINE,
    QUALIFICATION,
    SPEED_TO_LEAD,
    TOUCHES,
    VOLUME,
    About,
    Finding,
    Setting,
)
from ingestion.sources.servicetitan.tables import FEEDS, TABLES
from salesgauge.progress import SILENT, Reporter

if TYPE_CHECKING:
    from ingestion.connector.checking import Trial
    from ingestion.http.client import HttpClient
    from ingestion.http.limits import RetryPolicy
    from ingestion.landing.load import Landing
    from salesgauge.process import Process
    from salesgauge.settings import Company, SourceSettings

__all__ = ["ABOUT", "TABLES", "check", "extract"]

_TESTS = "ServiceTitan can't mark a record as a test: the exclusions of process.yml must know them"
_SPEED = "calls and appointments are there, e-mails and texts are not; an appointment that a customer booked online counts as an answer"
_CALLS = "a call that nobody answered is an abandoned one, a voicemail too; how long an answered call rang is not told"
_WORK = "whole seconds; a customer who was not there canceled; every option is an estimate of its own; the work of a deleted record is gone"
_JOBS = "a job is won by its first sold estimate, lost once it is canceled or no estimate is left; what came between is not known; whole seconds"
_FIELDS = "fields that ServiceTitan does not have are empty: a lead's owner, first name and customer type, a job's answers of the customer"
_FORECAST = "jobs have no expected close date"
ABOUT = About(
    name="servicetitan",
    label="ServiceTitan",
    kind="field_service",
    settings=(
        Setting("tenant_id", "number of the tenant", is_required=True),
        Setting("client_id", "client id of the app for this tenant", is_required=True, is_secret=True),
        Setting("client_secret", "client secret of the app for this tenant", is_required=True, is_secret=True),
        Setting("app_key", "application key", is_required=True, is_secret=True),
        Setting("requests_per_second", "default 50 of the 60 that ServiceTitan allows"),
        Setting("base_url", "default https://api.servicetitan.io"),
        Setting("token_url", "default https://auth.servicetitan.io/connect/token"),
    ),
    pages=lambda _: {"deal_id": "https://go.servicetitan.com/#/Job/Index/{id}"},
    provides={
        "leads": "leads, online bookings and lead calls, each inquiry once; the present status, and the status at each sync",
        "deals": "jobs that did not come from a sold estimate",
        "accounts": "customers",
        "contacts": "customers",
        "calls": "with campaign and recording",
        "activities": "calls and appointments",
        "appointments": "exact times of booking",
        "estimates": "exact times of offer, sale and dismissal",
        "jobs": "",
        "invoices": "",
        "payments": "",
        "campaigns": "",
        "spend": "daily cost of campaigns",
        "users": "employees and technicians with their business unit",
    },
    limits={
        **dict.fromkeys(SPEED_TO_LEAD, _SPEED),
        **dict.fromkeys(CALLS_HANDLED, _CALLS),
        **dict.fromkeys(CHAIN, _WORK),
        **dict.fromkeys(TOUCHES, "calls and appointments are touches, e-mails and texts are not there"),
        "no_next_step_rate": "appointments are next steps, tasks are not there",
        **dict.fromkeys((*DEALS, *CONVERSION), _JOBS),
        **dict.fromkeys((*FORECASTS, *PIPELINE), _FORECAST),
        **dict.fromkeys((*COMPLETENESS, *QUALIFICATION), _FIELDS),
        **dict.fromkeys(VOLUME, _TESTS),
    },
    scopes=tuple(sorted({f"{feed.name} (read)" for feed in FEEDS} | {"sales/estimates status changes (read)"})),
    requests_when_unchanged="21, one for each feed and list, and one for the token; one more where the last changes of a feed lie on two pages",
)


def extract(
    company: Company, process: Process | None, landing: Landing, *, received_at: datetime, reporter: Reporter = SILENT
) -> int:
    """Land what is new or changed in ServiceTitan; see ``ingestion.sources.servicetitan.run.run``.

    Returns the number of requests. ConfigurationError, SourceError.
    """
    from ingestion.sources.servicetitan.run import run  # the HTTP stack only when a source runs

    return run(company, landing, received_at=received_at, reporter=reporter)


def check(settings: SourceSettings) -> list[Finding]:
    """Try the credentials, then the scope of each feed and list."""
    from ingestion.connector.checking import tried
    from ingestion.sources.servicetitan.api import connect

    def connected(policy: RetryPolicy) -> tuple[HttpClient, list[Trial]]:
        api = connect(settings, policy)
        today = datetime.now(UTC).date().isoformat()  # a feed from today on is short
        trials: list[Trial] = [
            (
                f"read {feed.name}",
                lambda feed=feed: next(iter(api.listing(feed, 1) if feed.is_list else api.feed(feed, today)), None),  # type: ignore[misc]
            )
            for feed in FEEDS
        ]
        return api.client, trials

    optional = {f"read {feed.name}" for feed in FEEDS if feed.is_optional}
    return [_judged(finding, finding.what in optional) for finding in tried(connected)]


def _judged(finding: Finding, is_optional: bool) -> Finding:
    if finding.is_ok or not finding.what.startswith("read ") or "scope" not in finding.advice:
        return finding
    consequence = "without it its data is left out" if is_optional else "a sync can't run without it"
    return replace(finding, advice=f"{finding.advice} For Salesgauge: {consequence}.")
