"""Trying what a source's credentials may do: each trial is one cheap request. What is tried belongs to each connector."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ingestion.connector.about import Finding
from ingestion.http.answers import Refused
from ingestion.http.client import HttpClient
from ingestion.http.limits import RetryPolicy
from salesgauge.errors import SalesgaugeError
from salesgauge.masking import masked

QUICK = RetryPolicy(attempts=2, seconds=10, connect_timeout=5, read_timeout=20, unreachable_attempts=2)
Trial = tuple[str, Callable[[], object]]


def tried(connected: Callable[[RetryPolicy], tuple[HttpClient, Sequence[Trial]]]) -> list[Finding]:
    """The findings of the trials that ``connected`` gives. A key that is missing or wrong, or a host that does not answer, ends them."""
    try:
        client, trials = connected(QUICK)
    except SalesgaugeError as error:
        return [Finding("settings and secrets", is_ok=False, advice=str(error))]
    found: list[Finding] = []
    try:
        for what, trial in trials:
            try:
                trial()
                found.append(Finding(what, is_ok=True))
            except SalesgaugeError as error:
                found.append(Finding(what, is_ok=False, advice=str(error)))
                if not isinstance(error, Refused) or error.status == 401:
                    break  # nothing else can be said before this is put right
            except Exception as error:  # whatever an answer made of a connector, people get words
                advice = f"unexpected {type(error).__name__}: {masked(str(error))[:300]}. Check base_url."
                found.append(Finding(what, is_ok=False, advice=advice))
    finally:
        client.close()
    return found
