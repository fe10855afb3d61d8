"""One sync of a Twilio account: calls and recordings since the last days. What legs mean belongs to staging."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from ingestion import rawlog
from ingestion.connector.moments import iso, moment
from ingestion.connector.rest import read
from ingestion.http.answers import ErrorReading
from ingestion.http.auth import Basic
from ingestion.http.client import HttpClient
from ingestion.http.limits import RateLimit, RetryPolicy
from ingestion.landing.changes import Changes
from ingestion.landing.load import Landing
from ingestion.rawlog.declarations import RawTable
from ingestion.sources.twilio.tables import CALLS, RECORDINGS, SOURCE, listing
from salesgauge.progress import Reporter
from salesgauge.settings import Company, SourceSettings

_MONTH = timedelta(days=31)
# table, path, the filter by day, the column that it filters by
_LISTS = ((CALLS, "Calls", "StartTime", "started_at"), (RECORDINGS, "Recordings", "DateCreated", "created_at"))


def run(company: Company, landing: Landing, *, received_at: datetime, reporter: Reporter) -> int:
    """Land what is new or changed; returns the number of requests sent.

    There is no filter by change, and the filters know days only: calls that began in the last ``reread_days`` are read again, since their end
    and price come later. A first load goes month by month: a deep page of a long list can fail.
    """
    settings = company.source(SOURCE)
    client, base = connect(settings), base_path(settings)
    cursors = rawlog.cursors(company, SOURCE)
    try:
        with Changes(company, landing, received_at=received_at, reporter=reporter) as changes:
            reread = timedelta(days=settings.number("reread_days", 2))
            history = timedelta(days=settings.number("history_days", 395))
            for table, path, name, column in _LISTS:
                newest = moment((cursors.get(table.name) or {}).get("until"))
                begins = (received_at - history if newest is None else newest - reread).date()
                seen = _window(client, changes, table, (base, path, name), begins, received_at.date())
                changes.complete(table, f"{column} >= timestamp '{begins.isoformat()}'")
                latest = max((at for at in (newest, seen) if at is not None), default=None)
                if latest is not None:
                    landing.cursor(table.name, {"until": iso(latest)})
            changes.land()
    finally:
        client.close()
    return client.sent


def base_path(settings: SourceSettings) -> str:
    """The path of the account; ConfigurationError where it is not named."""
    return f"/2010-04-01/Accounts/{settings.require('account_sid')}"


def connect(settings: SourceSettings, policy: RetryPolicy | None = None) -> HttpClient:
    """A client for the account; ConfigurationError for a missing key."""
    return HttpClient(
        source=SOURCE,
        base_url=str(settings.get("base_url", "https://api.twilio.com")),
        auth=Basic(settings.secret("api_key"), settings.secret("api_secret")),
        limits={"default": RateLimit(settings.number("requests_per_second", 10), 1.0)},
        read_error=read_error,
        policy=policy or RetryPolicy(first_wait=1.0),
    )


def read_error(status: int, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> ErrorReading:
    """Twilio's error answers in words."""
    code, message = str(body["code"]) if body.get("code") else None, body.get("message")
    if status in (401, 403):
        advice = "Twilio does not accept the key for this account. Put an API key and its secret under 'api_key' and 'api_secret' in [sources.twilio] of .dlt/secrets.toml."
        return ErrorReading(code, message, advice)
    return ErrorReading(
        code,
        message,
        "Check account_sid in [sources.twilio] of .dlt/config.toml, and base_url where the account lives in a region.",
    )


def _window(
    client: HttpClient, changes: Changes, table: RawTable, where: tuple[str, str, str], begins: date, ends: date
) -> datetime | None:
    """Read what began on the days from ``begins`` on; the newest moment of it."""
    base, path, name = where
    newest: datetime | None = None
    while begins <= ends:
        upto = begins + _MONTH
        params = {f"{name}>": begins.isoformat()}
        if upto <= ends:  # the last month has no end: what comes in meanwhile comes too
            params[f"{name}<"] = upto.isoformat()
        for records in read(client, listing(table, base, path), params):
            changes.write(table, records)
            moments = (_moment(one) for one in records if isinstance(one, dict))
            newest = max((at for at in (newest, *moments) if at is not None), default=None)
        begins = upto
    return newest


def _moment(record: Mapping[str, Any]) -> datetime | None:
    for name in ("start_time", "date_created"):
        try:
            return parsedate_to_datetime(str(record.get(name) or "")).replace(tzinfo=None)
        except (TypeError, ValueError):
            continue
    return None
