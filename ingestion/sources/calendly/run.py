"""One sync of a Calendly organization: appointments around now, their invitees where something moved, the small lists. What they mean belongs to staging."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from ingestion import rawlog
from ingestion.connector.jobs import run_all
from ingestion.connector.moments import iso, moment
from ingestion.connector.rest import read
from ingestion.http.answers import ErrorReading, Refused
from ingestion.http.auth import Auth, Bearer, RefreshToken, TokenStore
from ingestion.http.client import HttpClient
from ingestion.http.limits import RateLimit, RetryPolicy, retry_after
from ingestion.landing.changes import Changes
from ingestion.landing.load import Landing
from ingestion.sources.calendly.tables import (
    EVENT_TYPES,
    EVENTS,
    INVITEES,
    MEMBERSHIPS,
    ROUTING_FORMS,
    SOURCE,
    SUBMISSIONS,
    listing,
)
from salesgauge.progress import Reporter
from salesgauge.settings import Company, SourceSettings

_LOG = logging.getLogger(__name__)
_RECENT = timedelta(days=14)  # a no-show is marked later, which may not move the appointment
_SECRET_LINKS = frozenset({"cancel_url", "reschedule_url"})  # whoever has them acts without a login


def run(company: Company, landing: Landing, *, received_at: datetime, reporter: Reporter) -> int:
    """Land what is new or changed; returns the number of requests sent.

    There is no filter by change: appointments that begin from ``behind_days`` back to ``ahead_days`` ahead are read each time, after a pause those of the
    pause too. Invitees are one request for each appointment: of those that moved, and of all of the last two weeks.
    """
    settings = company.source(SOURCE)
    client = connect(settings)
    cursors = rawlog.cursors(company, SOURCE)
    try:
        with Changes(company, landing, received_at=received_at, reporter=reporter) as changes:
            scope = organization(client, settings)
            for table, path in ((EVENT_TYPES, "/event_types"), (MEMBERSHIPS, "/organization_memberships")):
                for records in read(client, listing(table, path), {"organization": scope}):
                    changes.write(table, records)
            last = rawlog.last_loaded_at(company, SOURCE) if "events" in cursors else None
            events = _events(client, changes, scope, settings, received_at, last)
            moved = _moved(changes, events, received_at)
            jobs = [lambda one=one: _invitees(client, changes, one) for one in moved]
            run_all(client, jobs)
            newest = _submissions(client, changes, scope, cursors.get("submissions") or {})
            changes.land()
            if "events" not in cursors:
                landing.cursor("events", {"since": iso(received_at)})
            if newest and newest != cursors.get("submissions"):
                landing.cursor("submissions", newest)
    finally:
        client.close()
    return client.sent


def connect(settings: SourceSettings, policy: RetryPolicy | None = None) -> HttpClient:
    """A client for the organization: with a personal access token, or an app's refresh token. ConfigurationError for what is missing."""
    auth: Auth
    if settings.get("use_oauth"):
        form = {"client_id": settings.secret("client_id"), "client_secret": settings.secret("client_secret")}
        token_url = str(settings.get("token_url", "https://auth.calendly.com/oauth/token"))
        refresh = settings.secret("refresh_token")
        store = TokenStore(settings)
        auth = RefreshToken(SOURCE, token_url, refresh_token=refresh, form=form, store=store, lasts=7_200)
    else:
        auth = Bearer(settings.secret("access_token"))
    return HttpClient(
        source=SOURCE,
        base_url=str(settings.get("base_url", "https://api.calendly.com")),
        auth=auth,
        limits={"default": RateLimit(settings.number("requests_per_minute", 400), 60.0)},
        read_error=read_error,
        policy=policy or RetryPolicy(),
    )


def organization(client: HttpClient, settings: SourceSettings) -> str:
    """The address of the organization to read: the configured one, else that of the token's user."""
    named = settings.get("organization")
    if named:
        return str(named)
    resource = client.get("/users/me").body.get("resource") or {}
    return str(resource.get("current_organization"))


