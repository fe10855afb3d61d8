"""One sync of a ServiceTitan tenant: each export feed from where it ended, the lists as a whole. What the records mean belongs to staging."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from ingestion import rawlog
from ingestion.changes import Changes
from ingestion.http import Refused
from ingestion.jobs import run_all
from ingestion.landing import Landing
from ingestion.servicetitan.api import ServiceTitanApi, connect
from ingestion.servicetitan.tables import ESTIMATE_CHANGES, FEEDS, SOURCE, Feed
from salesgauge.progress import Reporter
from salesgauge.settings import Company

_LOG = logging.getLogger(__name__)
_THREADS = 6


def run(company: Company, landing: Landing, *, received_at: datetime, reporter: Reporter) -> int:
    """Land what is new or changed; returns the number of requests sent.

    A feed gives active, inactive and deleted records in the order of their changes; the token of its end is the cursor.
    """
    api = connect(company.source(SOURCE))
    cursors = rawlog.cursors(company, SOURCE)
    try:
        with Changes(company, landing, received_at=received_at, reporter=reporter) as changes:
            reading = _Reading(api, changes, set())
            tokens = {feed.table_name: str((cursors.get(feed.table_name) or {}).get("from") or "") for feed in FEEDS}
            jobs: list[Callable[[], str]] = [partial(reading.read, feed, tokens[feed.table_name]) for feed in FEEDS]
            ends = run_all(api.client, jobs, _THREADS)
            dismissed = sorted(reading.dismissed)
            run_all(api.client, [partial(reading.read_changes, one) for one in dismissed], _THREADS)
            changes.land()
            for feed, end in zip(FEEDS, ends, strict=True):
                if end and end != tokens[feed.table_name]:
                    landing.cursor(feed.table_name, {"from": end})
    finally:
        api.client.close()
    return api.client.sent


@dataclass(frozen=True)
class _Reading:
    """The jobs of one sync. ``dismissed`` collects estimates whose changes are to be read."""

    api: ServiceTitanApi
    changes: Changes
    dismissed: set[str]

    def read(self, feed: Feed, token: str) -> str:
        """Write what ``feed`` gives; the token of its end ('' for a list, or where the tenant does not have it)."""
        try:
            if feed.is_list:
                for records in self.api.listing(feed):
                    self.changes.write(feed.table, records)
                return ""
            for records, following in self.api.feed(feed, token or None):
                self.changes.write(feed.table, records)
                token = following or token
                if feed.table_name == "estimates":
                    self.dismissed.update(str(one["id"]) for one in records if _is_dismissed(one))
            return token
        except Refused as error:
            if not feed.is_optional or error.status not in (403, 404):
                raise
            _LOG.info("%s: %s is not there for this app; it is left out", SOURCE, feed.name)
            return token

    def read_changes(self, estimate: str) -> None:
        """Write the changes of an estimate's status; none where the app may not read them."""
        try:
            found = self.api.estimate_changes(estimate)
        except Refused as error:
            if error.status not in (403, 404):
                raise
            return
        self.changes.write(
            ESTIMATE_CHANGES, ({**one, "estimateId": estimate} if isinstance(one, dict) else one for one in found)
        )


def _is_dismissed(record: object) -> bool:
    if not isinstance(record, dict) or record.get("id") is None or record.get("soldOn"):
        return False
    status = record.get("status")
    name = status.get("name") if isinstance(status, dict) else status
    return str(name).lower() not in ("open", "none")
