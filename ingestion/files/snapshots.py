"""The moment of an export that stands in its file's name: the file is where its records stood then. What is in files does not belong here (``run``)."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from ingestion.files.mapping.model import FileMapping
from ingestion.files.mapping.rules import SNAPSHOT_CODES
from ingestion.files.readers.relation import RefusedError

_FORMS = ("%Y-%m-%d", "%Y_%m_%d", "%Y.%m.%d", "%Y%m%d", "%m-%d-%Y", "%d-%m-%Y", "%m_%d_%Y", "%d_%m_%Y", "%d.%m.%Y", "%m.%d.%Y", "%b %d %Y", "%d %b %Y", "%B %d %Y", "%d %B %Y")  # fmt: skip


def taken_at(entry: FileMapping, file: str, zone: str) -> datetime | None:
    """When ``file`` was exported, in UTC, as ``stages.snapshot`` reads its name; None where the mapping does not say that its files are snapshots.

    ``zone`` is the company's: a day is that of its clock. RefusedError where the name has no such date.
    """
    form = entry.stages.snapshot if entry.stages else None
    if form is None:
        return None
    at = _read(form, file)
    if at is None:
        raise RefusedError(
            f"its name has no date written as {form}, as stages.snapshot says; name it like the others, or leave it out of path"
        )
    return at.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC).replace(tzinfo=None)


def of_its_moment(entry: FileMapping, at: datetime | None) -> FileMapping:
    """``entry`` for a file of ``at``: of the versions of a record that of the newest snapshot counts, where the source does not say when it changed."""
    if at is None or "updated_at" in entry.given:
        return entry
    return entry.model_copy(update={"constants": {**entry.constants, "updated_at": f"{at.isoformat()}Z"}})


def form_of(names: Collection[str]) -> str | None:
    """How a day of its own stands in each of the names; None where none does. Of month and day the month is taken to come first where both can."""
    for form in _FORMS:
        found = {_read(form, name) for name in names}
        if None not in found and len(found) == len(names):
            return form
    return None


def _read(form: str, name: str) -> datetime | None:
    parts = re.split("(%.)", form)
    pattern = "".join(SNAPSHOT_CODES[part] if place % 2 else re.escape(part) for place, part in enumerate(parts))
    for match in re.finditer(rf"(?<![0-9]){pattern}(?![0-9])", name):
        try:
            return datetime.strptime(match[0], form)
        except ValueError:
            continue
    return None
