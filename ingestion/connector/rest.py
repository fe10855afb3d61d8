"""Declared resources of a REST API, read page by page with dlt's REST client and paginators over our own ``HttpClient``.

dlt knows how pages follow each other; limits, retries, credentials and the host that is talked to are ``http``'s. Which resources there are
belongs to each connector's ``tables``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import requests

from ingestion.http.answers import Refused
from ingestion.http.client import HttpClient
from ingestion.http.paging import PAGE_CAP
from ingestion.http.steady import Seen, refuse_repeated
from salesgauge.errors import SourceError

if TYPE_CHECKING:
    from ingestion.rawlog.declarations import RawTable

SINGLE_PAGE: Mapping[str, Any] = {"type": "single_page"}


@dataclass(frozen=True)
class Resource:
    """A listing. ``path`` may hold ``{names}``; ``records`` is the JSON path of the array of records; ``paginator`` is configured as in dlt's
    ``rest_api`` (``{"type": "page_number", "base_page": 1, "total_path": "total_pages"}``, ``cursor``, ``offset``, ``json_link``, ...); ``total`` the
    field of a page that says how many records there are in all.
    """

    table: RawTable
    path: str
    records: str = "data"
    params: Mapping[str, Any] = field(default_factory=dict)
    paginator: Mapping[str, Any] = field(default_factory=lambda: SINGLE_PAGE)
    limit: str = "default"
    total: str | None = None


def read(
    client: HttpClient,
    resource: Resource,
    params: Mapping[str, Any] | None = None,
    seen: Seen | None = None,
    **path_values: Any,
) -> Iterator[list[Any]]:
    """The pages of ``resource``, each a list of records. ``params`` are added to its own; ``path_values`` fill the path; ``seen`` notes what came.

    SourceError where an answer lacks the array of records, where a page is asked for twice or comes twice in a row (the listing would never
    end), and whatever ``HttpClient.send`` raises.
    """
    from dlt.common import jsonpath
    from dlt.common.configuration.specs import RuntimeConfiguration
    from dlt.sources.helpers.rest_client import RESTClient
    from dlt.sources.rest_api.config_setup import create_paginator

    path = resource.path.format(**path_values)
    call = f"{client.source}: GET {path}"
    # all that dlt would look up in the environment or in files is given
    rest = RESTClient(client.base_url, session=_Session(client, resource.limit, call), config=RuntimeConfiguration())
    pages = rest.paginate(
        path,
        params={**resource.params, **(params or {})},
        paginator=create_paginator(dict(resource.paginator)),  # type: ignore[arg-type]
        data_selector=resource.records,
        hooks={"response": []},  # dlt's would raise on what HttpClient handles
    )
    before: list[Any] = []
    is_first = True
    while True:
        try:
            page = next(pages)
        except StopIteration:
            return
        except Refused as error:
            if is_first:
                raise
            raise SourceError(str(error)) from None  # what was there a page ago is not missing for want of a right
        except (ValueError, KeyError, TypeError) as error:  # how paginators say that an answer lacks what they need
            raise SourceError(f"{call} answered a page without its paging: {str(error)[:200]}") from None
        body = page.response.json()
        found = jsonpath.find_values(resource.records, body)
        if len(found) != 1 or not isinstance(found[0], list):
            raise SourceError(f"{call} answered without the list '{resource.records}'. Nothing of this load was kept.")
        refuse_repeated(found[0], before, call)
        before, is_first = found[0], False
        if seen is not None and resource.total and isinstance(body, dict):
            seen.page((one.get("id") for one in before if isinstance(one, dict)), body.get(resource.total))
        yield before


class _Session(requests.Session):
    """What dlt's client sends goes through ``HttpClient``; one session per listing, so that a page asked for twice is seen."""

    def __init__(self, client: HttpClient, limit: str, call: str) -> None:
        super().__init__()
        self._client, self._limit, self._call = client, limit, call
        self._asked: set[tuple[str | None, bytes | str | None]] = set()
        self.trust_env = False

    def send(self, request: requests.PreparedRequest, **settings: Any) -> requests.Response:
        """The answer to ``request``; SourceError if it was asked before."""
        asked = (request.url, request.body)
        if asked in self._asked:
            raise SourceError(
                f"{self._call}: the same page would be asked for again, so the listing would never end. Report it to the vendor."
            )
        if len(self._asked) >= PAGE_CAP:
            raise SourceError(f"{self._call}: more than {PAGE_CAP} pages. Report it to the vendor.")
        self._asked.add(asked)
        return self._client.forward(request, self._limit)
