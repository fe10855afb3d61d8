"""HubSpot → ``raw_hubspot``: contacts, companies, deals and leads with history, activities, quotes, invoices, payments, forms, owners, pipelines, links.

``tables`` says what is read, ``api`` speaks HTTP, ``known`` looks up what the raw log holds, ``run``, ``objects``, ``forms`` and ``stages`` decide
what is read again.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from ingestion.connector.about import CALLS_HANDLED, LOGGED_CALLS, About, Finding, Setting
from ingestion.sources.hubspot.tables import TABLES
from salesgauge.progress import SILENT, Reporter

if TYPE_CHECKING:
    from collections.abc import Callable

    from ingestion.http.client import HttpClient
    from ingestion.http.limits import RetryPolicy
    from ingestion.landing.load import Landing
    from salesgauge.process import Process
    from salesgauge.settings import Company, SourceSettings

__all__ = ["ABOUT", "TABLES", "check", "extract", "provides"]


def _pages(settings: SourceSettings) -> dict[str, str]:
    """Records' pages go by the number of the object's type: contacts 0-1, companies 0-2, deals 0-3, leads 0-136."""
    lead = "0-136" if settings.get("lead_object") == "leads" else "0-1"
    return {
        column: f"https://app.hubspot.com/contacts/{{portal_id}}/record/{kind}/{{id}}"
        for column, kind in (("lead_id", lead), ("deal_id", "0-3"), ("account_id", "0-2"))
    }


ABOUT = About(
    name="hubspot",
    label="HubSpot CRM",
    kind="crm",
    settings=(
        Setting("access_token", "service key or private-app token", is_required=True, is_secret=True),
        Setting("base_url", "default https://api.hubapi.com"),
        Setting("api_version", "v3 (default) or a date version such as 2026-03"),
        Setting("objects", "object types to read; default all (leads only if lead_object is leads)"),
        Setting("lead_object", 'what a lead is: "contacts" (default), or "leads" if the account uses that object'),
        Setting("overlap_minutes", "minutes back that each sync reads, default 10"),
        Setting("pages_per_part", "a long first load is committed every so many pages, default 200"),
        Setting(
            "recount_hours",
            "hours between two listings of all ids, at least, while the number of records is off; default 24",
        ),
        Setting("accept_deletions", "true for one run: most records of a type really were deleted"),
        Setting("portal_id", "number of the account, for the links of query --drill"),
    ),
    pages=_pages,
    provides={
        "leads": "contacts, or the leads object with its pipeline; exact status and owner history",
        "contacts": "contacts, if leads are objects of their own",
        "deals": "exact history of stage, pipeline, amount, close date and owner",
        "accounts": "companies",
        "activities": "calls, e-mails, meetings, tasks",
        "estimates": "quotes, if the account has them; the decision is the one on the deal",
        "invoices": "invoices, if the account has them",
        "payments": "commerce payments, if the account has them",
        "form_submissions": "form submissions, linked to leads by e-mail address",
        "users": "owners and their teams",
    },
    limits=dict.fromkeys(CALLS_HANDLED, LOGGED_CALLS),
    scopes=(
        "crm.objects.{contacts,companies,deals,owners}.read",
        "crm.schemas.{contacts,companies,deals}.read",
        "where used: crm.objects.{leads,quotes,invoices,commercepayments}.read, forms, sales-email-read",
    ),
    requests_when_unchanged=(
        "22 with up to 1,000 open deals; 3 more for leads, 2 for each of quotes, invoices and payments, 1 for forms and 1 per form"
    ),
)

# Entity → the object types of which one is enough; what is not here is read whatever `objects` says. Tasks alone tell of no contact.
_MADE_OF = {
    "contacts": {"contacts"},
    "deals": {"deals"},
    "accounts": {"companies"},
    "activities": {"calls", "emails", "meetings"},
    "estimates": {"quotes"},
    "invoices": {"invoices"},
    "payments": {"commerce_payments"},
    "form_submissions": {"forms"},
}


def extract(
    company: Company, process: Process | None, landing: Landing, *, received_at: datetime, reporter: Reporter = SILENT
) -> int:
    """Land what is new or changed in HubSpot since the last committed load; see ``ingestion.sources.hubspot.run.run``.

    Returns the number of HTTP requests. ConfigurationError, SourceError.
    """
    from ingestion.sources.hubspot.run import run  # the HTTP stack only when a source runs

    return run(company, landing, received_at=received_at, reporter=reporter)


def provides(settings: SourceSettings) -> set[str]:
    """The entities of ``ABOUT.provides`` that there are with the object types that ``objects`` names. ConfigurationError as in ``wanted``."""
    from ingestion.sources.hubspot.run import lead_object, wanted

    kinds, with_forms = wanted(settings)
    read = {kind.name for kind in kinds} | ({"forms"} if with_forms else set())
    made_of = {**_MADE_OF, "leads": {lead_object(settings)}}
    # contacts are the leads, unless those are objects of their own
    without = {"contacts"} if lead_object(settings) == "contacts" else set()
    return {entity for entity in ABOUT.provides if made_of.get(entity, read) & read} - without


def check(settings: SourceSettings) -> list[Finding]:
    """Try the token, and the right to read each object type. What not every account has is no failure: the advice says what is not read."""
    from dataclasses import replace

    from ingestion.connector.checking import tried
    from ingestion.sources.hubspot.api import connect
    from ingestion.sources.hubspot.run import wanted

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
