"""What came of the newest run of a company, whoever started it: ``var/last_run.json``, for ``salesgauge status``.

Dagster's own record of all runs takes seconds to import. What came of each source is in ``ingestion.outcomes``.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from orchestration.locking import is_held
from salesgauge.masking import masked
from salesgauge.settings import Company


@dataclass(frozen=True)
class LastRun:
    """``trigger``: who started it. Times are UTC, naive; the exit code is that of ``salesgauge run``; both ends are None while it runs."""

    run_id: str
    trigger: str
    began_at: datetime
    ended_at: datetime | None = None
    exit_code: int | None = None
    version: str | None = None
    error: str | None = None


def begun(company: Company, *, trigger: str, run_id: str = "") -> None:
    """Note that a run has begun."""
    _write(company, LastRun(run_id, trigger, _now()))


def ended(company: Company, *, exit_code: int, version: str | None, error: str | None, run_id: str = "") -> None:
    """Note how the run ended that had begun."""
    before = load(company) or LastRun(run_id, "", _now())
    error = masked(error) if error else None
    ended = replace(
        before, run_id=run_id or before.run_id, ended_at=_now(), exit_code=exit_code, version=version, error=error
    )
    _write(company, ended)


def load(company: Company) -> LastRun | None:
    """The newest run; None where there was none, or its file can't be read: the next run writes it anew."""
    try:
        found = json.loads(_file(company).read_text(encoding="utf-8"))
        times = {name: found[name] and datetime.fromisoformat(found[name]) for name in ("began_at", "ended_at")}
        return LastRun(**{**found, **times})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def in_words(company: Company) -> str | None:
    """One line on the newest run, with the first line of what went wrong; None where there was none."""
    last = load(company)
    if last is None:
        return None
    said = f"Last run: {last.began_at:%Y-%m-%d %H:%M} UTC, started by {last.trigger or 'nobody knows whom'}"
    if last.ended_at is None:
        return f"{said}: {'still running' if is_held(company) else 'its process died; the next run needs no help'}"
    if last.exit_code == 0:
        return f"{said}: version {last.version} is served"
    first = (last.error or "it did not say why").splitlines()[0]
    return f"{said}: {'published, but ' if last.version else 'nothing was published. '}{first}"


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0)


def _write(company: Company, last: LastRun) -> None:
    file = _file(company)
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(asdict(last), default=datetime.isoformat), encoding="utf-8")
    draft.replace(file)


def _file(company: Company) -> Path:
    return company.var / "last_run.json"
