"""A loopback HubSpot: read access to the CRM in both path styles, ``/crm/v3/objects/…`` and ``/crm/objects/2026-03/…``.

Spoken, always with ``Authorization: Bearer``: list (``limit`` ≤ 100, ≤ 50 with histories; ``after``, ``archived``, ``associations``), one record,
``batch/read`` (207 for unknown ids), ``search`` (page ≤ 200, 10,000 results, 400 beyond; 500 from the epoch), associations batch read (v4;
207 ``NO_ASSOCIATIONS_FOUND``, further pages inside an element), pipelines, owners (archived too), properties, account details.
Forms and their submissions have one address for all versions; stages that are listed no more keep their audit.
Errors: 400, 401, 403 ``MISSING_SCOPES``, 404, 429 with ``policyName``. Property values are text or null, unknown names are ignored, histories
come newest first. Unlike HubSpot, archived records keep their links (a reader who was there before knows them), and search has no lag unless told to.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from demo.log import CompanyLog
from demo.servers.hubspot.answers import shapes
from demo.servers.hubspot.extras import EXTRAS, audit, forms, page_of, submissions
from demo.servers.hubspot.search import BadRequest, ServerFault, search
from demo.servers.hubspot.shape import ALIASES, LINK_TYPES, SINGULAR, definitions, no_link, shown
from demo.servers.hubspot.state import HubSpotState, Record, timestamp
from demo.servers.traffic import Limit, Traffic, Window, application

TOKEN = "demo-hubspot-token"
Handler = Callable[[Request], Awaitable[Response]]


_BURST, _SEARCH = Limit(190, 10.0, "TEN_SECONDLY_ROLLING"), Limit(5, 1.0, "SECONDLY")


@dataclass(frozen=True)
class HubSpotOptions:
    """How the server behaves. ``refuse_every``: each n-th request of the CRM is answered 429 whatever the rate; None: none is.

    ``denied``: object types for which the token has no scope. ``link_page``: links of one record per page. ``extras``: what of
    ``hubspot_extras.EXTRAS`` the account has; the token has no scope for the rest. ``mint``: how merges work (``HubSpotState``).
    ``deleted_stages``: stages of deals that are listed no more.
    ``search_lag``: seconds for which the
    search does not show a change, of records with odd ids: an index does not catch up in order.
    """

    token: str = TOKEN
    burst: Limit = _BURST
    search: Limit = _SEARCH
    refuse_every: int | None = None
    denied: frozenset[str] = frozenset()
    link_page: int = 500
    extras: frozenset[str] = frozenset()
    mint: str | None = None
    deleted_stages: frozenset[str] = frozenset()
    search_lag: float = 0.0


class HubSpotServer:
    """The application over a ``HubSpotState``; ``state`` may be replaced while it runs."""

    def __init__(self, state: HubSpotState, options: HubSpotOptions | None = None) -> None:
        self.options, self.traffic = options or HubSpotOptions(), Traffic()
        self._burst, self._search_window = Window(self.options.burst), Window(self.options.search)
        self._asked = self._errors = 0
        self.hidden: set[str] = set()
        self.state = state
        self.shapes = shapes()
        self.app = application(self._routes(), self.traffic, lambda: self.state.as_of, self.shapes)

    @property
    def state(self) -> HubSpotState:
        """What is served."""
        return self._state

    @state.setter
    def state(self, state: HubSpotState) -> None:
        self._state = state
        self._searches: dict[str, dict[str, list[Record]]] = {}
        self._order: dict[tuple[str, bool], list[int]] = {}

    def replace(self, log: CompanyLog) -> None:
        """Answer from ``log`` from now on."""
        self.state = made(log, self.options)

    def _routes(self) -> list[Route]:
        routes = []
        for area, tail, method, handler in (
            ("objects", "/{type}", "GET", self._list),
            ("objects", "/{type}/search", "POST", self._search),
            ("objects", "/{type}/batch/read", "POST", self._batch_read),
            ("objects", "/{type}/{id}", "GET", self._one),
            ("pipelines", "/{type}", "GET", self._pipelines),
            ("pipelines", "/{type}/{id}/audit", "GET", self._audit),
            ("pipelines", "/{type}/{id}/stages/{stage}/audit", "GET", self._audit),
            ("owners", "", "GET", self._owners),
            ("properties", "/{type}", "GET", self._properties),
        ):
            for path in (f"/crm/v3/{area}{tail}", f"/crm/{area}/{{version}}{tail}"):
                routes.append(Route(path, self._guard(handler, area), methods=[method]))
        for path in ("/crm/v4/associations", "/crm/associations/{version}"):
            routes.append(
                Route(
                    path + "/{type}/{to}/batch/read", self._guard(self._associations, "associations"), methods=["POST"]
                )
            )
        for path in ("/account-info/v3/details", "/account-info/{version}/details"):
            routes.append(Route(path, self._guard(self._account, "account"), methods=["GET"]))
        for path, handler in (
            ("/marketing/v3/forms", self._forms),
            ("/form-integrations/v1/submissions/forms/{id}", self._submissions),
        ):
            routes.append(Route(path, self._guard(handler, "forms"), methods=["GET"]))
        return routes

    # Before every answer.

    def _guard(self, handler: Callable[[Request], Awaitable[Response]], area: str) -> Handler:
        async def guarded(request: Request) -> Response:
            kind = request.path_params.get("type", area)
            refusal = self._refusal(request, kind, is_search=handler == self._search)
            if refusal is not None:
                return refusal
            try:
                if "type" in request.path_params and kind not in ALIASES:
                    raise BadRequest(f"Unable to infer object type from: {kind}")
                return await handler(request)
            except BadRequest as error:
                return self._error(400, str(error), category="VALIDATION_ERROR")
            except ServerFault as error:
                return self._error(500, f"internal error: {error}")

        return guarded

    def _refusal(self, request: Request, kind: str, is_search: bool) -> Response | None:
        if request.headers.get("authorization") != f"Bearer {self.options.token}":
            message = "Authentication credentials not found. This API supports OAuth 2.0 authentication"
            return self._error(401, message, category="INVALID_AUTHENTICATION")
        version = request.path_params.get("version")
        if version is not None and version not in ("2026-03", "2026-09"):
            return self._error(404, f"version {version} is not supported")
        self._asked += 1
        window = self._search_window if is_search else self._burst
        every = self.options.refuse_every
        is_unlucky = self._asked % every == 0 if every else False
        if is_unlucky or not window.take():
            self.traffic.refused[ALIASES.get(kind, kind)] += 1
            headers = {"Retry-After": str(window.limit.retry_after)} if window.limit.retry_after is not None else {}
            message = f"You have reached your {window.limit.policy.lower()} limit."
            return self._error(429, message, headers, errorType="RATE_LIMIT", policyName=window.limit.policy)
        if ALIASES.get(kind, kind) in {*self.options.denied, *(set(EXTRAS) - self.options.extras)}:
            scope = "forms" if kind == "forms" else f"crm.objects.{ALIASES[kind]}.read"
            return self._error(
                403, "One or more of the following scopes are required.", category="MISSING_SCOPES",
                errors=[{"message": "missing scopes", "context": {"requiredGranularScopes": [scope]}}],
                context={"requiredGranularScopes": [scope]}, links={"scopes": "https://developers.hubspot.com/scopes"},
            )  # fmt: skip
        return None

    def _error(self, status: int, message: str, headers: dict[str, str] | None = None, **more: Any) -> Response:
        self._errors += 1
        body = {
            "status": "error",
            "message": message,
            "correlationId": f"00000000-0000-4000-8000-{self._errors:012d}",
            **more,
        }
        return JSONResponse(body, status, headers=headers)

    def _answer(self, body: dict[str, Any], status: int = 200, is_search: bool = False) -> Response:
        limit = self.options.burst
        headers = {} if is_search else {
            "X-HubSpot-RateLimit-Daily": "650000",
            "X-HubSpot-RateLimit-Daily-Remaining": str(max(0, 650_000 - self._asked)),
            "X-HubSpot-RateLimit-Interval-Milliseconds": str(round(limit.seconds * 1000)),
            "X-HubSpot-RateLimit-Max": str(limit.requests),
            "X-HubSpot-RateLimit-Remaining": str(self._burst.remaining),
        }  # fmt: skip
        return JSONResponse(body, status, headers=headers)

    # Objects.

    async def _list(self, request: Request) -> Response:
        kind, query = ALIASES[request.path_params["type"]], request.query_params
        history = _names(query.get("propertiesWithHistory"))
        limit = _number(query.get("limit", "10"), "limit")
        most = 50 if history else 100
        if not 1 <= limit <= most:
            raise BadRequest(
                f"limit must be between 1 and {most}{' with propertiesWithHistory' if history else ''}, found {limit}"
            )
        archived = query.get("archived", "false") == "true"
        order = self._ids(kind, archived)
        start = bisect_left(order, _number(query["after"], "after")) if query.get("after") else 0
        page = order[start : start + limit]
        linked = [ALIASES[one] for one in _names(query.get("associations")) if one in ALIASES]
        shape = partial(shown, self.state, names=_names(query.get("properties")), history=history, linked=linked)
        body: dict[str, Any] = {"results": [shape(self.state.records[kind][str(one)]) for one in page]}
        if start + limit < len(order):
            after = str(page[-1] + 1)
            link = f"https://api.hubapi.com{request.url.path}?{urlencode({**query, 'after': after})}"
            body["paging"] = {"next": {"after": after, "link": link}}
        if (
            archived
        ):  # counted apart: the short listing of archived records is how a reader learns of them, run after run
            self.traffic.count(f"{kind}.archived", f"{kind}.archived", map(str, page))
        else:
            self.traffic.count(f"{kind}.list", kind, map(str, page))
        return self._answer(body)

    async def _one(self, request: Request) -> Response:
        kind, query = ALIASES[request.path_params["type"]], request.query_params
        record = self.state.records[kind].get(request.path_params["id"])
        if record is None or (record.archived_at is not None) != (query.get("archived") == "true"):
            return self._error(404, "resource not found", category="OBJECT_NOT_FOUND")
        self.traffic.count(f"{kind}.one", kind, [record.id])
        return self._answer(
            shown(self.state, record, _names(query.get("properties")), _names(query.get("propertiesWithHistory")), [])
        )

    async def _batch_read(self, request: Request) -> Response:
        kind, body = ALIASES[request.path_params["type"]], await _body(request)
        inputs, history = [str(one["id"]) for one in body.get("inputs") or []], body.get("propertiesWithHistory") or []
        most = 50 if history else 100
        if not 1 <= len(inputs) <= most:
            raise BadRequest(
                f"inputs must hold 1 to {most} ids{' with propertiesWithHistory' if history else ''}, found {len(inputs)}"
            )
        archived = request.query_params.get("archived") == "true"
        found = [self.state.records[kind].get(one) for one in dict.fromkeys(inputs)]
        records = [one for one in found if one is not None and (one.archived_at is not None) == archived]
        missing = sorted(set(inputs) - {record.id for record in records})
        answer: dict[str, Any] = {
            "status": "COMPLETE",
            "results": [shown(self.state, record, body.get("properties") or [], history, []) for record in records],
            **self._times(),
        }
        if missing:
            answer["numErrors"] = 1
            answer["errors"] = [
                {
                    "status": "error",
                    "category": "OBJECT_NOT_FOUND",
                    "message": "Could not get some objects",
                    "context": {"ids": missing},
                }
            ]
        self.traffic.count(f"{kind}.batch_read", kind, [record.id for record in records])
        return self._answer(answer, 207 if missing else 200)

    async def _search(self, request: Request) -> Response:
        kind, body = ALIASES[request.path_params["type"]], await _body(request)
        page, total, following = search(self._indexed(kind), body, self._searches.setdefault(kind, {}))
        names = body.get("properties") or []
        answer: dict[str, Any] = {
            "total": total,
            "results": [shown(self.state, record, names, [], []) for record in page],
        }
        if following is not None:
            answer["paging"] = {"next": {"after": str(following)}}
        self.traffic.count(f"{kind}.search", f"{kind}.search", [record.id for record in page])
        return self._answer(answer, is_search=True)

    def _indexed(self, kind: str) -> dict[str, Record]:
        """What the search knows of."""
        records = self.state.records[kind]
        if not self.options.search_lag:
            return records
        until = self.state.as_of - timedelta(seconds=self.options.search_lag)
        hidden = {one for one, record in records.items() if record.updated > until and int(one) % 2}
        self.hidden |= hidden
        self._searches[kind] = {}
        return {one: record for one, record in records.items() if one not in hidden}

    def _ids(self, kind: str, archived: bool) -> list[int]:
        key = (kind, archived)
        if key not in self._order:
            records = self.state.records[kind].values()
            self._order[key] = sorted(
                int(record.id) for record in records if (record.archived_at is not None) == archived
            )
        return self._order[key]

    # The rest.

    async def _associations(self, request: Request) -> Response:
        kind, other = ALIASES[request.path_params["type"]], request.path_params["to"]
        if other not in ALIASES:
            raise BadRequest(f"Unable to infer object type from: {other}")
        other = ALIASES[other]
        inputs = (await _body(request)).get("inputs") or []
        if not 1 <= len(inputs) <= 1000:
            raise BadRequest(f"inputs must hold 1 to 1000 ids, found {len(inputs)}")
        links, results, errors = self.state.links.get((kind, other), {}), [], []
        types = [
            {"category": "HUBSPOT_DEFINED", "typeId": number, "label": label}
            for number, label in LINK_TYPES.get((kind, other), [])
        ]
        for one in inputs:
            ids, start = links.get(str(one["id"]), []), _number(one.get("after") or 0, "after")
            if not ids:
                errors.append(no_link(str(one["id"]), SINGULAR[kind], SINGULAR[other]))
                continue
            page = ids[start : start + self.options.link_page]
            element: dict[str, Any] = {
                "from": {"id": str(one["id"])},
                "to": [{"toObjectId": int(target), "associationTypes": types} for target in page],
            }
            if start + len(page) < len(ids):
                element["paging"] = {
                    "next": {"after": str(start + len(page)), "link": "?after=" + str(start + len(page))}
                }
            results.append(element)
        answer: dict[str, Any] = {"status": "COMPLETE", "results": results, **self._times()}
        if errors:
            answer |= {"errors": errors, "numErrors": len(errors)}
        self.traffic.count(f"associations.{kind}.{other}", None, [element["from"]["id"] for element in results])
        return self._answer(answer, 207 if errors else 200)

    async def _owners(self, request: Request) -> Response:
        query = request.query_params
        limit, archived = _number(query.get("limit", "100"), "limit"), query.get("archived", "false") == "true"
        if not 1 <= limit <= 500:
            raise BadRequest(f"limit must be between 1 and 500, found {limit}")
        owners = [owner for owner in self.state.owners if owner["archived"] == archived]
        start = (
            next((place for place, owner in enumerate(owners) if owner["id"] == query["after"]), len(owners))
            if query.get("after")
            else 0
        )
        body: dict[str, Any] = {"results": owners[start : start + limit]}
        if start + limit < len(owners):
            body["paging"] = {"next": {"after": owners[start + limit]["id"], "link": ""}}
        self.traffic.count("owners", None, [owner["id"] for owner in body["results"]])
        return self._answer(body)

    async def _pipelines(self, request: Request) -> Response:
        pipelines = [
            {**pipeline, "stages": [one for one in pipeline["stages"] if one["id"] not in self.options.deleted_stages]}
            for pipeline in self.state.pipelines.get(ALIASES[request.path_params["type"]], [])
        ]
        self.traffic.count("pipelines", None, [pipeline["id"] for pipeline in pipelines])
        return self._answer({"results": pipelines})

    async def _audit(self, request: Request) -> Response:
        names = request.path_params
        pipelines = self.state.pipelines.get(ALIASES[names["type"]], [])
        found = [one for one in pipelines if one["id"] == names["id"]]
        if "stage" in names:
            found = [stage for one in found for stage in one["stages"] if stage["id"] == names["stage"]]
        self.traffic.count("pipelines.audit", None, [one["id"] for one in found])
        if not found:
            return self._error(404, "resource not found", category="OBJECT_NOT_FOUND")
        return self._answer({"results": audit(found[0], timestamp(self.state.as_of))})

    async def _forms(self, request: Request) -> Response:
        self.traffic.count("forms", None, [])
        limit = _number(request.query_params.get("limit", "20"), "limit")
        return self._answer(page_of(forms(self.state), limit, request.query_params.get("after")))

    async def _submissions(self, request: Request) -> Response:
        form = next((one for one in forms(self.state) if one["id"] == request.path_params["id"]), None)
        if form is None:
            return self._error(404, "form not found", category="OBJECT_NOT_FOUND")
        if form["formType"] == "blog_comment":
            wrong = {"message": "Form type is not allowed", "errorType": "FORM_TYPE_NOT_ALLOWED"}
            return self._error(400, "The form's type is not allowed", errors=[wrong])
        limit = _number(request.query_params.get("limit", "20"), "limit")
        if not 1 <= limit <= 50:
            raise BadRequest(f"limit must be between 1 and 50, found {limit}")
        page = page_of(submissions(self.state), limit, request.query_params.get("after"))
        self.traffic.count("forms.submissions", "forms.submissions", [one["conversionId"] for one in page["results"]])
        return self._answer(page)

    async def _properties(self, request: Request) -> Response:
        kind = ALIASES[request.path_params["type"]]
        self.traffic.count("properties", None, [])
        return self._answer({"results": definitions(self.state, kind)})

    async def _account(self, request: Request) -> Response:
        self.traffic.count("account", None, [])
        return self._answer(
            {
                "portalId": 44237313, "accountType": "STANDARD", "timeZone": self.state.log.timezone, "companyCurrency": "USD",
                "additionalCurrencies": [], "utcOffset": "-05:00", "utcOffsetMilliseconds": -18_000_000,
                "uiDomain": "app.hubspot.com", "dataHostingLocation": "na1",
            }
        )  # fmt: skip

    def _times(self) -> dict[str, str]:
        return {"startedAt": timestamp(self.state.as_of), "completedAt": timestamp(self.state.as_of)}


def made(log: CompanyLog, options: HubSpotOptions) -> HubSpotState:
    """What an account with ``options`` holds of ``log``."""
    return HubSpotState(log, mint=options.mint, has_extras=bool(options.extras))


def _names(value: str | None) -> list[str]:
    return [name.strip() for name in (value or "").split(",") if name.strip()]


def _number(value: Any, what: str) -> int:
    try:
        return int(value)
    except (TypeError, ValueError) as error:
        raise BadRequest(f"{what} must be a whole number, found {value!r}") from error


async def _body(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.body())
    except ValueError as error:
        raise BadRequest("the body is no JSON") from error
    if not isinstance(body, dict):
        raise BadRequest("the body must be a JSON object")
    return body
