"""One sync of a Salesforce org: every object since its last window, through REST or, where much has changed, through the Bulk API."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ingestion import rawlog
from ingestion.connector.jobs import run_all
from ingestion.connector.moments import iso, moment
from ingestion.http.answers import Refused
from ingestion.landing.changes import Changes
from ingestion.landing.load import Landing
from ingestion.sources.salesforce import bulk
from ingestion.sources.salesforce.api import SalesforceApi, connect, is_missing, readable
from ingestion.sources.salesforce.tables import SOBJECTS, SOURCE, SObject
from salesgauge.progress import Reporter
from salesgauge.settings import Company
from salesgauge.yaml_file import load_yaml

_LOG = logging.getLogger(__name__)
_NAMES = {"Lead": "leads", "Opportunity": "deals", "Event": "events", "Task": "tasks", "User": "users"}


def run(company: Company, landing: Landing, *, received_at: datetime, reporter: Reporter) -> int:
    """Land what is new or changed; returns the number of requests sent.

    A window begins ``overlap_minutes`` before the newest change that was seen (the API is not consistent at once): rows that come again count
    as duplicates. A sync without changes sends two requests for each object.
    """
    settings = company.source(SOURCE)
    api = connect(settings)
    cursors = rawlog.cursors(company, SOURCE)
    try:
        with Changes(company, landing, received_at=received_at, reporter=reporter) as changes:
            reading = _Reading(
                api=api,
                changes=changes,
                mapped=_mapped(settings.file),
                overlap=timedelta(minutes=settings.number("overlap_minutes", 10)),
                bulk_from=int(settings.number("bulk_from_rows", 50_000)),
            )
            jobs = [lambda one=one: reading.read(one, cursors.get(one.table_name)) for one in SOBJECTS]
            newest = run_all(api.client, jobs)
            changes.land()
            for sobject, at in zip(SOBJECTS, newest, strict=True):
                if at is not None:
                    landing.cursor(sobject.table_name, {"until": iso(at)})
    finally:
        api.client.close()
    return api.client.sent


@dataclass(frozen=True)
class _Reading:
    """The jobs of one sync. Each may run in a thread of its own."""

    api: SalesforceApi
    changes: Changes
    mapped: dict[str, list[str]]
    overlap: timedelta
    bulk_from: int

    def read(self, sobject: SObject, cursor: dict[str, Any] | None) -> datetime | None:
        """Rows of ``sobject`` that are new or changed since ``cursor``; the newest change that was ever seen, None where there is none."""
        try:
            described = self.api.describe(sobject.name)
        except Refused as error:
            if not (sobject.is_optional and is_missing(error)):
                raise
            _LOG.info("%s: %s is not there for this user; it is left out", SOURCE, sobject.name)
            return moment(cursor["until"]) if cursor else None
        names = readable(described, self.mapped.get(sobject.name, []))
        where = self._since(sobject, cursor)
        order = f" ORDER BY {sobject.cursor} ASC, Id ASC" if sobject.cursor else " ORDER BY Id ASC"
        soql = f"SELECT {', '.join(names)} FROM {sobject.name}{where}"
        newest = moment(cursor["until"]) if cursor else None
        # Only a first load, or one after a long time, can be large: others need no count.
        if cursor is None and sobject.cursor and self.api.count(sobject.name, where) >= self.bulk_from:
            booleans = {str(one["name"]) for one in described if one.get("type") == "boolean"}
            for file, announced in self.api.bulk(soql, self.changes.folder):
                with self.changes.exclusive() as landing:
                    bulk.land(landing, sobject.table, file, booleans, announced)
                self.changes.tally.add(announced)
                file.unlink()
            with self.changes.exclusive() as landing:
                newest = bulk.newest(landing, sobject.table, sobject.cursor)
        else:
            newest = self._write(sobject, self.api.query(sobject.name, soql + order), newest)
        return newest

    def _write(
        self, sobject: SObject, parts: Iterator[list[dict[str, Any]]], newest: datetime | None
    ) -> datetime | None:
        for rows in parts:
            self.changes.write(sobject.table, rows)
            moments = (moment(row.get(sobject.cursor)) for row in rows if isinstance(row, dict) and sobject.cursor)
            newest = max((at for at in (newest, *moments) if at is not None), default=None)
        return newest

    def _since(self, sobject: SObject, cursor: dict[str, Any] | None) -> str:
        until = moment(cursor["until"]) if cursor else None
        if until is None or sobject.cursor is None:
            return ""
        return f" WHERE {sobject.cursor} >= {(until - self.overlap).isoformat(timespec='milliseconds')}Z"


def _mapped(file: Path | None) -> dict[str, list[str]]:
    """The fields that ``sources/salesforce.yml`` names, by object: they are read before all others."""
    document = (load_yaml(file) if file else None) or {}
    fields = document.get("fields") or {}
    return {sobject: [str(one) for one in dict(fields.get(name) or {}).values()] for sobject, name in _NAMES.items()}
