"""One sync of a CallRail account: new calls and forms, those of the last weeks once more, and the small lists. What they mean belongs to staging."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from ingestion import rawlog
from ingestion.connector.moments import iso, moment
from ingestion.connector.rest import read
from ingestion.http.answers import ErrorReading, Refused
from ingestion.http.auth import Headers
from ingestion.http.client import HttpClient
from ingestion.http.limits import RateLimit, RetryPolicy
from ingestion.http.steady import Seen, steadily
from ingestion.landing.changes import Changes
from ingestion.landing.load import Landing
from ingestion.rawlog.declarations import RawTable
from ingestion.sources.callrail.tables import (
    CALLS,
    COMPANIES,
    FIELDS,
    FORM_FIELDS,
    FORMS,
    INTELLIGENCE,
    SOURCE,
    TRACKERS,
    USERS,
    listing,
)
from salesgauge.errors import ConfigurationError
from salesgauge.progress import Reporter
from salesgauge.settings import Company, SourceSettings

_LOG = logging.getLogger(__name__)
_KEPT_DAYS = 25 * 30  # CallRail keeps 25 months and refuses a range that begins before
_MONTH = timedelta(days=31)


def run(company: Company, landing: Landing, *, received_at: datetime, reporter: Reporter) -> int:
    """Land what is new or changed; returns the number of requests sent.

    There is no filter by change: calls and forms of the last ``reread_days`` are read again, and those that are missing there were deleted or
    marked as spam. A first load goes month by month, as far back as CallRail keeps them.
    """
    settings = company.source(SOURCE)
    client = connect(settings)
    cursors = rawlog.cursors(company, SOURCE)
    try:
        with Changes(company, landing, received_at=received_at, reporter=reporter) as changes:
            name = account(client, settings)
            reread = timedelta(days=settings.number("reread_days", 30))
            for table, path in ((COMPANIES, "companies"), (USERS, "users"), (TRACKERS, "trackers")):
                _all(client, changes, table, path, name)
                changes.complete(table)
            for table, path, column in ((CALLS, "calls", "start_time"), (FORMS, "form_submissions", "submitted_at")):
                newest = moment((cursors.get(table.name) or {}).get("until"))
                oldest = received_at - timedelta(days=_KEPT_DAYS)
                begins = oldest if newest is None else max(oldest, newest - reread)
                seen = _window(client, changes, table, path, column, name, begins, received_at)
                changes.complete(table, f"{column} >= timestamp '{begins.isoformat(sep=' ')}'")
                latest = max((at for at in (newest, seen) if at is not None), default=None)
                if latest is not None:
                    landing.cursor(table.name, {"until": iso(latest)})
            changes.land()
    finally:
        client.close()
    return client.sent


def account(client: HttpClient, settings: SourceSettings) -> str:
    """The account to read: the configured one, else the only one that the key sees. ConfigurationError where there are several."""
    named = settings.get("account_id")
    if named:
        return str(named)
    accounts = client.get("/a.json").body.get("accounts") or []
    ids = [str(one.get("id")) for one in accounts if isinstance(one, dict)]
    if len(ids) != 1:
        raise ConfigurationError(
            f".dlt/config.toml: the key of [sources.{SOURCE}] sees {len(ids)} accounts. Name one under 'account_id': {', '.join(ids) or 'none'}."
        )
    return ids[0]


def connect(settings: SourceSettings, policy: RetryPolicy | None = None) -> HttpClient:
    """A client for the account; ConfigurationError for a missing key."""
    return HttpClient(
        source=SOURCE,
        base_url=str(settings.get("base_url", "https://api.callrail.com/v3")),
        auth=Headers({"Authorization": f'Token token="{settings.secret("api_key")}"'}),
        limits={"default": RateLimit(settings.number("requests_per_hour", 900), 3600.0)},
        read_error=read_error,
        policy=policy or RetryPolicy(seconds=900.0, longest_wait=240.0),
    )


def read_error(status: int, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> ErrorReading:
    """CallRail's error answers in words. A 429 says nothing of how long: the limits are per hour and per day."""
    message = str(body.get("error") or "") or None
    if status == 401:
        advice = "CallRail does not accept the key. Put a valid API key under 'api_key' in [sources.callrail] of .dlt/secrets.toml."
        return ErrorReading(None, message, advice)
    if status in (403, 404):
        advice = "The key's user may not see this account. Use the key of an administrator, or correct 'account_id' in [sources.callrail]."
        return ErrorReading(None, message, advice)
    return ErrorReading(
        None, message, "Check base_url and account_id in [sources.callrail].", wait=60.0 if status == 429 else None
    )


def _all(
    client: HttpClient,
    changes: Changes,
    table: RawTable,
    path: str,
    name: str,
    params: Mapping[str, Any] | None = None,
    column: str = "",
) -> datetime | None:
    """Read a listing as a whole, again where a record that was deleted meanwhile moved others to a page that was read; the newest ``column``."""

    def read_all(seen: Seen) -> datetime | None:
        newest: datetime | None = None
        for records in read(client, listing(table, path), params, seen, account=name):
            changes.write(table, records)
            moments = (moment(one.get(column)) for one in records if isinstance(one, dict))
            newest = max((at for at in (newest, *moments) if at is not None), default=None)
        return newest

    return steadily(read_all, f"{SOURCE}: GET {path}")


def _window(
    client: HttpClient,
    changes: Changes,
    table: RawTable,
    path: str,
    column: str,
    name: str,
    begins: datetime,
    ends: datetime,
) -> datetime | None:
    """Read the records from ``begins`` on, month by month; the newest moment among them."""
    newest: datetime | None = None
    fields = f"{FIELDS},{INTELLIGENCE}" if table is CALLS else FORM_FIELDS
    while begins <= ends:
        upto = begins + _MONTH
        params = {
            "start_date": f"{begins.isoformat(timespec='seconds')}Z",
            "fields": fields,
            "sort": column,
            "order": "asc",
        }
        if upto <= ends:  # the last month has no end: what comes in meanwhile comes too
            params["end_date"] = f"{upto.isoformat(timespec='seconds')}Z"
        try:
            found = _all(client, changes, table, path, name, params, column)
            newest = max((at for at in (newest, found) if at is not None), default=None)
        except Refused as error:
            if error.status != 400 or INTELLIGENCE not in fields:
                raise
            _LOG.info("%s: the plan has no transcripts and keywords; calls are read without", SOURCE)
            fields = FIELDS
            continue
        begins = upto
    return newest
