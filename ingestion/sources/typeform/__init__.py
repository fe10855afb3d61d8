"""Typeform → ``raw_typeform``: form definitions and responses, completed and partial. How they are read is in ``run``."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from ingestion.connector.about import About, Finding, Setting
from ingestion.sources.typeform.tables import TABLES
from salesgauge.progress import SILENT, Reporter

if TYPE_CHECKING:
    from collections.abc import Callable

    from ingestion.http.client import HttpClient
    from ingestion.http.limits import RetryPolicy
    from ingestion.landing.load import Landing
    from salesgauge.process import Process
    from salesgauge.settings import Company, SourceSettings

__all__ = ["ABOUT", "TABLES", "check", "extract"]

ABOUT = About(
    name="typeform",
    label="Typeform",
    kind="surveys",
    settings=(
        Setting("access_token", "personal access token", is_required=True, is_secret=True),
        Setting("base_url", "default https://api.typeform.com; EU accounts: https://api.eu.typeform.com"),
        Setting("forms", "ids of the forms to read; default all"),
        Setting("overlap_minutes", "minutes back that each sync reads, default 60"),
    ),
    provides={"survey_answers": "NPS, satisfaction and comment of every response"},
    scopes=("forms:read", "responses:read"),
    requests_when_unchanged="1 per 200 forms and 2 per form",
)


def extract(
    company: Company, process: Process | None, landing: Landing, *, received_at: datetime, reporter: Reporter = SILENT
) -> int:
    """Land what is new or changed in Typeform since the last committed load; see ``ingestion.sources.typeform.run.run``.

    Returns the number of HTTP requests. ConfigurationError, SourceError.
    """
    from ingestion.sources.typeform.run import run  # the HTTP stack only when a source runs

    return run(company, landing, received_at=received_at, reporter=reporter)


def check(settings: SourceSettings) -> list[Finding]:
    """Try the token, and the rights to read forms and responses."""
    from ingestion.connector.checking import tried
    from ingestion.sources.typeform.run import connect

    def connected(policy: RetryPolicy) -> tuple[HttpClient, list[tuple[str, Callable[[], object]]]]:
        client = connect(settings, policy)

        def responses() -> None:
            forms = client.get("/forms", {"page_size": 1}).body.get("items") or []
            for form in forms[:1]:
                client.get(f"/forms/{form['id']}/responses", {"page_size": 1})

        return client, [("read forms", lambda: client.get("/forms", {"page_size": 1})), ("read responses", responses)]

    return tried(connected)
