"""SurveyMonkey → ``raw_surveymonkey``: surveys with their questions, and responses. How they are read is in ``run``."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from ingestion.connector.about import About, Finding, Setting
from ingestion.sources.surveymonkey.tables import TABLES
from salesgauge.errors import SourceError
from salesgauge.progress import SILENT, Reporter

if TYPE_CHECKING:
    from collections.abc import Callable

    from ingestion.connector.checking import Trial
    from ingestion.http.client import HttpClient
    from ingestion.http.limits import RetryPolicy
    from ingestion.landing.load import Landing
    from salesgauge.process import Process
    from salesgauge.settings import Company, SourceSettings

__all__ = ["ABOUT", "TABLES", "check", "extract"]

ABOUT = About(
    name="surveymonkey",
    label="SurveyMonkey",
    kind="surveys",
    settings=(
        Setting("access_token", "access token of the app", is_required=True, is_secret=True),
        Setting("base_url", "default https://api.surveymonkey.com/v3; EU accounts: https://api.eu.surveymonkey.com/v3"),
        Setting("overlap_minutes", "minutes back that each sync reads, default 5"),
        Setting("whole_every_days", "days between readings of all ids, which find deleted responses, default 7"),
        Setting("requests_per_minute", "default 100 of the 120 that SurveyMonkey allows"),
    ),
    provides={"survey_answers": "NPS, satisfaction and comment of every response"},
    scopes=("surveys_read", "responses_read", "responses_read_detail"),
    requests_when_unchanged="1 per 1,000 surveys and 1 per survey; once a week 1 per 1,000 responses",
)


def extract(
    company: Company, process: Process | None, landing: Landing, *, received_at: datetime, reporter: Reporter = SILENT
) -> int:
    """Land what is new or changed in SurveyMonkey; see ``ingestion.sources.surveymonkey.run.run``.

    Returns the number of requests. ConfigurationError, SourceError.
    """
    from ingestion.sources.surveymonkey.run import run  # the HTTP stack only when a source runs

    return run(company, landing, received_at=received_at, reporter=reporter)


def check(settings: SourceSettings) -> list[Finding]:
    """Try the token, and whether it was granted each scope."""
    from ingestion.connector.checking import tried
    from ingestion.sources.surveymonkey.run import connect

    def connected(policy: RetryPolicy) -> tuple[HttpClient, list[Trial]]:
        client = connect(settings, policy)

        def granted(scope: str) -> Callable[[], None]:
            def trial() -> None:
                listed = str(client.get("/users/me").headers.get("X-OAuth-Scopes-Granted") or "")
                if scope not in listed.replace(",", " ").split():
                    raise SourceError(
                        f"The token was not granted {scope}. Grant it to the app in SurveyMonkey's developer portal and make a new token."
                    )

            return trial

        trials: list[Trial] = [("the token", lambda: client.get("/users/me"))]
        trials += [(f"scope {scope}", granted(scope)) for scope in ABOUT.scopes]
        return client, trials

    return tried(connected)
