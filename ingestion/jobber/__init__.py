"""Jobber → ``raw_jobber``: clients, requests, quotes, jobs, visits, invoices, payments, users. How they are read is in ``run``."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from ingestion.about import About, Finding, Setting
from ingestion.jobber.tables import LISTINGS, TABLES
from salesgauge.progress import SILENT, Reporter

if TYPE_CHECKING:
    from ingestion.checking import Trial
    from ingestion.http import HttpClient, RetryPolicy
    from ingestion.landing import Landing
    from salesgauge.process import Process
    from salesgauge.settings import Company, SourceSettings

__all__ = ["ABOUT", "TABLES", "check", "extract"]

_CALLS = "calls, e-mails and texts are not in Jobber: connect the telephone system"
_TESTS = "Jobber can't mark a record as a test: the exclusions of process.yml must know them"
_QUOTES = "a deal begins with its quote and keeps its last approval or archival only; before that it is a lead, of which no owner is known"
_FIELDS = "fields that Jobber does not have are empty: owner and segments of requests, and the customer's answers"
_FORECAST = "quotes have no expected close date"
_FORECASTS = tuple(
    f"{metric}{by}"
    for metric in ("forecast_accuracy", "forecast_bias", "forecast_coverage_rate", "forecast_wape")
    for by in ("", "_by_branch", "_by_rep", "_by_service_line")
)
_SPEED = (
    "speed_to_lead_median_minutes", "speed_to_lead_p90_minutes", "speed_to_lead_never_contacted_rate",
    "speed_to_lead_within_5_minutes_rate", "speed_to_lead_within_target_rate",
)  # fmt: skip
_OF_DEALS = (
    "deals_created", "deals_won", "deals_lost", "won_amount", "lost_amount", "win_rate", "win_rate_by_amount", "win_loss_ratio",
    "sales_cycle_days_mean", "sales_cycle_days_median", "sales_cycle_days_p90", "stage_conversion_rate", "stage_pair_conversion_rate",
    "overall_conversion_rate", "period_conversion_rate",
)  # fmt: skip
ABOUT = About(
    name="jobber",
    label="Jobber",
    kind="field_service",
    settings=(
        Setting("client_id", "client id of the app", is_required=True, is_secret=True),
        Setting("client_secret", "client secret of the app", is_required=True, is_secret=True),
        Setting(
            "refresh_token",
            "of the connected account; newer ones are kept in var/credentials",
            is_required=True,
            is_secret=True,
        ),
        Setting("api_version", "GraphQL version, default 2026-04-13"),
        Setting("page_size", "records of a page, default 50: larger ones cost more points at once"),
        Setting("overlap_minutes", "how far each sync reads back, default 10"),
        Setting("whole_every_days", "how often all records are read to find deleted ones, default 7"),
    ),
    provides={
        "leads": "requests; status as it is, and as it was at each sync",
        "deals": "quotes, from the first offer on; last approval and archival",
        "accounts": "clients that are companies",
        "contacts": "clients",
        "appointments": "assessments and visits",
        "estimates": "quotes",
        "jobs": "",
        "invoices": "",
        "payments": "",
        "users": "without teams and branches",
    },
    limits={
        **dict.fromkeys(_SPEED, _CALLS),
        **dict.fromkeys(_OF_DEALS, _QUOTES),
        **dict.fromkeys(_FORECASTS, _FORECAST),
        **dict.fromkeys(("crm_completeness", "crm_complete_record_rate"), _FIELDS),
        **dict.fromkeys(("leads_created", "survey_responses", "nps", "csat"), _TESTS),
    },
    scopes=("read_clients", "read_requests", "read_quotes", "read_jobs", "read_invoices", "read_users"),
    requests_when_unchanged="11, and 1 per 50 visits from 30 days back to 90 days ahead and per 50 payments of 60 days; once a week all records",
)


def extract(
    company: Company, process: Process | None, landing: Landing, *, received_at: datetime, reporter: Reporter = SILENT
) -> int:
    """Land what is new or changed in Jobber; see ``ingestion.jobber.run.run``. Returns the number of requests. ConfigurationError, SourceError."""
    from ingestion.jobber.run import run  # the HTTP stack only when a source runs

    return run(company, landing, received_at=received_at, reporter=reporter)


def check(settings: SourceSettings) -> list[Finding]:
    """Try the app's credentials and version, then each listing."""
    from ingestion.checking import tried
    from ingestion.jobber.api import connect

    def connected(policy: RetryPolicy) -> tuple[HttpClient, list[Trial]]:
        api = connect(settings, policy)
        trials: list[Trial] = [("credentials and version", api.schema)]
        trials += [
            (f"read {one.name}", lambda one=one: next(api.read(one, page_size=1), None))  # type: ignore[misc]
            for one in LISTINGS
        ]
        return api.client, trials

    return tried(connected)
