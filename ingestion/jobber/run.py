"""One sync of a Jobber account: each listing since its cursor, and all of it once a week. What the records mean belongs to staging."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ingestion import rawlog
from ingestion.changes import Changes
from ingestion.http import number
from ingestion.jobber.api import JobberApi, connect
from ingestion.jobber.tables import LISTINGS, SOURCE, Listing
from ingestion.landing import Landing
from ingestion.moments import iso, moment
from salesgauge.progress import Reporter
from salesgauge.settings import Company

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
    overlap = timedelta(minutes=number(settings, "overlap_minutes", 10))
    every = timedelta(days=number(settings, "whole_every_days", 7))
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
        """Write the records of ``listing`` since ``cursor``, or all of them (None); the newest change among them."""
        newest: datetime | None = None
        column = listing.updated or listing.created
        for records in self._pages(listing, cursor):
            self.changes.write(listing.table, records)
            moments = (moment(one.get(column)) for one in records if isinstance(one, dict) and column)
            newest = max((at for at in (newest, *moments) if at is not None), default=None)
        if cursor is None or listing.reading == "whole":
            self.changes.complete(listing.table)
        return newest

    def _pages(self, listing: Listing, cursor: dict[str, Any] | None) -> Iterator[list[Any]]:
        until = moment((cursor or {}).get("until"))
        since = None if until is None else until - self.overlap
        if cursor is None or since is None or listing.reading == "whole":
            yield from self.api.read(listing)
        elif listing.reading == "changed":
            yield from self.api.read(listing, filters={"updatedAt": {"after": iso(since)}})
        elif listing.reading == "newest_first":
            for records in self.api.read(listing, sort=_NEWEST_FIRST):
                yield records
                moments = [moment(one.get("updatedAt")) for one in records if isinstance(one, dict)]
                if any(at is not None and at < since for at in moments):
                    return
        elif listing.reading == "around":
            around = {"after": iso(self.now - _BEHIND), "before": iso(self.now + _AHEAD)}
            yield from self.api.read(listing, filters={"startAt": around})
            yield from self.api.read(listing, filters={"createdAt": {"after": iso(since)}})  # those without a date
        else:
            yield from self.api.read(listing, filters={"entryDate": {"after": iso(self.now - _PAYMENTS)}})
