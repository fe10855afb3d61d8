"""One run over a HubSpot account: objects, then links, then the small tables, landed in that order.

What an endpoint looks like does not belong here (``api``), nor how one object type is followed (``objects``).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from ingestion import rawlog
from ingestion.http import Refused, Stopped, number
from ingestion.hubspot.api import HubSpotApi, Record, connect
from ingestion.hubspot.known import Known
from ingestion.hubspot.objects import Found, ObjectReader
from ingestion.hubspot.tables import ASSOCIATIONS, OBJECTS, OWNERS, PIPELINES, SOURCE, ObjectType
from ingestion.landing import Landing
from ingestion.spool import Spool, Tally, dumps, spool_folder
from salesgauge.errors import ConfigurationError
from salesgauge.progress import Reporter
from salesgauge.settings import Company, SourceSettings
from salesgauge.yaml_file import load_yaml

_THREADS = 4
_OPEN_DEALS = 20_000
_CANONICAL = {"leads": "contacts", "accounts": "companies"}

_LOG = logging.getLogger(__name__)
Result = TypeVar("Result")


def run(company: Company, landing: Landing, *, received_at: datetime, reporter: Reporter) -> int:
    """Land what is new or changed since the last committed load; returns the number of requests sent.

    The first load lists everything (ids in order; 50 records a page with histories, else 100). Later ones search by modified date from
    the last mark minus ``overlap_minutes``, skip what the raw log has, and read the rest by id. A run without changes lands nothing and
    sends, with all seven object types: 7 searches (one more per 200 records edited within the overlap), 7 archived listings (one more
    per 100 archived records), 2 for owners, 1 for pipelines and 2 per 1,000 open deals, whose links are read again because a new link
    does not move the modified date: 19 for an account with up to 1,000 open deals.
    """
    settings = company.source(SOURCE)
    kinds = _kinds(settings)
    api = connect(settings)
    cursors = rawlog.cursors(company, SOURCE)
    try:
        with spool_folder(company.work_dir, SOURCE) as folder, Known(company) as known:
            known.load(OBJECTS)
            reading = _Reading(api, known, settings, folder, received_at, Tally(reporter, SOURCE))
            jobs: list[Callable[[], Any]] = [
                lambda kind=kind: reading.objects(kind, cursors.get(kind.name)) for kind in kinds
            ]  # type: ignore[misc]
            *found, owners, pipelines = _all(api, [*jobs, reading.owners, reading.pipelines])
            by_kind: dict[str, Found] = dict(zip([kind.name for kind in kinds], found, strict=True))
            links = _all(api, reading.link_jobs(kinds, by_kind))
            for kind in kinds:
                one = by_kind[kind.name]
                landing.records(kind.table, [one.file], duplicates=one.duplicates)
                if one.cursor is not None:
                    landing.cursor(kind.name, one.cursor)
            landing.records(OWNERS, [owners])
            landing.records(PIPELINES, [pipelines])
            landing.records(ASSOCIATIONS, links)
    finally:
        api.client.close()
    return api.client.sent


@dataclass(frozen=True)
class _Reading:
    """The jobs of one run. Each may run in a thread of its own and writes files of its own."""

    api: HubSpotApi
    known: Known
    settings: SourceSettings
    folder: Path
    received_at: datetime
    tally: Tally

    def objects(self, kind: ObjectType, cursor: dict[str, Any] | None) -> Found:
        """Records of ``kind`` that are new or changed."""
        base = sorted({*kind.properties, *_mapped(self.settings, kind)})
        reader = ObjectReader(
            api=self.api,
            lookup=self.known.for_thread(),
            kind=kind,
            base=base,
            properties=lambda: self._properties(kind, base),
            folder=self.folder,
            overlap=timedelta(minutes=number(self.settings, "overlap_minutes", 10)),
            started_at=self.received_at,
            progress=self.tally.add,
        )
        return reader.read(cursor)

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
        with Spool(self.folder / f"links-{from_type}-{to_type}.jsonl") as spool:
            for asked, found in self.api.links(from_type, to_type, ids):
                before = lookup.links(from_type, to_type, asked)
                for one in asked:
                    received = found.get(one, [])
                    to_ids = sorted({str(link["toObjectId"]) for link in received})
                    if to_ids != before.get(one, []):
                        record = {"from_type": from_type, "from_id": one, "to_type": to_type, "to_ids": to_ids}
                        spool.write([{**record, "to": received}])
                self.tally.add(len(found))
        return spool.path

    def owners(self) -> Path:
        """Owners, active and archived, that differ from what is known."""
        records = [owner for archived in (False, True) for owner in self.api.owners(archived=archived)]
        return self._changed("owners", records, ("id",))

    def pipelines(self) -> Path:
        """Pipelines of deals that differ from what is known; one that vanished in HubSpot stays as it was."""
        records = [
            {**pipeline, "object_type": "deals"} if isinstance(pipeline, dict) else pipeline
            for pipeline in self.api.pipelines("deals")
        ]
        return self._changed("pipelines", records, ("object_type", "id"))

    def _changed(self, table: str, records: Iterable[Record], key: tuple[str, ...]) -> Path:
        known = self.known.for_thread().records(table, ", ".join(key))
        with Spool(self.folder / f"{table}.jsonl") as spool:
            for one in records:
                # what is no object has no key: it goes to quarantine
                before = known.get(tuple(str(one.get(column)) for column in key)) if isinstance(one, dict) else None
                if before != dumps(one):
                    spool.write([one])
        return spool.path


def _all(api: HubSpotApi, jobs: Sequence[Callable[[], Result]]) -> list[Result]:
    """The results of ``jobs``, run side by side. The first error stops the others and is raised."""
    with ThreadPoolExecutor(_THREADS, thread_name_prefix=SOURCE) as pool:
        futures: list[Future[Result]] = [pool.submit(job) for job in jobs]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            if not all(future.done() and future.exception() is None for future in futures):
                api.client.stop()
                pool.shutdown(cancel_futures=True)
    errors = [future.exception() for future in futures if not future.cancelled() and future.exception() is not None]
    for error in sorted(errors, key=lambda error: isinstance(error, Stopped)):
        raise error  # type: ignore[misc]
    return [future.result() for future in futures]


def _kinds(settings: SourceSettings) -> list[ObjectType]:
    wanted = settings.get("objects")
    if wanted is None:
        return list(OBJECTS)
    names = [name.strip() for name in wanted.split(",")] if isinstance(wanted, str) else list(wanted)
    known = [kind.name for kind in OBJECTS]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise ConfigurationError(
            f".dlt/config.toml: [sources.hubspot] objects = {names}; expected some of: {', '.join(known)}."
        )
    return [kind for kind in OBJECTS if kind.name in names]


def _mapped(settings: SourceSettings, kind: ObjectType) -> set[str]:
    """Properties that ``fields`` of ``sources/hubspot.yml`` names for ``kind``: by object (HubSpot's or our name), or for all objects."""
    document = load_yaml(settings.file) if settings.file else None
    fields = (document or {}).get("fields") or {}
    names: set[str] = set()
    for key, value in fields.items():
        if isinstance(value, dict):
            if _CANONICAL.get(str(key), str(key)) == kind.name:
                names.update(str(name) for name in value.values() if name)
        elif value and kind.has_custom:
            names.add(str(value))
    return names


def _is_plain(definition: Record) -> bool:
    return definition.get("dataSensitivity") in (None, "", "non_sensitive")
