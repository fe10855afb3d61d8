"""What came of the last sync of each source, also where nothing was loaded: ``var/sources/<name>.json``, replaced as a whole by every run.

What was loaded is in the raw log, and that counts; this file only tells of what left no load there. It holds no secrets: errors are masked.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from ingestion.rawlog.accounting import SourceResult, State
from salesgauge.masking import masked
from salesgauge.settings import Company


@dataclass(frozen=True)
class LastSync:
    """``at``: when the run began that tried last (UTC, naive); ``succeeded_at``: the last one that went well; ``error``: why the last did not."""

    at: datetime
    state: State
    error: str | None = None
    is_misconfigured: bool = False
    succeeded_at: datetime | None = None


def save(company: Company, result: SourceResult, at: datetime) -> None:
    """Keep what came of a source in the run that began ``at``."""
    before = load(company, result.source)
    is_failed = result.state == "failed"
    succeeded_at = (before.succeeded_at if before else None) if is_failed else at
    error = masked(result.error) if result.error else None
    kept = LastSync(at, result.state, error, result.is_misconfigured, succeeded_at)
    path = _path(company, result.source)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".new")
    with beside.open("w", encoding="utf-8") as file:
        json.dump(asdict(kept), file, default=datetime.isoformat)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def load(company: Company, source: str) -> LastSync | None:
    """What was kept of ``source``; None where it was never tried, or the file can't be read: the next run writes it anew."""
    try:
        found = json.loads(_path(company, source).read_text(encoding="utf-8"))
        succeeded = found["succeeded_at"]
        return LastSync(
            datetime.fromisoformat(found["at"]), found["state"], found["error"], bool(found["is_misconfigured"]),
            datetime.fromisoformat(succeeded) if succeeded else None,
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _path(company: Company, source: str) -> Path:
    return company.outcomes_dir / f"{source}.json"
