"""HubSpot → ``raw_hubspot``: contacts, companies, deals with history, activities, owners, pipelines, links; live and archived.

``tables`` says what is read, ``api`` speaks HTTP, ``known`` looks up what the raw log holds, ``run`` and ``objects`` decide what is read again.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from ingestion.about import About, Finding, Setting
from ingestion.hubspot.tables import TABLES
from salesgauge.progress import SILENT, Reporter

if TYPE_CHECKING:
    from collections.abc import Callable

    from ingestion.http import HttpClient, RetryPolicy
    from ingestion.landing import Landing
    from salesgauge.process import Process
    from salesgauge.settings import Company, SourceSettings

__all__ = ["ABOUT", "TABLES", "check", "extract"]

ABOUT = About(
    name="hubspot",
    label="HubSpot CRM",
    kind="crm",
    settings=(
        Setting("access_token", "service key or private-app token", is_required=True, is_secret=True),
        Setting("base_url", "default https://api.hubapi.com"),
        Setting("api_version", "v3 (default) or a date version such as 2026-03"),
        Setting("objects", "object types to read; default all"),
        Setting("overlap_minutes", "how far each sync reads back, default 10"),
    ),
    provides={
        "leads": "contacts, exact status and owner history",
        "deals": "exact history of stage, pipeline, amount, close date and owner",
        "accounts": "companies",
        "activities": "calls, e-mails, meetings, tasks",
        "users": "owners and their teams",
    },
    scopes=("crm.objects.{contacts,companies,deals,owners}.read", "crm.schemas.{contacts,companies,deals}.read"),
    requests_when_unchanged="19 with up to 1,000 open deals",
)


def extract(
    company: Company, process: Process | None, landing: Landing, *, received_at: datetime, reporter: Reporter = SILENT
) -> int:
    """Land what is new or changed in HubSpot since the last committed load; see ``ingestion.hubspot.run.run``.

    Returns the number of HTTP requests. ConfigurationError, SourceError.
    """
    from ingestion.hubspot.run import run  # the HTTP stack only when a source runs

    return run(company, landing, received_at=received_at, reporter=reporter)


def check(settings: SourceSettings) -> list[Finding]:
    """Try the token, and the right to read each object type. What not every account has is no failure: the advice says what is not read."""
    from dataclasses import replace

    from ingestion.checking import tried
    from ingestion.hubspot.api import connect
    from ingestion.hubspot.run import wanted

    optional: set[str] = set()

    def connected(policy: RetryPolicy) -> tuple[HttpClient, list[tuple[str, Callable[[], object]]]]:
        api = connect(settings, policy)
        kinds, with_forms = wanted(settings)
        trials: list[tuple[str, Callable[[], object]]] = [
            ("read owners", lambda: next(iter(api.owners(archived=False)), None))
        ]
        for kind in kinds:
            name = f"read {kind.name}{', if the account has them' if kind.is_optional else ''}"
            trials.append((name, lambda kind=kind: api.try_reading(kind.name)))  # type: ignore[misc]
            optional.update([name] if kind.is_optional else ())
            if kind.name in ("deals", "leads"):
                trials.append((f"read pipelines of {kind.name}", lambda kind=kind: api.pipelines(kind.name)))  # type: ignore[misc]
        if with_forms:
            optional.add("read forms, if the account has them")
            trials.append(("read forms, if the account has them", lambda: next(iter(api.forms()), None)))
        return api.client, trials

    found = tried(connected)
    return [
        replace(one, is_ok=True, advice=f"Not read: {one.advice}") if one.what in optional and not one.is_ok else one
        for one in found
    ]
