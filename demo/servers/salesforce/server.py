"""A loopback Salesforce: token, ``/limits``, ``describe``, ``query`` and ``queryAll``, Bulk API 2.0 query jobs.

Spoken: client credentials at ``/services/oauth2/token`` (no ``expires_in``); SOQL as ``soql`` has it; ``Sforce-Query-Options: batchSize`` of 200 to
2,000 and ``nextRecordsUrl`` with a locator; ``queryAll`` also gives deleted rows; bulk jobs (``UploadComplete``, ``InProgress``, ``JobComplete``)
with results as CSV by ``maxRecords`` and ``locator``, header ``Sforce-Locator: null`` at the end. Errors are arrays of ``message`` and ``errorCode``:
401 INVALID_SESSION_ID, 400 INVALID_FIELD, INVALID_TYPE, MALFORMED_QUERY, 403 REQUEST_LIMIT_EXCEEDED above the daily limit, 404 NOT_FOUND.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from demo.log import CompanyLog
from demo.servers.salesforce.answers import shapes
from demo.servers.salesforce.soql import Malformed, Query, parse
from demo.servers.salesforce.state import AUTOMATION, SalesforceState, fields, stamp
from demo.servers.traffic import Traffic, application

CLIENT_ID = "3MVG9demo.client"
CLIENT_SECRET = "demo-salesforce-secret"
_MOST = 2_000


@dataclass(frozen=True)
class SalesforceOptions:
    """``daily``: requests before REQUEST_LIMIT_EXCEEDED; ``page``: rows of a page at most; ``hidden``: objects that the user may not see;
    ``polls``: how often a bulk job is InProgress before it is complete; ``session``: requests until a session ends.
    """

    daily: int = 100_000
    page: int = _MOST
    hidden: frozenset[str] = frozenset()
    polls: int = 1
    session: int = 1_000_000


class SalesforceServer:
    """The application over the state of a log. ``known`` is applied to every log: what Salesforce can tell of it."""

    def __init__(
        self,
        log: CompanyLog,
        known: Callable[[CompanyLog], CompanyLog] = lambda log: log,
        options: SalesforceOptions | None = None,
    ) -> None:
        self.options, self.traffic = options or SalesforceOptions(), Traffic()
        self._known, self._used, self._sessions, self._left = known, 0, 0, 0
        self._locators: dict[str, tuple[list[dict[str, Any]], int]] = {}
        self._jobs: dict[str, dict[str, Any]] = {}
        self.replace(log)
        base = "/services/data/{version}"
        self.shapes = shapes()
        self.app = application(
            [
                Route("/services/oauth2/token", self._token, methods=["POST"]),
                Route(f"{base}/limits", self._guard(self._limits)),
                Route(f"{base}/sobjects/{{sobject}}/describe", self._guard(self._describe)),
                Route(f"{base}/query", self._guard(self._query)),
                Route(f"{base}/queryAll", self._guard(self._query)),
                Route(f"{base}/query/{{locator}}", self._guard(self._next)),
                Route(f"{base}/jobs/query", self._guard(self._create_job), methods=["POST"]),
                Route(f"{base}/jobs/query/{{job}}", self._guard(self._job)),
                Route(f"{base}/jobs/query/{{job}}/results", self._guard(self._results)),
            ],
            self.traffic,
            lambda: self.state.as_of,
            self.shapes,
        )

    def replace(self, log: CompanyLog) -> None:
        """Answer from ``log`` from now on."""
        self.state = SalesforceState(self._known(log))
        self._fields = {name: fields(rows.values()) for name, rows in self.state.rows.items()}

    # Guards.

    async def _token(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        if form.get("grant_type") not in ("client_credentials", "refresh_token"):
            return JSONResponse(
                {"error": "unsupported_grant_type", "error_description": "grant type not supported"}, 400
            )
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return JSONResponse({"error": "invalid_client", "error_description": "invalid client credentials"}, 400)
        self._sessions += 1
        self._left = self.options.session
        self.traffic.count("token")
        url = f"{request.url.scheme}://{request.headers['host']}"
        return JSONResponse(
            {
                "access_token": f"00D!demo.{self._sessions}", "instance_url": url, "id": f"{url}/id/00D/005", "token_type": "Bearer",
                "issued_at": "1782882000000", "signature": "c2ln",
            }
        )  # fmt: skip

    def _guard(self, handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            if request.headers.get("authorization") != f"Bearer 00D!demo.{self._sessions}" or self._left <= 0:
                self.traffic.refused["session"] += 1
                return _error(401, "INVALID_SESSION_ID", "Session expired or invalid")
            if self._used >= self.options.daily:
                self.traffic.refused["limit"] += 1
                return _error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
            self._used += 1
            self._left -= 1
            try:
                answer = await handler(request)
            except Malformed as error:
                answer = _error(400, error.code, str(error))
            answer.headers["Sforce-Limit-Info"] = f"api-usage={self._used}/{self.options.daily}"
            return answer

        return guarded

    # Handlers.

    async def _limits(self, request: Request) -> Response:
        self.traffic.count("limits")
        left = self.options.daily - self._used
        return JSONResponse(
            {
                "DailyApiRequests": {"Max": self.options.daily, "Remaining": left},
                "DailyBulkV2QueryJobs": {"Max": 10_000, "Remaining": 10_000 - len(self._jobs)},
            }
        )

    async def _describe(self, request: Request) -> Response:
        sobject = request.path_params["sobject"]
        if sobject not in self._visible():
            return _error(404, "NOT_FOUND", "The requested resource does not exist")
        self.traffic.count(f"{sobject}.describe")
        shown = [
            {"name": name, "type": kind, "custom": name.endswith("__c"), "label": name.replace("_", " ")}
            for name, kind in self._fields[sobject].items()
        ]
        if sobject in ("Lead", "Contact"):
            shown.append({"name": "Address", "type": "address", "custom": False, "label": "Address"})
        return JSONResponse({"name": sobject, "queryable": True, "fields": shown})

    async def _query(self, request: Request) -> Response:
        query = parse(request.query_params.get("q", ""), self._visible())
        rows = self._rows(query, request.url.path.endswith("queryAll"))
        if not query.fields:
            self.traffic.count(f"{query.sobject}.count")
            return JSONResponse({"totalSize": len(rows), "done": True, "records": []})
        size = _batch(request.headers.get("sforce-query-options", ""), self.options.page)
        return self._page(query.sobject, [_shown(query, row) for row in rows], 0, size, request)

    async def _next(self, request: Request) -> Response:
        name, _, place = request.path_params["locator"].rpartition("-")
        if name not in self._locators:
            return _error(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        rows, size = self._locators[name]
        return self._page(rows[0]["attributes"]["type"], rows, int(place), size, request, name)

    def _page(
        self, sobject: str, rows: list[dict[str, Any]], start: int, size: int, request: Request, name: str | None = None
    ) -> Response:
        page = rows[start : start + size]
        body: dict[str, Any] = {"totalSize": len(rows), "done": start + size >= len(rows), "records": page}
        if not body["done"]:
            name = name or f"01g{len(self._locators):012d}AAA"
            self._locators[name] = (rows, size)
            version = request.path_params["version"]
            body["nextRecordsUrl"] = f"/services/data/{version}/query/{name}-{start + size}"
        self.traffic.count(f"{sobject}.query", sobject, [row.get("Id", "") for row in page])
        return JSONResponse(body)

    # Bulk API 2.0.

    async def _create_job(self, request: Request) -> Response:
        body = await request.json()
        query = parse(body.get("query", ""), self._visible())
        job = f"750{len(self._jobs):012d}AAA"
        rows = [_shown(query, row) for row in self._rows(query, body.get("operation") == "queryAll")]
        self._jobs[job] = {"rows": rows, "fields": query.fields, "polls": self.options.polls, "object": query.sobject}
        self.traffic.count("jobs.create")
        return JSONResponse(self._job_body(job, "UploadComplete"))

    async def _job(self, request: Request) -> Response:
        job = request.path_params["job"]
        if job not in self._jobs:
            return _error(404, "NOT_FOUND", "The requested resource does not exist")
        self._jobs[job]["polls"] -= 1
        self.traffic.count("jobs.poll")
        return JSONResponse(self._job_body(job, "InProgress" if self._jobs[job]["polls"] >= 0 else "JobComplete"))

    async def _results(self, request: Request) -> Response:
        found = self._jobs.get(request.path_params["job"])
        if found is None or found["polls"] >= 0:
            return _error(404, "NOT_FOUND", "The requested resource does not exist")
        start, most = int(request.query_params.get("locator") or 0), int(request.query_params.get("maxRecords", 50_000))
        page = found["rows"][start : start + most]
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerow(found["fields"])
        writer.writerows([[_csv(row[name]) for name in found["fields"]] for row in page])
        self.traffic.count(f"{found['object']}.bulk", found["object"], [row.get("Id", "") for row in page])
        more = start + most < len(found["rows"])
        headers = {"Sforce-NumberOfRecords": str(len(page)), "Sforce-Locator": str(start + most) if more else "null"}
        return Response(out.getvalue(), media_type="text/csv", headers=headers)

    def _job_body(self, job: str, state: str) -> dict[str, Any]:
        found, now = self._jobs[job], stamp(self.state.as_of.replace(microsecond=0))
        return {
            "id": job, "operation": "queryAll", "object": found["object"], "createdById": AUTOMATION, "createdDate": now,
            "systemModstamp": now, "state": state, "concurrencyMode": "Parallel", "contentType": "CSV",
            "apiVersion": 62.0, "lineEnding": "LF", "columnDelimiter": "COMMA", "numberRecordsProcessed": len(found["rows"]), "retries": 0,
            "totalProcessingTime": 1,
        }  # fmt: skip

    # The rest.

    def _visible(self) -> dict[str, dict[str, str]]:
        return {name: kinds for name, kinds in self._fields.items() if name not in self.options.hidden and kinds}

    def _rows(self, query: Query, with_deleted: bool) -> list[Any]:
        rows = self.state.rows[query.sobject].values()
        return query.run(row for row in rows if with_deleted or not row["IsDeleted"])


def _shown(query: Query, row: Any) -> dict[str, Any]:
    url = f"/services/data/v62.0/sobjects/{query.sobject}/{row['Id']}"
    return {"attributes": {"type": query.sobject, "url": url}, **{name: row.get(name) for name in query.fields}}


def _csv(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).replace("+0000", "Z") if isinstance(value, str) and value.endswith("+0000") else str(value)


def _batch(options: str, most: int) -> int:
    for part in options.split(";"):
        name, _, value = part.strip().partition("=")
        if name == "batchSize" and value.isdecimal():
            return max(200, min(int(value), most))
    return most


def _error(status: int, code: str, message: str) -> Response:
    return JSONResponse([{"message": message, "errorCode": code}], status_code=status)
