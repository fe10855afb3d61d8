"""One sync of a Jobber account: each listing since its cursor, and all of it once a week. What the records mean belongs to staging."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ingestion import rawlog
from ingestion.connector.moments import iso, moment
from ingestion.http.steady import Seen, steadily
from ingestion.landing.changes import Changes
from ingestion.landing.load import Landing
from ingestion.sources.jobber.api import JobberApi, connect
from ingestion.sources.jobber.tables import LISTINGS, SOURCE, Listing
from salesgauge.progress import Reporter
from salesgauge.settings import Company

Query = Callable[[Seen], Iterator[list[Any]]]
_BEHIND, _AHEAD = timedelta(days=30), timedelta(days=90)
_PAYMENTS = timedelta(days=60)
_NEWEST_FIRST = "sort: [{key: UPDATED_AT, direction: DESCENDING}]"


def run(company: Company, landing: Landing, *, received_at: datetime, reporter: Reporter) -> int:
    """Land what is new or changed; returns the number of requests sent.

    Jobber tells of deletions in webhooks only: every ``whole_every_days`` all listings are read as a whole, and what is missing there is gone.
    """
    settings = company.source(SOURCE)
    api = connect(settings)
    cursors = rawlog.cursors(company, SOURCE)
    overlap = timedelta(minutes=settings.number("overlap_minutes", 10))
    every = timedelta(days=settings.number("whole_every_days", 7))
    try:
        with Changes(company, landing, received_at=received_at, reporter=reporter) as changes:
            reading = _Reading(api, changes, overlap, received_at)
            kept: dict[str, dict[str, str]] = {}
            for listing in LISTINGS:
                cursor = cursors.get(listing.table_name) or {}
                whole_at = moment(cursor.get("whole_at"))
                is_whole = whole_at is None or received_at - whole_at >= every
                newest = reading.read(listing, None if is_whole else cursor)
                until = max((at for at in (moment(cursor.get("until")), newest) if at is not None), default=None)
                kept[listing.table_name] = {
                    "whole_at": iso(received_at) if is_whole or whole_at is None else iso(whole_at),
                    **({"until": iso(until)} if until is not None else {}),
                }
            changes.land()
            for name, cursor in kept.items():
                if cursor != cursors.get(name):
                    landing.cursor(name, cursor)
    finally:
        api.client.close()
    return api.client.sent


@dataclass(frozen=True)
class _Reading:
    api: JobberApi
    changes: Changes
    overlap: timedelta
    now: datetime

    def read(self, listing: Listing, cursor: dict[str, Any] | None) -> datetime | None:
        """Write the records of ``listing`` since ``cursor``, or all of them (None); the newest change among them.

        Cursors are places in the listing: one that moved while it was read is read again.
        """
        queries = self._queries(listing, cursor)
        found = [
            steadily(lambda seen, query=query: self._write(listing, query(seen)), f"{SOURCE}: {listing.name}")  # type: ignore[misc]
            for query in queries
        ]
        newest = max((at for at in found if at is not None), default=None)
        if cursor is None or listing.reading == "whole":
            self.changes.complete(listing.table)
        return newest

    def _write(self, listing: Listing, pages: Iterator[list[Any]]) -> datetime | None:
        newest: datetime | None = None
        column = listing.updated or listing.created
        for records in pages:
            self.changes.write(listing.table, records)
            moments = (moment(one.get(column)) for one in records if isinstance(one, dict) and column)
            newest = max((at for at in (newest, *moments) if at is not None), default=None)
        return newest

    def _queries(self, listing: Listing, cursor: dict[str, Any] | None) -> list[Query]:
        """What is asked for, one after the other."""
        until = moment((cursor or {}).get("until"))
        since = None if until is None else until - self.overlap
        if cursor is None or since is None or listing.reading == "whole":
            return [lambda seen: self.api.read(listing, seen=seen)]
        if listing.reading == "newest_first":
            return [lambda seen: self._newest_first(listing, since)]
        filters: dict[str, list[dict[str, Any]]] = {
            "changed": [{"updatedAt": {"after": iso(since)}}],
            "around": [
                {"startAt": {"after": iso(self.now - _BEHIND), "before": iso(self.now + _AHEAD)}},
                {"createdAt": {"after": iso(since)}},  # those without a date
            ],
            "recent": [{"entryDate": {"after": iso(self.now - _PAYMENTS)}}],
        }
        return [
            lambda seen, one=one: self.api.read(listing, filters=one, seen=seen)  # type: ignore[misc]
            for one in filters[listing.reading]
        ]

    def _newest_first(self, listing: Listing, since: datetime) -> Iterator[list[Any]]:
        """Down to ``since``. What changes meanwhile moves to the front, where the next sync finds it."""
        for records in self.api.read(listing, sort=_NEWEST_FIRST):
            yield records
            moments = [moment(one.get("updatedAt")) for one in records if isinstance(one, dict)]
            if any(at is not None and at < since for at in moments):
                return
