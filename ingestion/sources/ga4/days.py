"""The files of GA4's export: where they are, which of them are those of a day, what is known of their content, batches of whole days."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingestion.connector.buckets import Bucket, is_location
from ingestion.connector.places import Folder, Place, Stored
from salesgauge.errors import ConfigurationError, SourceError

if TYPE_CHECKING:
    from salesgauge.settings import SourceSettings

_BATCH_BYTES = 48_000_000
_PACKED = 16  # how many times larger the events are than a compressed file of them, about
_NAME = re.compile(r"events_(?P<intraday>intraday_)?(?P<day>\d{8})(?:[_-]\d+)?\.(?P<format>jsonl|parquet)(?P<gz>\.gz)?")


@dataclass(frozen=True)
class DayFile:
    """A file of the export with what its name says."""

    stored: Stored
    day: date
    is_intraday: bool
    format: str
    is_compressed: bool

    @property
    def name(self) -> str:
        """Its name in its place."""
        return self.stored.name


def place_of(settings: SourceSettings) -> Place:
    """The folder, or the bucket, that ``folder`` names. ConfigurationError where it is none."""
    name = str(settings.get("folder", "ga4"))
    if is_location(name):
        try:
            return Bucket(name, settings)
        except ValueError as error:
            raise ConfigurationError(f".dlt/config.toml: [sources.ga4] folder = {name!r} {error}.") from None
    folder = settings.data_dir / name
    if not folder.is_dir():
        raise ConfigurationError(
            f".dlt/config.toml: [sources.ga4] folder = {name!r} is no folder of {settings.data_dir.name}/. "
            "Export the GA4 tables there, or correct the setting."
        )
    return Folder(folder, folder.name)


def days_of(stored: list[Stored]) -> dict[date, list[DayFile]]:
    """The files of each day: the daily ones, or the intraday ones where the day has no other."""
    days: dict[date, list[DayFile]] = {}
    for one in stored:
        match = _NAME.fullmatch(one.name)
        if match is None:
            continue
        try:
            day = datetime.strptime(match["day"], "%Y%m%d").date()
        except ValueError as error:
            raise SourceError(f"ga4: {one.name} names no day. Rename it like events_20260201.jsonl.") from error
        days.setdefault(day, []).append(DayFile(one, day, bool(match["intraday"]), match["format"], bool(match["gz"])))
    for day, files in days.items():
        chosen = [file for file in files if not file.is_intraday] or files
        if len({(file.format, file.is_compressed) for file in chosen}) > 1:
            raise SourceError(f"ga4: {chosen[0].name} and {chosen[-1].name} hold the same day. Remove one of them.")
        days[day] = chosen
    return days


def state_of(place: Place, file: Stored, known: list[Any] | None, work: Path) -> list[Any]:
    """``[size, modified (ns), hash]`` of a file. Size and time as known: not read. Read and found the same: the known state.

    In a bucket the etag is the hash: ``[size, null, etag]``, and nothing is read.
    """
    if file.etag is not None:
        return [file.size, None, file.etag]
    if known is not None and known[:2] == [file.size, file.mtime_ns]:
        return known
    with place.fetched(file, work) as (path, file), path.open("rb") as content:
        digest = hashlib.file_digest(content, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    return known if known is not None and known[2] == digest else [file.size, file.mtime_ns, digest]


def batches(files: list[DayFile]) -> Iterator[list[DayFile]]:
    """``files`` in batches of whole days: their size bounds the memory that a load needs."""
    batch: list[DayFile] = []
    size = 0
    for file in files:
        if batch and size > _BATCH_BYTES and file.day != batch[-1].day:
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.stored.size * (_PACKED if file.is_compressed or file.format == "parquet" else 1)
    if batch:
        yield batch