def read_error(status: int, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> ErrorReading:
    """Calendly's error answers in words. A 429 says in a header of its own when to come back."""
    message = str(body.get("message") or body.get("title") or "") or None
    advice = "Check base_url and organization in [sources.calendly] of .dlt/config.toml."
    if status == 401:
        advice = "Calendly does not accept the token. Put a valid one under 'access_token' in [sources.calendly] of .dlt/secrets.toml."
    elif status == 403:
        advice = "The token's user must be owner or administrator of the organization, and its plan must include this."
    wait = None
    if status == 429 and headers.get("Retry-After") is None and (reset := headers.get("X-RateLimit-Reset")):
        wait = retry_after({"Retry-After": reset})
    return ErrorReading(None, message, advice, wait=wait)


def _events(
    client: HttpClient, changes: Changes, scope: str, settings: SourceSettings, now: datetime, last: datetime | None
) -> list[dict[str, Any]]:
    """Write the appointments of the window, which reaches back from the ``last`` load (None: those of all time); those that could be read."""
    params: dict[str, Any] = {"organization": scope, "sort": "start_time:asc"}
    if last is not None:
        params["min_start_time"] = iso(min(now, last) - timedelta(days=settings.number("behind_days", 30)))
        params["max_start_time"] = iso(now + timedelta(days=settings.number("ahead_days", 180)))
    found: list[dict[str, Any]] = []
    for records in read(client, listing(EVENTS, "/scheduled_events"), params):
        changes.write(EVENTS, records)
        found += [one for one in records if isinstance(one, dict) and one.get("uri")]
    return found


def _moved(changes: Changes, events: Iterable[dict[str, Any]], now: datetime) -> list[str]:
    """The appointments whose invitees are to be read."""
    known = dict(changes.query(f"select uri, modified_at from {changes.newest(EVENTS)}"))
    moved = []
    for event in events:
        starts = moment(event.get("start_time"))
        is_recent = starts is not None and now - _RECENT <= starts <= now
        if is_recent or known.get(event["uri"]) is None or known[event["uri"]] != moment(event.get("updated_at")):
            moved.append(str(event["uri"]))
    return list(dict.fromkeys(moved))


def _invitees(client: HttpClient, changes: Changes, event: str) -> None:
    path = f"/scheduled_events/{urlsplit(event).path.rpartition('/')[2]}/invitees"
    for records in read(client, listing(INVITEES, path)):
        changes.write(INVITEES, [_without_links(one) for one in records])


def _without_links(record: Any) -> Any:
    if not isinstance(record, dict):
        return record
    return {name: value for name, value in record.items() if name not in _SECRET_LINKS}


def _submissions(client: HttpClient, changes: Changes, scope: str, cursor: Mapping[str, str]) -> dict[str, str]:
    """Write the submissions of every routing form, newest first down to the cursor; the newest of each. None where the plan lacks them."""
    newest = dict(cursor)
    try:
        for forms in read(client, listing(ROUTING_FORMS, "/routing_forms"), {"organization": scope}):
            changes.write(ROUTING_FORMS, forms)
            for form in (str(one["uri"]) for one in forms if isinstance(one, dict) and one.get("uri")):
                seen, until = moment(cursor.get(form)), moment(cursor.get(form))
                params = {"form": form, "sort": "created_at:desc"}
                for records in read(client, listing(SUBMISSIONS, "/routing_form_submissions"), params):
                    changes.write(SUBMISSIONS, records)
                    moments = [at for one in records if isinstance(one, dict) and (at := moment(one.get("created_at")))]
                    seen = max([*moments, *([seen] if seen else [])], default=None)
                    if until is not None and any(at < until for at in moments):
                        break
                if seen is not None:
                    newest[form] = iso(seen)
    except Refused as error:
        if error.status not in (403, 404):
            raise
        _LOG.info("%s: routing forms are not part of this plan; they are left out", SOURCE)
    return newest
