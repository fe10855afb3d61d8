"""One run over the sources: side by side, each for itself. Which sources there are is in ``catalogue``, what a load is in ``landing``."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from functools import partial
from typing import Any

from ingestion import outcomes, rawlog
from ingestion.catalogue import lander
from ingestion.landing.load import Landing
from ingestion.rawlog.accounting import SourceResult, State
from salesgauge.errors import ConfigurationError, SalesgaugeError
from salesgauge.masking import masked
from salesgauge.process import Process
from salesgauge.progress import SILENT, Reporter
from salesgauge.settings import Company

_AT_ONCE = 4
_LOG = logging.getLogger(__name__)


def load_new(
    company: Company,
    process: Process,
    *,
    received_at: datetime,
    names: list[str] | None = None,
    reporter: Reporter = SILENT,
    retry_after: Sequence[float] = (),
    wait: Callable[[float], None] = time.sleep,
) -> list[SourceResult]:
    """:func:`extract` for a run that holds the company's lock: what was never committed belongs to nobody, and goes.

    Sources that fail, not by their configuration, are asked again after each of ``retry_after`` seconds (``wait``) until they answer.
    """
    rawlog.sweep(company)
    results = extract(company, process, received_at=received_at, names=names, reporter=reporter)
    for seconds in retry_after:
        failed = [result.source for result in results if result.state == "failed" and not result.is_misconfigured]
        if not failed:
            break
        _LOG.warning("%s: failed; asked again in %g seconds", ", ".join(failed), seconds)
        wait(seconds)
        again = extract(company, process, received_at=received_at, names=failed, reporter=reporter)
        newer = {result.source: result for result in again}
        results = [newer.get(result.source, result) for result in results]
    return results


def load_days(
    company: Company, process: Process, days: Collection[date], *, received_at: datetime, reporter: Reporter = SILENT
) -> SourceResult:
    """Read the web analytics export of ``days`` again, changed or not, and of no other day; for a run that holds the company's lock."""
    from ingestion.sources.ga4 import SOURCE, extract_days

    if SOURCE not in company.configured_sources():
        raise ConfigurationError(
            f"source '{SOURCE}' is not configured: there is no web analytics export to read again."
        )
    rawlog.sweep(company)
    return _one(company, process, SOURCE, received_at, reporter, partial(extract_days, days=days))


def extract(
    company: Company,
    process: Process,
    *,
    received_at: datetime,
    names: list[str] | None = None,
    reporter: Reporter = SILENT,
) -> list[SourceResult]:
    """Load what is new from every configured source (or those in ``names``) into the raw log; results in the order of the configuration.

    ``received_at`` is UTC without zone. A source that fails gives a result with ``state='failed'`` and does not disturb the others; of its load
    only the parts are kept that it finished (``Landing.keep``). ConfigurationError only for a name that is not configured.
    """
    configured = company.configured_sources()
    unknown = sorted(set(names or ()) - set(configured))
    if unknown:
        raise ConfigurationError(
            f"source '{unknown[0]}' is not configured. Configured are: {', '.join(configured) or 'none'}."
        )
    chosen = [name for name in configured if names is None or name in names]
    with ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="source") as pool:
        futures = [pool.submit(_one, company, process, name, received_at, reporter) for name in chosen]
        return [future.result() for future in futures]


def _one(
    company: Company,
    process: Process,
    name: str,
    received_at: datetime,
    reporter: Reporter,
    land: Callable[..., Any] | None = None,
) -> SourceResult:
    started = time.monotonic()
    reporter.step(name)
    result = _load(company, process, name, received_at, reporter, started, land)
    _LOG.info("%s: %s, %s records received", name, result.state, f"{result.total.received:,}")
    outcomes.save(company, result, received_at)
    total = result.total
    reporter.done(
        name,
        result.error or "failed"
        if result.state == "failed"
        else f"{total.received:,} received, {total.quarantined:,} quarantined",
    )
    return result


def _load(
    company: Company,
    process: Process,
    name: str,
    received_at: datetime,
    reporter: Reporter,
    started: float,
    land: Callable[..., Any] | None,
) -> SourceResult:
    landing = Landing(company, name, received_at=received_at)
    try:
        with landing:
            outcome = (land or lander(company, name))(
                company, process, landing, received_at=received_at, reporter=reporter
            )
            requests, problems = outcome if isinstance(outcome, tuple) else (outcome, None)
            load_id = landing.commit()
            seconds = time.monotonic() - started
            load_id = load_id or (landing.parts[-1] if landing.parts else None)
            state: State = "failed" if problems else "loaded" if load_id else "unchanged"
            notes = tuple(landing.notes)
            return SourceResult(name, state, landing.total, load_id, problems, seconds, requests, notes=notes)
    except Exception as error:  # isolation is the point: whatever one source does, the others go on
        seconds, is_misconfigured = time.monotonic() - started, isinstance(error, ConfigurationError)
        said, kept = words(name, error), sum((count.received for count in landing.kept.values()), 0)
        if landing.parts:
            said = said.replace(" Nothing of this load was kept.", "")
            said += f" Of this load {kept:,} records in {len(landing.parts)} parts are kept: the next run goes on from there."
        load_id = landing.parts[-1] if landing.parts else None
        return SourceResult(name, "failed", landing.kept, load_id, said, seconds, is_misconfigured=is_misconfigured)


def words(name: str, error: Exception) -> str:
    """What to tell people: our own errors as they are; of others the type and the first line, as their text may hold anything."""
    if isinstance(error, SalesgaugeError):
        return masked(str(error))
    first = (masked(str(error)).splitlines() or [""])[0]
    return f"{name}: unexpected {type(error).__name__}: {first[:300]}"
