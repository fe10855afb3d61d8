"""Times as APIs write them. Times in files, which need a declared format, do not belong here (``ingestion.files.mapping.model``)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

_EPOCH = datetime(1970, 1, 1)


def moment(value: Any) -> datetime | None:
    """``value`` (ISO 8601, or milliseconds since 1970) as naive UTC; None where it is no time."""
    if value is None or isinstance(value, bool):
        return None
    text = str(value).strip()
    try:
        if text.isdigit() and len(text) > 8:
            return _EPOCH + timedelta(milliseconds=int(text))
        parsed = datetime.fromisoformat(text)
        return parsed if parsed.tzinfo is None else parsed.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None


def epoch_ms(value: Any) -> int | None:
    """Whole milliseconds since 1970 of ``value`` (as for ``moment``), rounded down."""
    at = moment(value)
    return None if at is None else (at - _EPOCH) // timedelta(milliseconds=1)


def iso(at: datetime) -> str:
    """Naive UTC as ``2026-02-01T09:00:00.120Z``."""
    return at.isoformat(timespec="milliseconds") + "Z"
