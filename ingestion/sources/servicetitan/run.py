"""One sync of a ServiceTitan tenant: each export feed from where it ended, the lists as a whole. What the records mean belongs to staging."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any

from ingestion import rawlog
from ingestion.connector.jobs import run_all
from ingestion.connector.moments import moment
from ingestion.http.answers import Refused
from ingestion.landing.changes import Changes
from ingestion.landing.load import Landing
from ingestion.sources.servicetitan.api import ServiceTitanApi, connect
from ingestion.sources.servicetitan.tables import ESTIMATE_CHANGES, FEEDS, SOURCE, Feed
from salesgauge.progress import Reporter
from salesgauge.settings import Company

_LOG = logging.getLogger(__name__)
_THREADS = 6
_OVERLAP = timedelta(minutes=10)
Cursor = dict[str, str]


def run(company: Company, landing: Landing, *, received_at: datetime, reporter: Reporter) -> int:
    """Land what is new or changed; returns the number of requests sent.

    A feed gives active, inactive and deleted records in the order of their changes; the token of its end is kept, and one from some minutes before
    it: a change whose transaction ended late can stand in front of the end.
    """
    api = connect(company.source(SOURCE))
    cursors = rawlog.cursors(company, SOURCE)
    try:
        with Changes(company, landing, received_at=received_at, reporter=reporter) as changes:
            estimates = next(feed.table for feed in FEEDS if feed.table_name == "estimates")
            known = dict(changes.query(f"select id, modified_at from {changes.newest(estimates)}"))
            reading = _Reading(api, changes, known, set(cursors.get(ESTIMATE_CHANGES.name) or []))
            tokens = {feed.table_name: _start(cursors.get(feed.table_name) or {}) for feed in FEEDS}
            jobs: list[Callable[[], Cursor | None]] = [
                partial(reading.read, feed, tokens[feed.table_name]) for feed in FEEDS
            ]
            ends = run_all(api.client, jobs, _THREADS)
            dismissed = [partial(reading.read_changes, one) for one in sorted(reading.dismissed)]
            for jobs_of_changes in (dismissed[:1], dismissed[1:]):  # the first tells whether the app may read them
                run_all(api.client, jobs_of_changes, _THREADS)
            changes.land()
            landing.cursor(ESTIMATE_CHANGES.name, sorted(reading.refused) or None)
            for feed, end in zip(FEEDS, ends, strict=True):
                if end is not None:
                    landing.cursor(feed.table_name, end)
    finally:
        api.client.close()
    return api.client.sent


@dataclass(frozen=True)
class _Reading:
    """The jobs of one sync. ``known``: when each estimate changed last, as far as is known; ``dismissed`` collects those whose changes are to be read,
    ``refused`` those of which the app may not read them: they are for the next sync.
    """

    api: ServiceTitanApi
    changes: Changes
    known: Mapping[str, datetime | None]
    dismissed: set[str]
    refused: set[str] = field(default_factory=set)

    def read(self, feed: Feed, token: str) -> Cursor | None:
        """Write what ``feed`` gives from ``token`` on; where it ended and where to begin next time (None for a list, or where the tenant does not
        have it).
        """
        places: list[tuple[str, datetime | None]] = []  # token of each page, its newest change
        end = token
        try:
            if feed.is_list:
                for records in self.api.listing(feed):
                    self.changes.write(feed.table, records)
                return None
            for records, following in self.api.feed(feed, token or None):
                self.changes.write(feed.table, records)
                places.append((end, _newest(records)))
                end = following or end
                if feed.table_name == "estimates":
                    self.dismissed.update(str(one["id"]) for one in records if _is_dismissed(one) and self._is_new(one))
            return {"from": end, "again": _again(places)} if end else None
        except Refused as error:
            if not feed.is_optional or error.status not in (403, 404):
                raise
            _LOG.info("%s: %s is not there for this app; it is left out", SOURCE, feed.name)
            return None

    def _is_new(self, estimate: Mapping[str, Any]) -> bool:
        one = str(estimate["id"])
        return one not in self.known or self.known[one] != moment(estimate.get("modifiedOn"))

    def read_changes(self, estimate: str) -> None:
        """Write the changes of an estimate's status. Where the app may not read them, the first refusal speaks for all."""
        if self.refused:
            self.refused.add(estimate)
            return
        try:
            found = self.api.estimate_changes(estimate)
        except Refused as error:
            if error.status == 403:
                self.refused.add(estimate)
            elif error.status != 404:
                raise
            return
        self.changes.write(
            ESTIMATE_CHANGES, ({**one, "estimateId": estimate} if isinstance(one, dict) else one for one in found)
        )


def _start(cursor: Mapping[str, Any]) -> str:
    """Where to begin: a little before the end of the last sync ('' is the very first record)."""
    return str(cursor.get("again", cursor.get("from")) or "")


def _newest(records: list[Any]) -> datetime | None:
    moments = (moment(one.get("modifiedOn")) for one in records if isinstance(one, dict))
    return max((at for at in moments if at is not None), default=None)


def _again(places: list[tuple[str, datetime | None]]) -> str:
    """The token of the last page in front of which all changes are older than the newest one by the overlap."""
    newest = max((at for _, at in places if at is not None), default=None)
    if newest is None:
        return places[-1][0]  # nothing tells of time here
    begin = places[0][0]
    for (_, before), (token, _) in pairwise(places):
        if before is not None and before >= newest - _OVERLAP:
            break
        begin = token
    return begin


def _is_dismissed(record: object) -> bool:
    if not isinstance(record, dict) or record.get("id") is None or record.get("soldOn"):
        return False
    status = record.get("status")
    name = status.get("name") if isinstance(status, dict) else status
    return str(name).lower() not in ("open", "none")
