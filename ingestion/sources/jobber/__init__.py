"""Jobber → ``raw_jobber``: clients, requests, quotes, jobs, visits, invoices, payments, users. How they are read is in ``run``."""

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
from ingestion.sources.jobber.tables import LISTINGS, TABLES
from salesgauge.progress import SILENT, Reporter

if TYPE_CHECKING:
    from ingestion.connector.checking import Trial
    from ingestion.http.client import HttpClient
    from ingestion.http.limits import RetryPolicy
    from ingestion.landing.load import Landing
    from salesgauge.process import Process
    from salesgauge.settings import Company, SourceSettings

__all__ = ["ABOUT", "TABLES", "check", "extract"]

_CALLS = "calls, e-mails and texts are not in Jobber: connect the telephone system"
_TESTS = "Jobber can't mark a record as a test: the exclusions of process.yml must know them"
_WORK = "whole seconds; one assessment for each request, and no no-show; a quote has no options"
_QUOTES = "a deal begins with its quote and keeps its last approval or archival only; before that it is a lead, of which no owner is known"
_FIELDS = "fields that Jobber does not have are empty: owner and segments of requests, and the customer's answers"
_FORECAST = "quotes have no expected close date"
ABOUT = About(
    name="jobber",
    label="Jobber",
    kind="field_service",
    settings=(
        Setting("client_id", "client id of the app", is_required=True, is_secret=True),
        Setting("client_secret", "client secret of the app", is_required=True, is_secret=True),
        Setting(
            "refresh_token",
            "refresh token of the connected account; newer ones are kept in var/credentials",
            is_required=True,
            is_secret=True,
        ),
        Setting("api_version", "GraphQL version, default 2026-04-13"),
        Setting("page_size", "records per page, default 50: larger pages cost more points at once"),
        Setting("overlap_minutes", "minutes back that each sync reads, default 10"),
        Setting("whole_every_days", "days between full readings, which find deleted records, default 7"),
    ),
    provides={
        "leads": "requests; the present status, and the status at each sync",
        "deals": "quotes, from the first offer on; last approval and archival",
        "accounts": "clients that are companies",
        "contacts": "clients",
        "appointments": "assessments and visits",
        "estimates": "quotes",
        "jobs": "",
        "invoices": "",
        "payments": "",
        "users": "they have no teams or branches",
    },
    limits={
        **dict.fromkeys(SPEED_TO_LEAD, _CALLS),
        **dict.fromkeys(CHAIN, _WORK),
        "no_next_step_rate": "nothing tells when a visit was set, so one that is still to come is not known; tasks are not there",
        **dict.fromkeys((*DEALS, *CONVERSION), _QUOTES),
        **dict.fromkeys((*FORECASTS, *PIPELINE), _FORECAST),
        **dict.fromkeys((*COMPLETENESS, *QUALIFICATION), _FIELDS),
        **dict.fromkeys(VOLUME, _TESTS),
    },
    scopes=("read_clients", "read_requests", "read_quotes", "read_jobs", "read_invoices", "read_users"),
    requests_when_unchanged="11, and 1 per 50 visits from 30 days back to 90 days ahead and per 50 payments of 60 days; once a week all records",
)


def extract(
    company: Company, process: Process | None, landing: Landing, *, received_at: datetime, reporter: Reporter = SILENT
) -> int:
    """Land what is new or changed in Jobber; see ``ingestion.sources.jobber.run.run``. Returns the number of requests. ConfigurationError, SourceError."""
    from ingestion.sources.jobber.run import run  # the HTTP stack only when a source runs

    return run(company, landing, received_at=received_at, reporter=reporter)


def check(settings: SourceSettings) -> list[Finding]:
    """Try the app's credentials and version, then each listing."""
    from ingestion.connector.checking import tried
    from ingestion.sources.jobber.api import connect

    def connected(policy: RetryPolicy) -> tuple[HttpClient, list[Trial]]:
        api = connect(settings, policy)
        trials: list[Trial] = [("credentials and version", api.schema)]
        trials += [
            (f"read {one.name}", lambda one=one: next(api.read(one, page_size=1), None))  # type: ignore[misc]
            for one in LISTINGS
        ]
        return api.client, trials

    return tried(connected)
