"""Calendly → ``raw_calendly``: appointments with their invitees, meeting types, members, routing forms. How they are read is in ``run``."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from ingestion.connector.about import About, Finding, Setting
from ingestion.sources.calendly.tables import TABLES
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
    name="calendly",
    label="Calendly",
    kind="scheduling",
    settings=(
        Setting(
            "access_token",
            "personal access token of an owner or administrator",
            is_required=True,
            is_secret=True,
            unless="use_oauth",
        ),
        Setting("use_oauth", "true: an app's client_id, client_secret and refresh_token instead of a token"),
        Setting("client_id", "client id of the app", is_secret=True, given_with="use_oauth"),
        Setting("client_secret", "client secret of the app", is_secret=True, given_with="use_oauth"),
        Setting("refresh_token", "refresh token of the connected account", is_secret=True, given_with="use_oauth"),
        Setting("organization", "URI of the organization; default: the one of the token's user"),
        Setting("behind_days", "days back that each sync reads appointments, default 30"),
        Setting("ahead_days", "days ahead that it reads them, default 180: nobody can book further"),
        Setting("requests_per_minute", "default 400 of the 500 that Calendly allows on paid plans; 40 on free ones"),
    ),
    provides={
        "appointments": "when they were booked, canceled, moved or missed; linked to leads by e-mail and telephone number",
        "activities": "appointments, as meetings; one that the customer booked does not count as our answer",
        "form_submissions": "routing forms, where the plan has them",
        "payments": "what invitees paid when they booked",
    },
    scopes=("personal access token of an owner or administrator",),
    requests_when_unchanged="6, 1 per 100 appointments of the window, and 1 for each appointment of the last 14 days",
)


def extract(
    company: Company, process: Process | None, landing: Landing, *, received_at: datetime, reporter: Reporter = SILENT
) -> int:
    """Land what is new or changed in Calendly; see ``ingestion.sources.calendly.run.run``. Returns the number of requests. ConfigurationError, SourceError."""
    from ingestion.sources.calendly.run import run  # the HTTP stack only when a source runs

    return run(company, landing, received_at=received_at, reporter=reporter)


def check(settings: SourceSettings) -> list[Finding]:
    """Try the token, and the right to read the organization's appointments and members."""
    from ingestion.connector.checking import tried
    from ingestion.sources.calendly.run import connect, organization

    def connected(policy: RetryPolicy) -> tuple[HttpClient, list[Trial]]:
        client = connect(settings, policy)
        trials: list[Trial] = [("the token", lambda: client.get("/users/me"))]
        for path, what in (("/scheduled_events", "appointments"), ("/organization_memberships", "members")):
            trials.append(
                (
                    f"read {what} of the organization",
                    lambda path=path: client.get(path, {"organization": organization(client, settings), "count": 1}),  # type: ignore[misc]
                )
            )
        return client, trials

    return tried(connected)
