"""The simulated company's HubSpot account on loopback, with what tests do to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from demo.crms.hubspot import server
from demo.log import CompanyLog
from demo.servers.hubspot.server import HubSpotOptions
from demo.servers.traffic import Limit
from proofs.faults.wrapper import Faults
from tests.ingestion.sources.site import Site, site

PLENTY = Limit(100_000, 1.0, "TEN_SECONDLY_ROLLING")


@contextmanager
def account(root: Path, log: CompanyLog, **options: Any) -> Iterator[Site]:
    hubspot = server(log, HubSpotOptions(burst=PLENTY, search=PLENTY, **options))
    hubspot.app = Faults(hubspot.app)  # type: ignore[assignment]  # an application too
    with site(root, log, "hubspot", hubspot) as one:
        one.set("search_requests_per_second = 1000")
        one.set("requests_per_10_seconds = 100000")
        yield one


def live(one: Site, kind: str) -> list[Any]:
    return [record for record in one.server.state.records[kind].values() if record.archived_at is None]


def merge(one: Site, kind: str, first: Any, second: Any, **changes: Any) -> Any:
    """Merge two records as the account does it, two days after what was; the record that is left."""
    state = one.server.state
    state.as_of += timedelta(days=2)
    one.later += timedelta(days=2)
    left = state.merge(kind, state.as_of, first, second)
    left.seal()
    state.__dict__.pop("links", None)
    one.server.state = state
    return left
