"""A loopback ServiceTitan: the token address, export feeds, lists and the changes of estimates of one tenant.

Spoken: ``Authorization`` and ``ST-App-Key``; feeds with ``from`` (a token, or a date) answered with ``hasMore`` and ``continueFrom``, in the order of
changes; lists with ``page``, ``pageSize`` (≤ 5,000), ``active`` (default True) and ``hasMore``. Problem documents: 401, 403 without the scope or of
another tenant, 404, 400; 429 with ``Retry-After`` above the rate.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from demo.log import CompanyLog
from demo.servers.servicetitan.answers import shapes
from demo.servers.servicetitan.state import Row, ServiceTitanState
from demo.servers.traffic import Limit, Traffic, Window, application

TENANT, CLIENT_ID, CLIENT_SECRET, APP_KEY = "900100", "cid.demo", "cs1.demo-servicetitan-secret", "ak1.demo"
_MODULES = {
    "jpm": ("jobs", "job-history", "job-canceled-logs", "appointments", "job-types", "job-cancel-reasons"), "sales": ("estimates",),
    "settings": ("employees", "technicians", "business-units"), "telecom": ("calls",), "dispatch": ("appointment-assignments",),
    "crm": ("leads", "bookings", "customers", "customers/contacts", "locations"), "accounting": ("invoices", "payments"),
    "marketing": ("campaigns", "costs"),
}  # fmt: skip
_LISTS = frozenset({"job-types", "job-cancel-reasons", "campaigns", "costs"})
_RATE = Limit(60, 1.0, "SECONDLY")


@dataclass(frozen=True)
class ServiceTitanOptions:
    """``page``: rows of a feed's answer; ``denied``: resources whose scope the app lacks; ``uses``: requests until a token ends."""

    page: int = 500
    denied: frozenset[str] = frozenset()
    rate: Limit = _RATE
    uses: int = 1_000_000


class ServiceTitanServer:
    """The application over the state of a log."""

    def __init__(self, log: CompanyLog, options: ServiceTitanOptions | None = None) -> None:
        self.options, self.traffic = options or ServiceTitanOptions(), Traffic()
        self._window = Window(self.options.rate)
        self._tokens, self._used = 0, 0
        self.replace(log)
        tenant = "/v2/tenant/{tenant}"
        routes = [Route("/connect/token", self._token, methods=["POST"])]
        routes.append(Route(f"/sales{tenant}/status/estimates/{{id}}/changes", self._guard("estimates", self._changes)))
        for module, resources in _MODULES.items():
            for one in resources:
                path, answer = (
                    (f"/{module}{tenant}/{one}", self._list)
                    if one in _LISTS
                    else (f"/{module}{tenant}/export/{one}", self._feed)
                )
                routes.append(Route(path, self._guard(one, answer)))
        self.shapes = shapes()
        self.app = application(routes, self.traffic, lambda: self.state.as_of, self.shapes)

    def replace(self, log: CompanyLog) -> None:
        """Answer from ``log`` from now on."""
        self.state = ServiceTitanState(log)

    async def _token(self, request: Request) -> Response:
        form = {key: values[0] for key, values in parse_qs((await request.body()).decode()).items()}
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return JSONResponse({"error": "invalid_client"}, 400)
        self._tokens, self._used = self._tokens + 1, 0
        return JSONResponse({"access_token": f"st-token-{self._tokens}", "expires_in": 900, "token_type": "Bearer"})

    def _guard(self, resource: str, handler: Callable[[str, Request], Any]) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            self._used += 1
            given = request.headers.get("authorization")
            if given != f"Bearer st-token-{self._tokens}" or request.headers.get("st-app-key") != APP_KEY:
                return _problem(401, "Unauthorized")
            if self._used > self.options.uses:
                return _problem(401, "Token expired")
            if not self._window.take():
                self.traffic.refused["all"] += 1
                return _problem(429, "Rate limit is exceeded", {"Retry-After": "1"})
            if request.path_params["tenant"] != TENANT or resource in self.options.denied:
                return _problem(403, "Forbidden")
            try:
                return handler(resource, request)
            except ValueError as error:
                return _problem(400, str(error))

        return guarded

    def _feed(self, resource: str, request: Request) -> Response:
        given = request.query_params.get("from")
        rows = sorted(self.state.rows[resource], key=_place)
        after = _begin(given)
        left = [row for row in rows if _place(row) > after] if after else rows
        found = left[: self.options.page]
        self.traffic.count(resource)
        end = _token_of(found[-1]) if found else given if given and not _is_date(given) else _encode((given or "", -1))
        return JSONResponse({"hasMore": len(left) > len(found), "continueFrom": end, "data": found})

    def _list(self, resource: str, request: Request) -> Response:
        page, size = int(request.query_params.get("page", 1)), int(request.query_params.get("pageSize", 50))
        if not 1 <= size <= 5_000 or page < 1:
            raise ValueError("pageSize must be between 1 and 5000")
        active = request.query_params.get("active", "True")
        rows = [
            row for row in self.state.rows[resource] if active == "Any" or row.get("active", True) == (active == "True")
        ]
        found = rows[(page - 1) * size : page * size]
        self.traffic.count(resource)
        has_more = len(rows) > page * size
        return JSONResponse({"page": page, "pageSize": size, "hasMore": has_more, "totalCount": None, "data": found})

    def _changes(self, resource: str, request: Request) -> Response:
        self.traffic.count("changes")
        return JSONResponse(self.state.changes.get(int(request.path_params["id"]), []))


def _place(row: Row) -> tuple[str, int]:
    return str(row["modifiedOn"]), int(row["id"] if "id" in row else row["jobId"])


def _encode(place: tuple[str, int]) -> str:
    return base64.urlsafe_b64encode(f"{place[0]}|{place[1]}".encode()).decode()


def _token_of(row: Row) -> str:
    return _encode(_place(row))


def _is_date(given: str) -> bool:
    try:
        datetime.fromisoformat(given)
    except ValueError:
        return False
    return True


def _begin(given: str | None) -> tuple[str, int] | None:
    """The place after which a feed goes on."""
    if not given:
        return None
    if _is_date(given):
        return given, -1
    try:
        at, _, one = base64.urlsafe_b64decode(given).decode().rpartition("|")
        return at, int(one)
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise ValueError("from is neither a token of this feed nor a date") from None


def _problem(status: int, title: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(
        {"type": "about:blank", "title": title, "status": status, "traceId": "00-0", "errors": {}}, status, headers
    )
