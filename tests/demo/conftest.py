"""The logs and servers that the tests of ``demo`` share: a full one to look for rare cases, a small one to serve."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from demo.crms.hubspot import server
from demo.log import CompanyLog
from demo.serve import DemoServers
from demo.servers.hubspot.server import TOKEN as HUBSPOT_TOKEN
from demo.servers.hubspot.server import HubSpotOptions
from demo.servers.traffic import Limit
from demo.servers.typeform.server import TOKEN as TYPEFORM_TOKEN
from demo.servers.typeform.server import TypeformOptions
from demo.simulation.simulate import simulate

PLENTY = Limit(100_000, 1.0, "TEN_SECONDLY_ROLLING")
Call = Callable[..., requests.Response]


@pytest.fixture(scope="session")
def full() -> CompanyLog:
    """Two years at full size."""
    return simulate(3)


@pytest.fixture(scope="session")
def small() -> CompanyLog:
    """Some 300 leads."""
    return simulate(7, scale=0.05)


@pytest.fixture(scope="session")
def servers(small: CompanyLog) -> Iterator[DemoServers]:
    """Both servers of the small company, without limits."""
    hubspot, typeform = HubSpotOptions(burst=PLENTY, search=PLENTY, link_page=3), TypeformOptions(rate=PLENTY)
    with DemoServers(small, crm_server=server(small, hubspot), typeform=typeform) as running:
        yield running


@pytest.fixture(scope="session")
def caller() -> Callable[[str, str], Call]:
    """``caller(url, token)`` gives ``call(method, path, …)`` with the token; other headers may be passed."""
    return _caller


def _caller(url: str, token: str) -> Call:

    def call(method: str, path: str, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}", **options.pop("headers", {})}
        return requests.request(method, url + path, headers=headers, timeout=30, **options)

    return call


@pytest.fixture(scope="session")
def hubspot(servers: DemoServers) -> Call:
    """A call to the small company's HubSpot."""
    return _caller(servers.crm_url, HUBSPOT_TOKEN)


@pytest.fixture(scope="session")
def typeform(servers: DemoServers) -> Call:
    """A call to the small company's Typeform."""
    return _caller(servers.typeform_url, TYPEFORM_TOKEN)
