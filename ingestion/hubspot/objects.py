"""Reading one object type: everything the first time, then only what changed. Links and small tables do not belong here (``run``)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ingestion.http import Answer, server_clock
from ingestion.hubspot.api import HubSpotApi, Record
from ingestion.hubspot.known import Lookup, Version
from ingestion.hubspot.tables import ObjectType
from ingestion.moments import epoch_ms, iso, moment
from ingestion.spool import Spool


@dataclass
class Found:
    """What was read of one object type: full records in ``file``, ``live_ids`` those that are not archived."""

    file: Path
    records: int = 0
    duplicates: int = 0
    live_ids: list[str] = field(default_factory=list)
    cursor: dict[str, Any] | None = None


@dataclass
class ObjectReader:
    """Reads ``kind``. ``properties()`` gives all names to request and is asked only when a record has to be read.

    ``base`` are the names that don't depend on the account; a change of them means that everything has to be read again.
    ``started_at`` (UTC) is used as the source's clock where the server sends none.
    """

    api: HubSpotApi
    lookup: Lookup
    kind: ObjectType
    base: Sequence[str]
    properties: Callable[[], Sequence[str]]
    folder: Path
    overlap: timedelta
    started_at: datetime
    progress: Callable[[int], None] = lambda count: None

    def __post_init__(self) -> None:
        self._newest: datetime | None = None
        self._clock: datetime | None = None
        self._archived: set[str] = set()
        self._taken: set[tuple[str, Any, bool]] = set()
        self._found = Found(self.folder / f"{self.kind.name}.jsonl")

    def read(self, cursor: dict[str, Any] | None) -> Found:
        """Everything without ``cursor`` (or where the requested properties changed), else what changed since it."""
        fingerprint = hashlib.blake2b(",".join(sorted(self.base)).encode(), digest_size=8).hexdigest()
        with Spool(self._found.file) as spool:
            if cursor is None or cursor.get("properties") != fingerprint or not moment(cursor.get("updated_at")):
                self._everything(spool)
            else:
                self._newest = moment(cursor["updated_at"])
                self._changes(spool, cursor)
            self._found.records = spool.count
        mark = self._mark(cursor)
        if mark is not None:
            self._found.cursor = {
                "updated_at": iso(mark),
                "archived": sorted(self._archived),
                "properties": fingerprint,
            }
        return self._found

    def _everything(self, spool: Spool) -> None:
        properties = self.properties()
        inline = self.api.fits_url(properties)
        asked = properties if inline else [self.kind.modified]
        for archived in (False, True):
            for page, answer in self.api.listing(self.kind, asked, archived=archived, with_history=inline):
                self._tick(answer)
                self._take(spool, page if inline else self._full(page, properties, archived), archived)

    def _full(self, page: list[Any], properties: Sequence[str], archived: bool) -> Iterable[Any]:
        """The records of a page that was listed without its properties; what has no id stays as it came, for the quarantine."""
        ids = [str(record["id"]) for record in page if _has_id(record)]
        yield from (record for record in page if not _has_id(record))
        for records in self.api.read(self.kind, ids, properties, archived=archived):
            yield from records

    def _changes(self, spool: Spool, cursor: dict[str, Any]) -> None:
        """Search first, then the archived listing, then the reads: a record that is archived meanwhile is seen by one of them."""
        hits, changed = self._search(cursor)
        self._found.duplicates += hits - len(changed)
        newly_archived, listing = self._list_archived()
        before = set(cursor.get("archived") or ())
        restored = sorted((before & self.lookup.archived(self.kind)) - self._archived - set(changed))
        if changed or restored:
            self._reread(spool, [*changed, *restored], archived=False)
        if newly_archived:
            read = self._reread(spool, newly_archived, archived=True)
            # An API that does not read archived records by id: the listing's short record still says that they are.
            self._take(spool, [listing[one] for one in newly_archived if one not in read], archived=True)

    def _search(self, cursor: dict[str, Any]) -> tuple[int, list[str]]:
        since = epoch_ms(cursor["updated_at"]) or 0
        ids: set[str] = set()
        with Spool(self.folder / f"{self.kind.name}-hits.jsonl") as hits:
            for page, answer in self.api.modified_since(self.kind, since - int(self.overlap.total_seconds() * 1_000)):
                self._tick(answer)
                for record in page:
                    ids.add(str(record["id"]))
                    self._see(record)
                hits.write(_short(record) for record in page)
        return len(ids), self.lookup.changed(self.kind, hits.path) if ids else []

    def _list_archived(self) -> tuple[list[str], dict[str, Record]]:
        """Ids that are newly archived, and the records of the listing that name them."""
        with Spool(self.folder / f"{self.kind.name}-archived.jsonl") as listed:
            kept: dict[str, Record] = {}
            for page, _ in self.api.listing(self.kind, [self.kind.modified], archived=True, with_history=False):
                records = [record for record in page if _has_id(record)]
                self._archived.update(str(record["id"]) for record in records)
                kept.update((str(record["id"]), record) for record in records)
                listed.write(_short(record) for record in records)
        new = self.lookup.newly_archived(self.kind, listed.path) if listed.count else []
        return new, {one: kept[one] for one in new}

    def _reread(self, spool: Spool, ids: Sequence[str], *, archived: bool) -> set[str]:
        """Read ``ids`` in full and keep what differs from the newest version known. Returns the ids that the API knew."""
        known = self.lookup.versions(self.kind, ids)
        read: set[str] = set()
        for page in self.api.read(self.kind, ids, self.properties(), archived=archived):
            read.update(str(record["id"]) for record in page if _has_id(record))
            fresh = [record for record in page if not _is_known(record, known)]
            self._found.duplicates += len(page) - len(fresh)
            self._take(spool, fresh, archived)
        return read

    def _take(self, spool: Spool, records: Iterable[Any], archived: bool) -> None:
        received = list(records)
        taken = [record for record in received if not self._came_before(record, archived)]
        self._found.duplicates += len(received) - len(taken)
        spool.write(taken)
        for record in taken:
            if not _has_id(record):
                continue
            self._see(record)
            if archived:
                self._archived.add(str(record["id"]))
            else:
                self._found.live_ids.append(str(record["id"]))
        self.progress(len(taken))

    def _came_before(self, record: Any, archived: bool) -> bool:
        """Whether this version of the record was taken in this run already: a page edge can repeat."""
        if not _has_id(record):
            return False
        version = (str(record["id"]), record.get("updatedAt"), archived)
        is_known = version in self._taken
        self._taken.add(version)
        return is_known

    def _see(self, record: Record) -> None:
        at = moment((record.get("properties") or {}).get(self.kind.modified)) or moment(record.get("updatedAt"))
        if at is not None and (self._newest is None or at > self._newest):
            self._newest = at

    def _tick(self, answer: Answer) -> None:
        if self._clock is None:
            seconds = server_clock(answer.headers)
            self._clock = self.started_at if seconds is None else datetime(1970, 1, 1) + timedelta(seconds=int(seconds))

    def _mark(self, cursor: dict[str, Any] | None) -> datetime | None:
        """The newest modified date seen, but not after the reading began: what was edited while pages were read may have been missed."""
        before = moment((cursor or {}).get("updated_at"))
        if self._newest is None:
            return before
        mark = self._newest if self._clock is None else min(self._newest, self._clock)
        return mark if before is None else max(mark, before)


def _has_id(record: Any) -> bool:
    return isinstance(record, dict) and record.get("id") not in (None, "")


def _short(record: Record) -> Record:
    return {"id": str(record["id"]), "updated_text": record.get("updatedAt"), "archived_text": record.get("archivedAt")}


def _is_known(record: Any, known: dict[str, Version]) -> bool:
    version = known.get(str(record["id"])) if _has_id(record) else None
    return version is not None and version == Version(
        moment(record.get("updatedAt")), bool(record.get("archived")), moment(record.get("archivedAt"))
    )
