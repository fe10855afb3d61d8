"""Declared resources against a server on loopback: every page once, and no page that would lead elsewhere or nowhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ingestion.connector.rest import Resource, read
from ingestion.http.answers import ErrorReading, Refused
from ingestion.http.auth import Bearer
from ingestion.http.client import HttpClient
from ingestion.http.limits import RateLimit, RetryPolicy
from ingestion.rawlog.declarations import RawColumn, RawTable
from salesgauge.errors import SourceError
from tests.ingestion.conftest import TOKEN

TABLE = RawTable("callrail", "calls", (RawColumn("id", "varchar", "$.id"),), ("id",))
ROWS = [{"id": str(one)} for one in range(25)]


class Api:
    """Pages by number, cursor, link; ``spoil`` may change an answer."""

    def __init__(self, spoil: Callable[[dict[str, Any]], Any] = lambda body: body) -> None:
        self.spoil, self.seen, self.failed = spoil, list[str](), False
        paths = ("numbers", "cursors", "links", "flaky")
        self.app = Starlette(routes=[Route(f"/a/{path}", getattr(self, path)) for path in paths])

    async def numbers(self, request: Request) -> Response:
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        page = int(request.query_params.get("page", "1"))
        self.seen.append(str(request.url.query))
        rows = ROWS[(page - 1) * 10 : page * 10]
        return JSONResponse(self.spoil({"calls": rows, "page": page, "total_pages": 3}))

    async def cursors(self, request: Request) -> Response:
        start = int(request.query_params.get("after", "0"))
        self.seen.append(str(request.url.query))
        following = str(start + 10) if start + 10 < len(ROWS) else None
        return JSONResponse(self.spoil({"data": {"calls": ROWS[start : start + 10]}, "paging": {"next": following}}))

    async def links(self, request: Request) -> Response:
        start = int(request.query_params.get("start", "0"))
        following = f"{request.url.scheme}://{request.headers['host']}"
        link = f"{following}{request.headers['x-prefix']}/a/links?start={start + 10}" if start + 10 < 25 else None
        return JSONResponse(self.spoil({"calls": ROWS[start : start + 10], "next": link}))

    async def flaky(self, request: Request) -> Response:
        if not self.failed:
            self.failed = True
            return JSONResponse({}, status_code=429, headers={"Retry-After": "0"})
        return await self.numbers(request)


@pytest.fixture
def client(serve: Callable[[Any], str]) -> Callable[[Api], HttpClient]:
    def make(api: Api) -> HttpClient:
        url = serve(api.app)
        policy = RetryPolicy(attempts=3, seconds=3, first_wait=0.01)
        prefix = {"X-Prefix": "/" + url.rsplit("/", 1)[1]}
        limits = {"default": RateLimit(1000, 1.0)}
        return HttpClient("callrail", url, Bearer(TOKEN), limits, lambda *_: ErrorReading(), policy, headers=prefix)

    return make


RESOURCES = {
    "numbers": Resource(
        TABLE, "/a/numbers", "calls", {"per": 10}, {"type": "page_number", "base_page": 1, "total_path": "total_pages"}
    ),
    "cursors": Resource(
        TABLE,
        "/a/{name}",
        "data.calls",
        {},
        {"type": "cursor", "cursor_path": "paging.next", "cursor_param": "after"},
    ),
    "links": Resource(TABLE, "/a/links", "calls", {}, {"type": "json_link", "next_url_path": "next"}),
    "flaky": Resource(
        TABLE, "/a/flaky", "calls", {}, {"type": "page_number", "base_page": 1, "total_path": "total_pages"}
    ),
}


@pytest.mark.parametrize("kind", RESOURCES)
def test_every_page_once(client: Any, kind: str) -> None:
    pages = list(read(client(Api()), RESOURCES[kind], {"since": "2026-01-01"}, name=kind))
    assert [len(page) for page in pages] == [10, 10, 5]
    assert [row for page in pages for row in page] == ROWS


@pytest.mark.parametrize(
    ("kind", "spoil", "words"),
    [
        ("numbers", lambda body: {**body, "calls": None}, "without the list 'calls'"),
        ("numbers", lambda body: {"page": 1, "total_pages": 3}, "without the list 'calls'"),
        ("numbers", lambda body: {"calls": body["calls"]}, "without its paging"),
        ("numbers", lambda body: {**body, "calls": ROWS[:10], "total_pages": 10**6}, "same page came twice in a row"),
        ("cursors", lambda body: {**body, "paging": {"next": "10"}}, "same page would be asked for again"),
        ("links", lambda body: {**body, "next": "https://evil.example/steal"}, r"another host \(evil.example\)"),
    ],
)
def test_a_listing_that_can_not_be_trusted_is_refused(client: Any, kind: str, spoil: Any, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        list(read(client(Api(spoil)), RESOURCES[kind], name=kind))


def test_what_is_not_there_is_refused_with_its_path(client: Any) -> None:
    with pytest.raises(Refused, match="callrail: GET /a/none answered 404") as caught:
        list(read(client(Api()), Resource(TABLE, "/a/none")))
    assert caught.value.status == 404
