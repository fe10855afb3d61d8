"""One sync of GA4's export: which days are new or changed, landed as a whole; and trying to read them. What an event means belongs to the models."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ingestion import rawlog
from ingestion.connector.about import Finding
from ingestion.connector.buckets import is_location
from ingestion.connector.places import Place
from ingestion.landing.load import Landing
from ingestion.landing.quarantine import Waiting
from ingestion.landing.spool import spool_folder
from ingestion.sources.ga4.days import DayFile, batches, days_of, place_of, state_of
from ingestion.sources.ga4.rows import land_files
from ingestion.sources.ga4.tables import SOURCE
from salesgauge.errors import SalesgaugeError, SourceError
from salesgauge.progress import Reporter
from salesgauge.settings import Company, SourceSettings

_LOG = logging.getLogger(__name__)
_UNREAD = [-1, 0, ""]  # the state of no file: it is read with the next run


def run(company: Company, landing: Landing, *, reporter: Reporter, again: Collection[date] | None = None) -> int:
    """Land every day whose files are new or changed, or the days ``again`` and no others; returns the number of files read.

    ``[sources.ga4] folder`` (relative to the data folder, or a bucket) holds ``events_YYYYMMDD[_<shard>].jsonl[.gz]`` or ``.parquet`` and, for days
    without such a file, ``events_intraday_YYYYMMDD…``. A load holds all rows of each day that it holds; the newest load of a day is the
    day. Exact duplicates within a day are left out and counted; rows of another day or without a time go to quarantine; a file that
    can't be read is refused. A day whose files are gone stays. ``source, medium, campaign`` are the first complete level of: the session's
    last click (cross-channel, then manual), the event's collected source, the event's parameters. With a click id of an ad network the visit is paid (cpc).
    """
    place = place_of(company.source(SOURCE))
    try:
        return _run(company, place, landing, reporter, again)
    finally:
        place.close()


def ask_again(company: Company, landing: Landing, records: Iterable[Waiting]) -> None:
    """Note that the next run has to read the files of quarantined ``records``, changed or not."""
    files = {one.file for one in records}
    cursor: dict[str, dict[str, list[Any]]] = rawlog.last_cursor(company, SOURCE, "events") or {}
    landing.cursor(
        "events",
        {
            day: {name: _UNREAD if name in files else state for name, state in states.items()}
            for day, states in cursor.items()
        },
    )


def _run(company: Company, place: Place, landing: Landing, reporter: Reporter, again: Collection[date] | None) -> int:
    known: dict[str, dict[str, list[Any]]] = rawlog.last_cursor(company, SOURCE, "events") or {}
    days = days_of(place.find("events_*"))
    if not days:
        _LOG.warning("%s: there is no events_YYYYMMDD file in %s", SOURCE, place.words)
    changed, cursor = [], dict(known)
    done = 0
    with spool_folder(company.work_dir, SOURCE) as work:
        for day, files in sorted(days.items()):
            if again is not None and day not in again:
                continue
            before = known.get(day.isoformat(), {})
            state = {file.name: state_of(place, file.stored, before.get(file.name), work) for file in files}
            if state != before or again is not None:
                changed.extend(files)
                cursor[day.isoformat()] = state
        for batch in batches(changed):
            try:
                for name, day in _land(landing, place, batch, work):
                    cursor[day.isoformat()][name] = _UNREAD
            except OSError as error:
                raise SourceError(
                    f"ga4: a file of {batch[0].day} to {batch[-1].day} in {place.words} can't be read: {error.strerror or error}. "
                    "Nothing of this load was kept; run again later."
                ) from error
            done += len(batch)
            reporter.advance(SOURCE, done, len(changed), "files")
    if cursor:
        landing.cursor("events", cursor)
    return len(changed)


def _land(landing: Landing, place: Place, files: list[DayFile], work: Path) -> list[tuple[str, date]]:
    """Land one batch of files; (name, day) of those that became others while they were read. Its working files go with it."""
    with ExitStack() as stack:
        work = Path(stack.enter_context(TemporaryDirectory(dir=work)))
        paths = [stack.enter_context(place.fetched(file.stored, work)) for file in files]
        land_files(landing, [(path, file) for (path, _), file in zip(paths, files, strict=True)], work)
        return [
            (file.name, file.day)
            for (_, now), file in zip(paths, files, strict=True)
            if now.etag != file.stored.etag or place.is_changed(file.stored)
        ]


def findings(settings: SourceSettings) -> list[Finding]:
    """Whether the folder, or the bucket, is there and may be read."""
    folder = settings.get("folder")
    if not folder:
        advice = "Name the folder below data/, or a bucket, under 'folder' in [sources.ga4] of .dlt/config.toml."
        return [Finding("a folder of export files", is_ok=False, advice=advice)]
    what = f"export files in {folder if is_location(str(folder)) else f'data/{folder}'}"
    try:
        place = place_of(settings)
    except SalesgaugeError as error:
        return [Finding(what, is_ok=False, advice=str(error))]
    try:
        files = [file for several in days_of(place.find("events_*")).values() for file in several]
        if not files:
            return [Finding(what, is_ok=False, advice="There is no events_YYYYMMDD file there. Export the GA4 tables.")]
        place.try_reading(files[-1].stored)
    except SalesgaugeError as error:
        return [Finding(what, is_ok=False, advice=str(error))]
    except OSError as error:
        return [Finding(what, is_ok=False, advice=f"{files[-1].name} can't be read: {error.strerror or error}.")]
    finally:
        place.close()
    return [Finding(f"{what}: {len(files):,} files", is_ok=True)]
