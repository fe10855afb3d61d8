"""One run over a HubSpot account: objects, then links, then the small tables, landed in that order.

What an endpoint looks like does not belong here (``api``), nor how one object type is followed (``objects``).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from ingestion import rawlog
from ingestion.connector.jobs import run_all
from ingestion.http.answers import Refused
from ingestion.landing.changes import Changes, refuse_alarming
from ingestion.landing.load import Landing
from ingestion.landing.spool import Spool
from ingestion.sources.hubspot.api import HubSpotApi, Record, connect
from ingestion.sources.hubspot.forms import Forms, read_forms
from ingestion.sources.hubspot.known import Known
from ingestion.sources.hubspot.objects import PART_PAGES, Found, ObjectReader, State
from ingestion.sources.hubspot.stages import STAGED, audits
from ingestion.sources.hubspot.tables import (
    ABSENCES,
    ASSOCIATIONS,
    FORM_SUBMISSIONS,
    OBJECTS,
    OWNERS,
    PIPELINE_AUDITS,
    PIPELINES,
    SOURCE,
    ObjectType,
)
from salesgauge.errors import ConfigurationError
from salesgauge.progress import Reporter
from salesgauge.settings import Company, SourceSettings
from salesgauge.yaml_file import load_yaml

_THREADS = 4
_OPEN_DEALS = 20_000
_CANONICAL = {"accounts": "companies"}

_LOG = logging.getLogger(__name__)


def run(company: Company, landing: Landing, *, received_at: datetime, reporter: Reporter) -> int:
    """Land what is new or changed since the last committed load; returns the number of requests sent.

    The first load lists everything (ids in order; 50 records a page with histories, else 100) and keeps every ``pages_per_part`` pages with
    their links as a load of their own: after a crash or an outage the next run goes on from there. Later loads search by modified date from the
    last mark minus ``overlap_minutes``, skip what the raw log has, and read the rest by id. A run without changes lands nothing. Per object type
    it sends a search (one more per 200 records edited within the overlap) and an archived listing (one more per 100 archived records), for
    contacts, companies and deals a count too; 2 for owners, 1 for pipelines, 2 per 1,000 open deals, whose links are read again because a new
    link does not move the modified date, 1 for the list of forms and 1 per form.
    """
    settings = company.source(SOURCE)
    kinds, with_forms = wanted(settings)
    api = connect(settings)
    cursors = rawlog.cursors(company, SOURCE)
    try:
        with (
            Changes(company, landing, received_at=received_at, reporter=reporter) as changes,
            Known(company) as known,
        ):
            known.load(OBJECTS)
            reading = _Reading(api, known, settings, changes)
            jobs: list[Callable[[], Any]] = [partial(reading.objects, kind, cursors.get(kind.name)) for kind in kinds]
            staged = [kind for kind in kinds if kind.name in STAGED]
            forms: Callable[[], Forms | None] = (
                partial(reading.forms, cursors.get(FORM_SUBMISSIONS.name)) if with_forms else lambda: None
            )
            *found, _, pipelines, submitted = run_all(
                api.client, [*jobs, reading.owners, lambda: reading.pipelines(staged), forms], _THREADS
            )
            by_kind: dict[str, Found] = dict(zip([kind.name for kind in kinds], found, strict=True))
            links = run_all(api.client, reading.link_jobs(kinds, by_kind), _THREADS)
            audited = [
                record
                for kind in staged
                for record in audits(api, known.for_thread(), landing, kind, by_kind[kind.name], pipelines[kind.name])
            ]
            for kind in kinds:
                one = by_kind[kind.name]
                if one.refusal:
                    _LOG.warning("%s; %s are not read, everything else is", one.refusal, kind.name)
                landing.records(kind.table, [one.file], duplicates=one.duplicates)
                if one.cursor is not None:
                    landing.cursor(kind.name, one.cursor)
            landing.records(ASSOCIATIONS, links)
            changes.write(ABSENCES, (row for one in found for row in one.absences))
            changes.write(PIPELINE_AUDITS, audited)
            changes.land()
            if submitted is not None:
                if submitted.refused:
                    landing.note(
                        f"the submissions of {len(submitted.refused)} forms are not to be had: {', '.join(submitted.refused[:5])}"
                    )
                if submitted.cursor:
                    landing.cursor(FORM_SUBMISSIONS.name, submitted.cursor)
    finally:
        api.client.close()
    return api.client.sent


@dataclass(frozen=True)
class _Reading:
    """The jobs of one run. Each may run in a thread of its own and writes files of its own; they land parts one after another."""

    api: HubSpotApi
    known: Known
    settings: SourceSettings
    changes: Changes

    def objects(self, kind: ObjectType, cursor: dict[str, Any] | None) -> Found:
        """Records of ``kind`` that are new or changed."""
        base = sorted({*kind.properties, *_mapped(self.settings, kind)})
        reader = ObjectReader(
            api=self.api,
            lookup=self.known.for_thread(),
            kind=kind,
            base=base,
            properties=lambda: self._properties(kind, base),
            folder=self.changes.folder,
            overlap=self._overlap,
            started_at=self.changes.received_at,
            keep=lambda found, state: self._keep(kind, found, state),
            part_pages=int(self.settings.number("pages_per_part", PART_PAGES)),
            recount_after=timedelta(hours=self.settings.number("recount_hours", 24)),
            refuse_alarming=partial(refuse_alarming, self.changes.company, SOURCE, kind.name),
            progress=self.changes.tally.add,
        )
        return reader.read(cursor)

    def forms(self, cursor: dict[str, Any] | None) -> Forms:
        """Forms, and what was sent off with them since."""
        return read_forms(self.api, self.changes, self._overlap, cursor)

    @property
    def _overlap(self) -> timedelta:
        return timedelta(minutes=self.settings.number("overlap_minutes", 10))

    def _keep(self, kind: ObjectType, found: Found, state: State) -> None:
        """Commit a part of a long listing with the links of its records."""
        links = [self._links(kind.name, to_type, found.live_ids) for to_type in kind.links if found.live_ids]
        with self.changes.exclusive() as landing:
            landing.records(kind.table, [found.file], duplicates=found.duplicates)
            landing.records(ASSOCIATIONS, links)
            landing.cursor(kind.name, state)
            landing.keep()

    def _properties(self, kind: ObjectType, base: Sequence[str]) -> list[str]:
        """``base`` and the account's own properties, as far as the token may see them."""
        if not kind.has_custom:
            return list(base)
        try:
            defined = self.api.properties(kind.name)
        except Refused as error:
            if error.status not in (403, 404):
                raise
            _LOG.warning("%s; the properties of sources/hubspot.yml and the standard ones are read, no others", error)
            return list(base)
        own = {
            str(one["name"])
            for one in defined
            if one.get("hubspotDefined") is not True and one.get("archived") is not True and _is_plain(one)
        }
        return sorted({*base, *own})

    def link_jobs(self, kinds: Sequence[ObjectType], found: dict[str, Found]) -> list[Callable[[], Path]]:
        """Jobs that read the links of new and changed records, and of all open deals."""
        jobs: list[Callable[[], Path]] = []
        for kind in kinds:
            ids = dict.fromkeys(found[kind.name].live_ids)
            if kind.name == "deals":
                ids.update(dict.fromkeys(self.known.for_thread().open_deals(_OPEN_DEALS)))
            for to_type in kind.links if ids else ():
                jobs.append(lambda kind=kind, to_type=to_type, ids=list(ids): self._links(kind.name, to_type, ids))  # type: ignore[misc]
        return jobs

    def _links(self, from_type: str, to_type: str, ids: Sequence[str]) -> Path:
        """The links of ``ids`` that differ from those known, one record per id with its sorted ``to_ids``."""
        lookup = self.known.for_thread()
        with Spool(self.changes.folder / f"links-{from_type}-{to_type}.jsonl") as spool:
            for asked, found in self.api.links(from_type, to_type, ids):
                before = lookup.links(from_type, to_type, asked)
                for one in asked:
                    received = found.get(one, [])
                    to_ids = sorted({str(link["toObjectId"]) for link in received})
                    if to_ids != before.get(one, []):
                        record = {"from_type": from_type, "from_id": one, "to_type": to_type, "to_ids": to_ids}
                        spool.write([{**record, "to": received}])
                self.changes.tally.add(len(found))
        return spool.path

    def owners(self) -> None:
        """Owners, active and archived."""
        for archived in (False, True):
            self.changes.write(OWNERS, self.api.owners(archived=archived))

    def pipelines(self, kinds: Sequence[ObjectType]) -> dict[str, list[Record]]:
        """Pipelines of ``kinds`` as they are today. One that vanished in HubSpot stays as it was."""
        found: dict[str, list[Record]] = {}
        for kind in kinds:
            found[kind.name] = [
                {**pipeline, "object_type": kind.name} if isinstance(pipeline, dict) else pipeline
                for pipeline in self.api.pipelines(kind.name)
            ]
            self.changes.write(PIPELINES, found[kind.name])
        return found


