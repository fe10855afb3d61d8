"""A loopback Housecall Pro: customers, leads, estimates, jobs, invoices and employees by page, with ``Authorization: Token``.

Spoken: ``page`` from 1, ``page_size`` (default 10, ≤ 200), ``sort_by`` and ``sort_direction``; ``total_pages`` and ``total_items`` (``leads`` say
``total_pages_count``); invoices by ``status`` and ``created_at_min``. 401, 403 where the plan lacks it, 429 above the rate.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from demo.log import CompanyLog
from demo.servers.housecall_pro.state import HousecallProState
from demo.servers.traffic import Limit, Traffic, Window, application

API_KEY = "demo-housecall-key"
_RATE = Limit(60, 1.0, "SECONDLY", None)


@dataclass(frozen=True)
class HousecallProOptions:
    """``denied``: listings that the plan lacks; ``deleted_while_paging``: a customer that goes away once the first page was read."""

    rate: Limit = _RATE
    denied: frozenset[str] = frozenset()
    deleted_while_paging: str | None = None


class HousecallProServer:
    """The application over the state of a log."""

    def __init__(self, log: CompanyLog, options: HousecallProOptions | None = None) -> None:
        self.options, self.traffic = options or HousecallProOptions(), Traffic()
        self._window = Window(self.options.rate)
        self.replace(log)
        names = ("employees", "customers", "leads", "estimates", "jobs", "invoices")
        self.app = application(
            [Route(f"/{name}", self._guard(name)) for name in names], self.traffic, lambda: self.state.as_of
        )

    def replace(self, log: CompanyLog) -> None:
        """Answer from ``log`` from now on."""
        self.state = HousecallProState(log)

    def _guard(self, name: str) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            if request.headers.get("authorization") != f"Token {API_KEY}":
                return JSONResponse({"error": "Unauthorized"}, 401)
            if name in self.options.denied:
                return JSONResponse({"error": "Forbidden"}, 403)
            if not self._window.take():
                self.traffic.refused["all"] += 1
                return Response("Too many requests", 429)
            try:
                return self._page(name, request)
            except ValueError as error:
                return JSONResponse({"error": str(error)}, 400)

        return guarded

    def _page(self, name: str, request: Request) -> Response:
        asked = request.query_params
        page, size = int(asked.get("page", 1)), int(asked.get("page_size", 10))
        if page < 1 or not 1 <= size <= 200:
            raise ValueError("page_size must be between 1 and 200")
        rows = list(self.state.rows[name])
        if name == "invoices":
            status, since = asked.get("status"), asked.get("created_at_min", "")
            rows = [row for row in rows if (status is None or row["status"] == status) and row["invoice_date"] >= since]
        elif asked.get("sort_by") in ("created_at", "updated_at"):
            rows.sort(key=lambda row: row.get(asked["sort_by"], ""), reverse=asked.get("sort_direction") == "desc")
        found = rows[(page - 1) * size : page * size]
        self.traffic.count(name)
        answer: dict[str, Any] = {"page": page, "page_size": size, "total_items": len(rows), name: found}
        answer["total_pages_count" if name == "leads" else "total_pages"] = math.ceil(len(rows) / size)
        if name == "customers" and self.options.deleted_while_paging and page == 1:
            kept = [row for row in self.state.rows[name] if row["id"] != self.options.deleted_while_paging]
            self.state.rows[name] = kept
        return JSONResponse(answer)
