"""One sync of a Housecall Pro company: listings by page, newest changes first, and all of them once a week. What records mean belongs to staging."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ingestion import rawlog
from ingestion.connector.moments import iso, moment
from ingestion.http.answers import ErrorReading, Refused
from ingestion.http.auth import Headers
from ingestion.http.client import HttpClient
from ingestion.http.limits import RateLimit, RetryPolicy
from ingestion.http.paging import PAGE_CAP
from ingestion.http.steady import Seen, refuse_repeated
from ingestion.landing.changes import Changes
from ingestion.landing.load import Landing
from ingestion.sources.housecall_pro.tables import LISTINGS, SOURCE, Listing
from salesgauge.errors import SourceError
from salesgauge.progress import Reporter
from salesgauge.settings import Company, SourceSettings

_LOG = logging.getLogger(__name__)
_PAGE = 200
_TRIES = 3
_INVOICES = timedelta(days=60)


def run(company: Company, landing: Landing, *, received_at: datetime, reporter: Reporter) -> int:
    """Land what is new or changed; returns the number of requests sent.

    There is no filter by change: listings are sorted by it and read down to ``overlap_hours`` before the newest one that was seen. Deletions show only in
    a whole listing, which is read every ``whole_every_days``; leads have no dates at all and are read as a whole each time.
    """
    settings = company.source(SOURCE)
    client = connect(settings)
    cursors = rawlog.cursors(company, SOURCE)
    overlap = timedelta(hours=settings.number("overlap_hours", 24))
    every = timedelta(days=settings.number("whole_every_days", 7))
    try:
        with Changes(company, landing, received_at=received_at, reporter=reporter) as changes:
            reading = _Reading(client, changes, overlap, received_at, set())
            kept: dict[str, dict[str, str]] = {}
            for listing in LISTINGS:
                cursor = cursors.get(listing.table_name) or {}
                whole_at = moment(cursor.get("whole_at"))
                is_whole = whole_at is None or received_at - whole_at >= every
                newest = reading.read(listing, None if is_whole else cursor)
                until = max((at for at in (moment(cursor.get("until")), newest) if at is not None), default=None)
                read_at = received_at if is_whole and listing.table_name not in reading.restless else whole_at
                moments = {"whole_at": read_at, "until": until}
                kept[listing.table_name] = {name: iso(at) for name, at in moments.items() if at is not None}
            changes.land()
            for name, cursor in kept.items():
                if cursor != cursors.get(name):
                    landing.cursor(name, cursor)
    finally:
        client.close()
    return client.sent


def connect(settings: SourceSettings, policy: RetryPolicy | None = None) -> HttpClient:
    """A client for the company; ConfigurationError for a missing key."""
    return HttpClient(
        source=SOURCE,
        base_url=str(settings.get("base_url", "https://api.housecallpro.com")),
        auth=Headers({"Authorization": f"Token {settings.secret('api_key')}"}),
        limits={"default": RateLimit(settings.number("requests_per_second", 2), 1.0)},  # no limit is published
        read_error=read_error,
        policy=policy or RetryPolicy(),
    )


def read_error(status: int, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> ErrorReading:
    """Error answers in words. Their shape is not documented: whatever text they hold is shown."""
    found = body.get("error") or body.get("message") or body.get("errors")
    message = str(found)[:200] if found else None
    if status == 401:
        advice = "Housecall Pro does not accept the key. Put a valid one under 'api_key' in [sources.housecall_pro] of .dlt/secrets.toml."
    elif status == 403:
        advice = f"The key may not read {path}: the plan must include API access (MAX), and an administrator must make the key."
    else:
        advice = f"Check base_url in [sources.{SOURCE}] of .dlt/config.toml."
    return ErrorReading(None, message, advice)


def pages(
    client: HttpClient, listing: Listing, params: Mapping[str, Any] | None = None, page_size: int = _PAGE
) -> Iterator[tuple[list[Any], int | None]]:
    """The pages of a listing, each with how many records it says there are in all. SourceError where a page lacks its records or is the one before
    again.
    """
    before: list[Any] = []
    for page in range(1, PAGE_CAP + 1):
        try:
            body = client.get(listing.path, {**(params or {}), "page": page, "page_size": page_size}).body
        except Refused as error:
            if page == 1:
                raise
            raise SourceError(str(error)) from None  # what was there a page ago is not missing for want of a right
        records = body.get(listing.key)
        if not isinstance(records, list):
            raise SourceError(
                f"{SOURCE}: GET {listing.path} answered without '{listing.key}'. Nothing of this load was kept."
            )
        refuse_repeated(records, before, f"{SOURCE}: GET {listing.path}")
        before = records
        total = body.get("total_items")
        yield records, total if isinstance(total, int) else None
        last = body.get("total_pages", body.get("total_pages_count"))
        if not records or (isinstance(last, int) and page >= last) or (last is None and len(records) < page_size):
            return
    raise SourceError(f"{SOURCE}: GET {listing.path} has more than {PAGE_CAP} pages. Report it to the vendor.")


@dataclass(frozen=True)
class _Reading:
    client: HttpClient
    changes: Changes
    overlap: timedelta
    now: datetime
    restless: set[str]  # listings that changed each time while they were read as a whole

    def read(self, listing: Listing, cursor: dict[str, Any] | None) -> datetime | None:
        """Write the records of ``listing`` since ``cursor``, or all of them (None); the newest change among them."""
        try:
            if cursor is None or listing.reading == "whole":
                return self._whole(listing)
            if listing.reading == "invoices":
                self._invoices(listing)
                return None
            return self._newest_first(listing, moment(cursor.get("until")))
        except Refused as error:
            if not listing.is_optional or error.status not in (403, 404):
                raise
            _LOG.info("%s: %s is not part of this plan; it is left out", SOURCE, listing.path)
            return None

    def _whole(self, listing: Listing) -> datetime | None:
        """Everything. A record that is deleted while pages are read moves others to pages that were read already: such a listing is read again.
        What is added at its end, as new records are, moves none.
        """
        newest: datetime | None = None
        for _ in range(_TRIES):
            seen = Seen()
            for records, total in pages(self.client, listing, {"sort_by": "created_at", "sort_direction": "asc"}):
                self.changes.write(listing.table, records)
                seen.page((one.get("id") for one in records if isinstance(one, dict)), total)
                newest = _newest(newest, records)
            if seen.is_whole:
                self.changes.complete(listing.table)
                return newest
        _LOG.info(
            "%s: %s changed while its pages were read, %d times: the next sync reads all of it again",
            SOURCE,
            listing.path,
            _TRIES,
        )
        self.restless.add(listing.table_name)
        return newest

    def _newest_first(self, listing: Listing, until: datetime | None) -> datetime | None:
        newest = until
        since = None if until is None else until - self.overlap
        for records, _ in pages(self.client, listing, {"sort_by": "updated_at", "sort_direction": "desc"}):
            self.changes.write(listing.table, records)
            newest = _newest(newest, records)
            moments = [moment(one.get("updated_at")) for one in records if isinstance(one, dict)]
            if since is not None and any(at is not None and at < since for at in moments):
                break
        return newest

    def _invoices(self, listing: Listing) -> None:
        """New ones, and those that are not paid yet: what else changes is seen with the next whole listing."""
        for params in ({"created_at_min": iso(self.now - _INVOICES)}, {"status": "open"}):
            for records, _ in pages(self.client, listing, params):
                self.changes.write(listing.table, records)


def _newest(newest: datetime | None, records: list[Any]) -> datetime | None:
    moments = (moment(one.get("updated_at")) for one in records if isinstance(one, dict))
    return max((at for at in (newest, *moments) if at is not None), default=None)
