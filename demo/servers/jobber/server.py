"""A loopback Jobber: the token address and ``/api/graphql``, with the schema in ``jobber.graphql`` and introspection.

Spoken: ``first``, ``after``, ``filter`` and ``sort`` of the listings; the header ``X-JOBBER-GRAPHQL-VERSION`` (404 for one that does not exist);
refresh tokens that rotate with each use, the old one dead at once; 401 ``Token not recognized``; ``errors`` with 200 for unknown fields,
``THROTTLED`` where a query costs more points than are left, ``FORBIDDEN`` beside a null where a scope is missing; ``extensions.cost`` in every answer.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from graphql import GraphQLError, GraphQLSchema, build_schema, graphql_sync, parse
from graphql.language.ast import FieldNode, OperationDefinitionNode, SelectionSetNode
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from demo.log import CompanyLog
from demo.servers.jobber.state import JobberState, Row
from demo.servers.traffic import Traffic, application

CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN = "demo-jobber-client", "demo-jobber-secret", "demo-jobber-refresh-0"
VERSIONS = ("2025-01-20", "2025-04-16", "2026-04-13", "2026-05-12", "2026-09-25")
_SCHEMA = (Path(__file__).parent / "jobber.graphql").read_text(encoding="utf-8")
_SCOPES = {
    "users": "read_users", "clients": "read_clients", "requests": "read_requests", "quotes": "read_quotes", "jobs": "read_jobs",
    "visits": "read_jobs", "invoices": "read_invoices", "paymentRecords": "read_invoices",
}  # fmt: skip
_SORTED = {"UPDATED_AT": "updatedAt", "CREATED_AT": "createdAt", "ENTRY_DATE": "entryDate"}


@dataclass(frozen=True)
class JobberOptions:
    """``points`` and ``restored`` (a second): the bucket of query costs; ``missing``: ``Type.field`` that this version lacks; ``scopes``: what the
    app may read; ``uses``: requests until an access token ends.
    """

    points: float = 10_000
    restored: float = 500
    missing: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset(_SCOPES.values())
    uses: int = 1_000_000


class JobberServer:
    """The application over the state of a log."""

    def __init__(self, log: CompanyLog, options: JobberOptions | None = None) -> None:
        self.options, self.traffic = options or JobberOptions(), Traffic()
        self._schema = _schema(self.options.missing)
        self._points, self._at = self.options.points, time.monotonic()
        self._refresh, self._access, self._uses = 0, "", 0
        self.replace(log)
        routes = [
            Route("/api/oauth/token", self._token, methods=["POST"]),
            Route("/api/graphql", self._guard(self._graphql), methods=["POST"]),
        ]
        self.app = application(routes, self.traffic, lambda: self.state.as_of)

    def replace(self, log: CompanyLog) -> None:
        """Answer from ``log`` from now on."""
        self.state = JobberState(log)

    async def _token(self, request: Request) -> Response:
        form = {key: values[0] for key, values in parse_qs((await request.body()).decode()).items()}
        stem, _, number = form.get("refresh_token", "").rpartition("-")
        is_known = stem == REFRESH_TOKEN.rpartition("-")[0] and number.isdigit() and int(number) >= self._refresh
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET) or not is_known:
            return JSONResponse({"error": "invalid_grant", "error_description": "refresh token is not valid"}, 401)
        self._refresh, self._uses = int(number) + 1, 0
        claims = json.dumps({"exp": int(time.time()) + 3_600, "n": self._refresh}).encode()
        self._access = f"e30.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.c2ln"
        return JSONResponse({"access_token": self._access, "refresh_token": f"{stem}-{self._refresh}"})

    def _guard(self, handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            self._uses += 1
            given = request.headers.get("authorization")
            if not self._access or given != f"Bearer {self._access}" or self._uses > self.options.uses:
                return JSONResponse({"message": "Token not recognized"}, 401)
            version = request.headers.get("x-jobber-graphql-version")
            if version not in VERSIONS:
                return JSONResponse({"message": f"GraphQL API version '{version}' does not exist"}, 404)
            return await handler(request)

        return guarded

    async def _graphql(self, request: Request) -> Response:
        asked = await request.json()
        query, variables = asked.get("query", ""), asked.get("variables") or {}
        cost = _cost(query, variables)
        now = time.monotonic()
        self._points = min(self.options.points, self._points + (now - self._at) * self.options.restored)
        self._at = now
        if cost > self._points:
            self.traffic.refused["cost"] += 1
            throttled = {"message": "Throttled", "extensions": {"code": "THROTTLED"}}
            return JSONResponse({"errors": [throttled], "data": None, **self._price(cost, 0)})
        result = graphql_sync(
            self._schema, query, variable_values=variables, root_value=_Listings(self), field_resolver=_field
        )
        # what a page costs in the end goes by the nodes that it has
        actual = cost * _nodes(result.data) / int(variables.get("first") or 1)
        self._points -= actual
        answer: dict[str, Any] = {"data": result.data, **self._price(cost, actual)}
        if result.errors:
            answer["errors"] = [error.formatted for error in result.errors]
        return JSONResponse(answer)

    def _price(self, requested: float, actual: float) -> dict[str, Any]:
        status = {
            "maximumAvailable": self.options.points, "currentlyAvailable": int(self._points), "restoreRate": self.options.restored,
        }  # fmt: skip
        return {
            "extensions": {
                "cost": {"requestedQueryCost": requested, "actualQueryCost": actual, "throttleStatus": status}
            }
        }


class _Listings:
    """The root of a query: one listing a name."""

    def __init__(self, server: JobberServer) -> None:
        self.server = server

    def page(self, name: str, arguments: dict[str, Any]) -> Row:
        if _SCOPES[name] not in self.server.options.scopes:
            raise GraphQLError(
                f"The app lacks the scope {_SCOPES[name]}", extensions={"code": "FORBIDDEN", "scope": _SCOPES[name]}
            )
        rows = [row for row in self.server.state.rows[name] if _matches(row, arguments.get("filter") or {})]
        for sort in arguments.get("sort") or []:
            rows.sort(key=lambda row, key=_SORTED[sort["key"]]: row[key], reverse=sort["direction"] == "DESCENDING")  # type: ignore[misc]
        begins = int(base64.b64decode(arguments["after"])) if arguments.get("after") else 0
        found = rows[begins : begins + min(arguments.get("first") or 100, 100)]
        ends = begins + len(found)
        self.server.traffic.count(name)
        info = {
            "endCursor": base64.b64encode(str(ends).encode()).decode() if found else None,
            "hasNextPage": ends < len(rows),
        }
        return {"nodes": found, "pageInfo": info, "totalCount": len(rows)}


def _field(source: Any, info: Any, **arguments: Any) -> Any:
    if isinstance(source, _Listings):
        if info.field_name == "account":
            return {"id": "Z2lkOi8vSm9iYmVyL0FjY291bnQvMQ", "name": "Northside"}
        return source.page(info.field_name, arguments)
    return source.get(info.field_name)


def _matches(row: Row, filters: dict[str, Any]) -> bool:
    """Both ends of a range are part of it."""
    for name, between in filters.items():
        at = _moment(row[name])
        after, before = _moment(between.get("after")), _moment(between.get("before"))
        if at is None or (after is not None and at < after) or (before is not None and at > before):
            return False
    return True


def _moment(text: str | None) -> datetime | None:
    at = datetime.fromisoformat(text) if text else None
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


def _schema(missing: frozenset[str]) -> GraphQLSchema:
    schema = build_schema(_SCHEMA)
    for one in missing:
        kind, _, name = one.partition(".")
        del schema.type_map[kind].fields[name]  # type: ignore[attr-defined]
    return schema


def _nodes(data: Any) -> int:
    return max(
        [len(one["nodes"]) for one in (data or {}).values() if isinstance(one, dict) and "nodes" in one], default=1
    )


def _cost(query: str, variables: dict[str, Any]) -> float:
    """Nodes that are asked for, times their fields."""
    try:
        document = parse(query)
    except GraphQLError:
        return 1
    fields = sum(
        _fields(definition.selection_set)
        for definition in document.definitions
        if isinstance(definition, OperationDefinitionNode)
    )
    return float(fields * int(variables.get("first") or 1))


def _fields(selection: SelectionSetNode) -> int:
    nodes = [node for node in selection.selections if isinstance(node, FieldNode)]
    return sum(1 + (_fields(node.selection_set) if node.selection_set else 0) for node in nodes)
