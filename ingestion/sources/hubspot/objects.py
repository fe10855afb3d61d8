"""Reading one object type: everything the first time, then only what changed. Links and small tables do not belong here (``run``)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ingestion.connector.moments import epoch_ms, iso, moment
from ingestion.http.answers import Answer, Refused
from ingestion.http.limits import server_clock
from ingestion.landing.spool import Spool
from ingestion.sources.hubspot.api import HubSpotApi, Record
from ingestion.sources.hubspot.known import Lookup, Version
from ingestion.sources.hubspot.tables import ObjectType

PART_PAGES = 200  # pages of a full listing that are kept as a load of their own

State = dict[str, Any]
# Keeps a part of a long listing: the file of records, the ids of the live ones, and the cursor from which to go on.
Keep = Callable[["Found", State], None]


@dataclass
class Found:
    """What was read of one object type: full records in ``file`` (``longest``: bytes of the longest), ``live_ids`` those that are not archived,
    ``absences`` ids that vanished or came back. ``refusal`` says why an object type that not every account has could not be read.
    """

    file: Path
    records: int = 0
    longest: int = 0
    duplicates: int = 0
    live_ids: list[str] = field(default_factory=list)
    cursor: State | None = None
    absences: list[Record] = field(default_factory=list)
    refusal: str | None = None


@dataclass
class ObjectReader:
    """Reads ``kind``. ``properties()`` gives all names to request and is asked only when a record has to be read.

    ``base`` are the names that don't depend on the account; a change of them means that everything has to be read again.
    ``started_at`` (UTC) is used as the source's clock where the server sends none. ``keep`` gets every ``part_pages`` pages of a full listing.
    ``recount_after``: how long after a full listing of ids the next one may come. ``refuse_alarming(missing, known)`` raises where too many are gone.
    """

    api: HubSpotApi
    lookup: Lookup
    kind: ObjectType
    base: Sequence[str]
    properties: Callable[[], Sequence[str]]
    folder: Path
    overlap: timedelta
    started_at: datetime
    keep: Keep
    part_pages: int = PART_PAGES
    recount_after: timedelta = timedelta(hours=24)
    refuse_alarming: Callable[[int, int], None] = lambda missing, known: None
    progress: Callable[[int], None] = lambda count: None

    def __post_init__(self) -> None:
        self._newest: datetime | None = None
        self._clock: datetime | None = None
        self._archived: set[str] = set()
        self._merged: set[str] = set()
        self._absent = self.lookup.absent(self.kind)
        self._parts = 0
        self._taken: set[tuple[str, Any, bool]] = set()
        self._found = Found(self.folder / f"{self.kind.name}.jsonl")
        self._spool = Spool(self._found.file)
        self._fingerprint = hashlib.blake2b(",".join(sorted(self.base)).encode(), digest_size=8).hexdigest()

    def read(self, cursor: State | None) -> Found:
        """Everything without ``cursor`` (or where the requested properties changed), else what changed since it.

        A full reading that was cut short goes on after the last part that was kept.
        """
        try:
            if cursor is not None and cursor.get("properties") != self._fingerprint:
                cursor = None
            if cursor is None or cursor.get("loading") or not moment(cursor.get("updated_at")):
                self._everything((cursor or {}).get("loading") or {})
                counted: State = {}
            else:
                self._newest = moment(cursor["updated_at"])
                self._changes(cursor)
                counted = self._count(cursor) if self.kind.can_merge else {}
        except Refused as error:
            if not self.kind.is_optional or error.status not in (403, 404):
                raise
            self._found.refusal = str(error)
            return self._found
        finally:
            self._spool.close()
        self._found.records, self._found.longest = self._spool.count, self._spool.longest
        mark = self._mark(cursor)
        if mark is not None:
            self._found.cursor = {
                "updated_at": iso(mark),
                "archived": sorted(self._archived),
                "properties": self._fingerprint,
                **counted,
            }
        return self._found

    def _everything(self, loading: State) -> None:
        """List all records, or those after the part that ``loading`` says was kept."""
        properties = self.properties()
        inline = self.api.fits_url(properties)
        asked = properties if inline else [self.kind.modified]
        self._newest, self._clock = moment(loading.get("updated_at")), moment(loading.get("clock"))
        self._archived = set(loading.get("archived_ids") or ())
        pages = 0
        for archived in (True,) if loading.get("archived") else (False, True):
            start = loading.get("after") if archived == bool(loading.get("archived")) else None
            listing = self.api.listing(self.kind, asked, archived=archived, with_history=inline, start=start)
            for page, answer, following in listing:
                self._tick(answer)
                self._take(page if inline else self._full(page, properties, archived), archived)
                pages += 1
                if pages >= self.part_pages and (following is not None or not archived):
                    pages = 0
                    self._keep_part({"archived": archived or following is None, "after": following})

    def _keep_part(self, place: State) -> None:
        self._spool.close()
        state = {
            **place,
            "updated_at": None if self._newest is None else iso(self._newest),
            "clock": None if self._clock is None else iso(self._clock),
            "archived_ids": sorted(self._archived),
        }
        self.keep(self._found, {"properties": self._fingerprint, "loading": state})
        self._found.file.unlink()
        self._parts += 1
        self._found = Found(self.folder / f"{self.kind.name}-{self._parts}.jsonl", absences=self._found.absences)
        self._spool = Spool(self._found.file)
        self._taken.clear()  # a page can repeat what is on the one before; memory must not grow with the account

    def _full(self, page: list[Any], properties: Sequence[str], archived: bool) -> Iterable[Any]:
        """The records of a page that was listed without its properties; what has no id stays as it came, for the quarantine."""
        ids = [str(record["id"]) for record in page if _has_id(record)]
        yield from (record for record in page if not _has_id(record))
        for records in self.api.read(self.kind, ids, properties, archived=archived):
            yield from records

    def _changes(self, cursor: State) -> None:
        """Search first, then the archived listing, then the reads: a record that is archived meanwhile is seen by one of them."""
        hits, changed = self._search(cursor)
        self._found.duplicates += hits - len(changed)
        newly_archived, listing = self._list_archived()
        before = set(cursor.get("archived") or ())
        restored = sorted((before & self.lookup.archived(self.kind)) - self._archived - set(changed))
        if changed or restored:
            self._reread([*changed, *restored], archived=False)
        if newly_archived:
            read = self._reread(newly_archived, archived=True)
            # An API that does not read archived records by id: the listing's short record still says that they are.
            self._take([listing[one] for one in newly_archived if one not in read], archived=True)

    def _search(self, cursor: State) -> tuple[int, list[str]]:
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
            for page, _, _ in self.api.listing(self.kind, [self.kind.modified], archived=True, with_history=False):
                records = [record for record in page if _has_id(record)]
                self._archived.update(str(record["id"]) for record in records)
                kept.update((str(record["id"]), record) for record in records)
                listed.write(_short(record) for record in records)
        new = self.lookup.newly_archived(self.kind, listed.path) if listed.count else []
        return new, {one: kept[one] for one in new}

    def _reread(self, ids: Sequence[str], *, archived: bool, is_forced: bool = False) -> set[str]:
        """Read ``ids`` in full and keep what differs from the newest version known, or all where that can't tell (``is_forced``). Returns the ids
        that the API knew.
        """
        known = self.lookup.versions(self.kind, ids)
        read: set[str] = set()
        for page in self.api.read(self.kind, ids, self.properties(), archived=archived):
            read.update(str(record["id"]) for record in page if _has_id(record))
            fresh = [record for record in page if is_forced or self._is_back(record) or not _is_known(record, known)]
            self._found.duplicates += len(page) - len(fresh)
            self._take(fresh, archived)
        return read

    def _take(self, records: Iterable[Any], archived: bool) -> None:
        received = list(records)
        taken = [record for record in received if not self._came_before(record, archived)]
        self._found.duplicates += len(received) - len(taken)
        self._spool.write(taken)
        for record in taken:
            if not _has_id(record):
                continue
            self._see(record)
            self._merged.update(_merged_ids(record))
            if archived:
                self._archived.add(str(record["id"]))
            else:
                self._found.live_ids.append(str(record["id"]))
                self._came_back(str(record["id"]))
        self.progress(len(taken))

    # Records that vanished without a word.

    def _count(self, cursor: State) -> State:
        """Compare the number of records with what is known; where it is another than at the last counting, look which are gone or unknown.

        A merge can retire records, and make new ones, without an edit that a search would find; what is erased for privacy just vanishes. The
        difference that stays after looking (records that the search counts and the listing lacks) is remembered, or it would be looked for
        with every run. Counted are the ids up to the newest known: what people add meanwhile is found by the next search.
        """
        before = {key: cursor[key] for key in ("surplus", "unexplained", "counted_at") if key in cursor}
        newest = self.lookup.newest_id(self.kind, self._found.live_ids)
        total = None if newest is None else self.api.count(self.kind, newest)
        if newest is None or total is None:
            return before
        surplus = total - self._expected(newest)
        now, last = self._clock or self.started_at, moment(cursor.get("counted_at"))
        is_due = last is None or now - last >= self.recount_after
        if surplus == cursor.get("surplus", 0) or not is_due:
            return before
        if surplus > 0 and surplus == cursor.get("unexplained"):
            # looked for before and not kept: records of erased persons, which are left out
            return {**before, "surplus": surplus}
        self._look_at_all()
        return {"surplus": total - self._expected(newest), "unexplained": surplus, "counted_at": iso(now)}

    def _expected(self, newest: int | None = None) -> int:
        gone = self._archived | {one["id"] for one in self._found.absences if one["is_absent"]}
        return self.lookup.live_count(self.kind, self._found.live_ids, sorted(gone), self._merged, newest)

    def _look_at_all(self) -> None:
        """List the ids of all live records: read what is unknown or has taken in others, note what is gone."""
        names = [self.kind.modified, "hs_merged_object_ids", "hs_calculated_merged_vids"]
        read = set(self._found.live_ids)
        with Spool(self.folder / f"{self.kind.name}-all.jsonl") as listed:
            for page, _, _ in self.api.listing(self.kind, names, archived=False, with_history=False):
                records = [record for record in page if _has_id(record)]
                listed.write({**_short(record), "merged_ids": _claims(record)} for record in records)
        changed = {
            *self.lookup.changed(self.kind, listed.path),
            *self.lookup.newly_merged(self.kind, listed.path),
        } - read
        if changed:
            self._reread(sorted(changed), archived=False, is_forced=True)
        missing = self.lookup.missing(
            self.kind, self._found.live_ids, sorted(self._archived), self._merged, listed.path
        )
        there: set[str] = set()  # what an answer lacked by mistake is found by its id
        for records in self.api.read(self.kind, missing, [self.kind.modified]) if missing else ():
            there.update(str(record["id"]) for record in records if _has_id(record))
        gone = [one for one in missing if one not in there]
        known = self._expected()
        self.refuse_alarming(len(gone), known)
        self._note(gone, is_absent=True)

    def _came_back(self, one: str) -> None:
        if one in self._absent:
            self._absent.discard(one)
            self._note([one], is_absent=False)

    def _note(self, ids: Iterable[str], *, is_absent: bool) -> None:
        since = iso(self._clock or self.started_at)
        self._found.absences += [
            {"table_name": self.kind.name, "id": one, "is_absent": is_absent, "since": since} for one in ids
        ]

    def _is_back(self, record: Any) -> bool:
        return _has_id(record) and str(record["id"]) in self._absent

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

    def _mark(self, cursor: State | None) -> datetime | None:
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


def _claims(record: Record) -> str | None:
    """The ids that a record has taken in, as ``known`` writes them."""
    properties = record.get("properties") or {}
    vids = re.sub(r":[0-9]+", "", properties.get("hs_calculated_merged_vids") or "")
    return (
        ";".join([*filter(None, [properties.get("hs_merged_object_ids")]), vids])
        if vids
        else properties.get("hs_merged_object_ids")
    )


def _merged_ids(record: Record) -> set[str]:
    return {one.strip() for one in (_claims(record) or "").split(";")} - {"", str(record["id"])}