def wanted(settings: SourceSettings) -> tuple[list[ObjectType], bool]:
    """The object types to read, and whether forms are: those under ``objects``, else all; leads where they are what a lead is."""
    is_lead_object = lead_object(settings) == "leads"
    wanted = settings.get("objects")
    known = [*(kind.name for kind in OBJECTS), "forms"]
    if wanted is None:
        names = [name for name in known if name != "leads" or is_lead_object]
    else:
        names = [name.strip() for name in wanted.split(",")] if isinstance(wanted, str) else list(wanted)
        unknown = [name for name in names if name not in known]
        if unknown or not names:
            raise ConfigurationError(
                f".dlt/config.toml: [sources.hubspot] objects = {names}; expected some of: {', '.join(known)}."
            )
        if is_lead_object:
            names.append("leads")
    return [kind for kind in OBJECTS if kind.name in names], "forms" in names


def lead_object(settings: SourceSettings) -> str:
    """What a lead is in this account: ``contacts``, or the object ``leads``."""
    value = settings.get("lead_object", "contacts")
    if value not in ("contacts", "leads"):
        raise ConfigurationError(
            f'.dlt/config.toml: [sources.hubspot] lead_object = {value!r}; expected "contacts" or "leads".'
        )
    return str(value)


def _mapped(settings: SourceSettings, kind: ObjectType) -> set[str]:
    """Properties that ``fields`` of ``sources/hubspot.yml`` names for ``kind``: by object (HubSpot's or our name), or for all objects."""
    document = load_yaml(settings.file) if settings.file else None
    fields = (document or {}).get("fields") or {}
    canonical = {**_CANONICAL, "leads": lead_object(settings)}
    names: set[str] = set()
    for key, value in fields.items():
        if isinstance(value, dict):
            if canonical.get(str(key), str(key)) == kind.name:
                names.update(str(name) for name in value.values() if name)
        elif value and kind.has_custom:
            names.add(str(value))
    return names


def _is_plain(definition: Record) -> bool:
    return definition.get("dataSensitivity") in (None, "", "non_sensitive")
