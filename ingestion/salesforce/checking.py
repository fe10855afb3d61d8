"""Whether the credentials of a Salesforce org work, and what they may read. Nothing is loaded here."""

from __future__ import annotations

from ingestion.about import Finding
from ingestion.http import Refused, RetryPolicy
from ingestion.salesforce.api import connect, is_missing
from ingestion.salesforce.tables import SOBJECTS
from salesgauge.errors import SalesgaugeError
from salesgauge.settings import SourceSettings

_QUICK = RetryPolicy(attempts=2, seconds=10, connect_timeout=5, read_timeout=20, unreachable_attempts=2)


def findings(settings: SourceSettings) -> list[Finding]:
    """The session, then every object: whether it is there for the user of the connected app."""
    try:
        api = connect(settings, _QUICK)
        api.limits()
    except SalesgaugeError as error:
        return [Finding("a session", is_ok=False, advice=str(error))]
    found = [Finding("a session", is_ok=True)]
    try:
        for sobject in SOBJECTS:
            try:
                api.describe(sobject.name)
                found.append(Finding(f"read {sobject.name}", is_ok=True))
            except Refused as error:
                without = "without it its data is left out" if sobject.is_optional else "a sync can't run without it"
                advice = f"{sobject.name} is not there for this user: {without}." if is_missing(error) else str(error)
                found.append(Finding(f"read {sobject.name}", is_ok=sobject.is_optional, advice=advice))
    except SalesgaugeError as error:
        found.append(Finding("the objects", is_ok=False, advice=str(error)))
    finally:
        api.client.close()
    return found
