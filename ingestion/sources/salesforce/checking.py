"""Whether the credentials of a Salesforce org work, and what they may read. Nothing is loaded here."""

from __future__ import annotations

from dataclasses import replace

from ingestion.connector.about import Finding
from ingestion.connector.checking import Trial, tried
from ingestion.http.client import HttpClient
from ingestion.http.limits import RetryPolicy
from ingestion.sources.salesforce.api import connect
from ingestion.sources.salesforce.tables import SOBJECTS
from salesgauge.settings import SourceSettings


def findings(settings: SourceSettings) -> list[Finding]:
    """The session, then every object: whether it is there for the user of the connected app."""

    def connected(policy: RetryPolicy) -> tuple[HttpClient, list[Trial]]:
        api = connect(settings, policy)
        trials: list[Trial] = [("a session", api.limits)]
        trials += [(f"read {one.name}", lambda one=one: api.describe(one.name)) for one in SOBJECTS]  # type: ignore[misc]
        return api.client, trials

    optional = {f"read {one.name}" for one in SOBJECTS if one.is_optional}
    return [_judged(finding, finding.what in optional) for finding in tried(connected)]


def _judged(finding: Finding, is_optional: bool) -> Finding:
    if finding.is_ok or not finding.what.startswith("read "):
        return finding
    consequence = "without it its data is left out" if is_optional else "a sync can't run without it"
    return replace(finding, is_ok=is_optional, advice=f"{finding.advice} For Salesgauge: {consequence}.")
