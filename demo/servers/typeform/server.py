"""A loopback Typeform: ``/forms``, ``/forms/{id}``, ``/forms/{id}/responses``, ``/me``, with ``Authorization: Bearer``.

Spoken: form listing by ``page`` and ``page_size`` (≤ 200); responses newest first, ``page_size`` ≤ 1000 (default 25), ``before`` and ``after``
(exclusive, a ``token``; ``after`` is answered oldest first), ``since`` and ``until`` (inclusive; ISO to the second or unix seconds),
``response_type`` (default ``completed``), ``total_items`` of the query and ``page_count`` of the pages left. Unanswered questions are absent.
A partial response has ``submitted_at`` 0001-01-01 and no ``response_id``; once sent off it is completed under the same token.
429 with ``Retry-After`` above the rate; 400, 401, 404 with ``code`` and ``description``.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from demo.log import POST_CONSULTATION, POST_JOB, CompanyLog
from demo.servers.traffic import Limit, Traffic, Window, application
from demo.servers.typeform.answers import shapes

TOKEN = "demo-typeform-token"
NEVER = "0001-01-01T00:00:00Z"
ANSWERING = timedelta(seconds=97)
UPDATED = "2024-06-03T14:20:11+00:00"
_QUESTIONS: tuple[tuple[str, str | None, str, dict[str, Any]], ...] = (  # ref, type, title, properties
    ("recommend", "nps", "How likely are you to recommend us?", {"steps": 11, "start_at_one": False}),
    ("csat", None, "How satisfied are you with our work?", {"steps": 5, "start_at_one": True}),
    ("comment", "long_text", "Anything else?", {}),
    ("email_ref", "email", "Your e-mail, if we may reply", {}),
)


def _form(form_id: str, title: str, csat_type: str, mark: str) -> dict[str, Any]:
    fields = [
        {
            "id": f"{mark}{number}F9kQ",
            "title": question,
            "ref": ref,
            "type": kind or csat_type,
            "properties": {"steps": 5, "shape": "star"} if kind is None and csat_type == "rating" else properties,
            "validations": {"required": False},
        }
        for number, (ref, kind, question, properties) in enumerate(_QUESTIONS, 1)
    ]
    return {
        "id": form_id, "type": "form", "title": title, "last_updated_at": UPDATED, "created_at": UPDATED,
        "workspace": {"href": "https://api.typeform.com/workspaces/W1"}, "settings": {"is_public": True, "language": "en"},
        "hidden": ["lead_id", "deal_id"], "fields": fields, "_links": {"display": f"https://northside.typeform.com/to/{form_id}"},
    }  # fmt: skip


FORMS = {
    POST_JOB: _form(POST_JOB, "After the job", "rating", "j"),
    POST_CONSULTATION: _form(POST_CONSULTATION, "After the visit", "opinion_scale", "v"),
}


def when(moment: datetime) -> str:
    """A UTC moment as Typeform writes it: to the second."""
    return f"{moment.isoformat(timespec='seconds')}Z"


class TypeformState:
    """The responses of every form: (moment by which they are sorted and filtered, item), newest first, by response type."""

    def __init__(self, log: CompanyLog, record_id: Callable[[str, str], str] = lambda kind, log_id: log_id) -> None:
        self.as_of = log.as_of
        events = log.events[log.events["kind"].isin(["survey_response", "survey_partial"])]
        self.responses: dict[tuple[str, str], list[tuple[datetime, dict[str, Any]]]] = {
            (form_id, kind): [] for form_id in FORMS for kind in ("completed", "partial", "started")
        }
        landed: dict[str, datetime] = {}
        for event in events.itertuples():
            at, data = event.at.to_pydatetime(), event.data
            key = (data["form_id"], "completed" if event.kind == "survey_response" else "partial")
            item = _item(event, at, landed.get(data["response_id"]), record_id)
            landed[data["response_id"]] = at
            self.responses[key].append((at, item))
        for form_id in FORMS:  # what was sent off in the end is no longer partial
            done = {item["token"] for _, item in self.responses[form_id, "completed"]}
            partial = self.responses[form_id, "partial"]
            partial[:] = [row for row in partial if row[1]["token"] not in done]
        for rows in self.responses.values():
            rows.sort(key=lambda row: (row[0], row[1]["token"]), reverse=True)


def _item(event: Any, at: datetime, landed: datetime | None, record_id: Callable[[str, str], str]) -> dict[str, Any]:
    data, is_completed = event.data, event.kind == "survey_response"
    token, form = data["response_id"], FORMS[data["form_id"]]
    hidden = {}
    if data["is_hidden_linked"]:
        hidden = {
            f"{kind}_id": record_id(kind, value)
            for kind, value in (("lead", event.lead_id), ("deal", event.deal_id))
            if value is not None
        }
    query = "&".join(f"{name}={value}" for name, value in hidden.items())
    started = landed if landed is not None else at - ANSWERING if is_completed else at
    item: dict[str, Any] = {
        "landing_id": token,
        "token": token,
        "landed_at": when(started),
        "submitted_at": when(at) if is_completed else NEVER,
        "metadata": {
            "user_agent": "Mozilla/5.0", "platform": "other", "network_id": token[:10], "browser": "default",
            "referer": f"{form['_links']['display']}{'?' + query if query else ''}",
        },
        "hidden": hidden,
        "calculated": {"score": 0},
        "answers": _answers(form, data),
    }  # fmt: skip
    return {**item, "response_id": token} if is_completed else item


def _answers(form: dict[str, Any], data: dict[str, Any]) -> list[dict[str, Any]]:
    given = {
        "recommend": data["nps_score"],
        "csat": data["csat_score"],
        "comment": data["comment"],
        "email_ref": data["email"],
    }
    answers = []
    for question in form["fields"]:
        value = given[question["ref"]]
        if value is None:
            continue
        kind = {"comment": "text", "email_ref": "email"}.get(question["ref"], "number")
        field = {name: question[name] for name in ("id", "type", "ref")}
        answers.append({"field": field, "type": kind, kind: value})
    return answers


class BadRequest(Exception):
    """The request is against the rules of the API."""


_RATE = Limit(2, 1.0, "SECONDLY")


@dataclass(frozen=True)
class TypeformOptions:
    """How the server behaves. ``refuse_every``: each n-th request is answered 429 whatever the rate; ``scopes``: what the token may do."""

    token: str = TOKEN
    rate: Limit = _RATE
    refuse_every: int | None = None
    scopes: frozenset[str] = frozenset({"accounts:read", "forms:read", "responses:read"})


class TypeformServer:
    """The application over a ``TypeformState``; ``state`` may be replaced while it runs."""

    def __init__(self, state: TypeformState, options: TypeformOptions | None = None) -> None:
        self.state, self.options, self.traffic = state, options or TypeformOptions(), Traffic()
        self._window, self._asked = Window(self.options.rate), 0
        routes = [
            Route("/me", self._guard(self._me)),
            Route("/forms", self._guard(self._forms)),
            Route("/forms/{form}", self._guard(self._definition)),
            Route("/forms/{form}/responses", self._guard(self._responses)),
        ]
        self.shapes = shapes()
        self.app = application(routes, self.traffic, lambda: self.state.as_of, self.shapes)

    def _guard(self, handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            if request.headers.get("authorization") != f"Bearer {self.options.token}":
                return _error(
                    401, "AUTHENTICATION_FAILED", "Authentication credentials not found on the Request Headers"
                )
            self._asked += 1
            path = request.url.path
            every = self.options.refuse_every
            is_unlucky = self._asked % every == 0 if every else False
            if is_unlucky or not self._window.take():
                self.traffic.refused["all"] += 1
                after = self.options.rate.retry_after
                headers = {} if after is None else {"Retry-After": str(after)}
                return _error(429, "TOO_MANY_REQUESTS", "You have exceeded your rate limit", headers)
            area = "accounts" if path == "/me" else "responses" if path.endswith("/responses") else "forms"
            if f"{area}:read" not in self.options.scopes:
                return _error(403, "FORBIDDEN", "The token does not have the required scope")
            form = request.path_params.get("form")
            if form is not None and form not in FORMS:
                return _error(404, "FORM_NOT_FOUND", "Non existing form or missing permissions")
            try:
                return await handler(request)
            except BadRequest as error:
                return _error(400, "VALIDATION_ERROR", str(error))

        return guarded

    async def _me(self, request: Request) -> Response:
        self.traffic.count("me")
        return JSONResponse(
            {"alias": "Northside", "email": "office@northside.example", "language": "en", "user_id": "01NS"}
        )

    async def _forms(self, request: Request) -> Response:
        page, size = _number(request, "page", 1, 1, 10**6), _number(request, "page_size", 10, 1, 200)
        forms = list(FORMS.values())
        items = [
            {
                **{name: form[name] for name in ("id", "type", "title", "created_at", "last_updated_at", "settings")},
                "_links": {**form["_links"], "responses": f"https://api.typeform.com/forms/{form['id']}/responses"},
                "self": {"href": f"https://api.typeform.com/forms/{form['id']}"},
                "theme": {"href": "https://api.typeform.com/themes/T1"},
            }
            for form in forms[(page - 1) * size : page * size]
        ]
        self.traffic.count("forms", None, [item["id"] for item in items])
        return JSONResponse({"total_items": len(forms), "page_count": math.ceil(len(forms) / size), "items": items})

    async def _definition(self, request: Request) -> Response:
        form = FORMS[request.path_params["form"]]
        self.traffic.count("form", None, [form["id"]])
        return JSONResponse(form)

    async def _responses(self, request: Request) -> Response:
        query, form_id = request.query_params, request.path_params["form"]
        size = _number(request, "page_size", 25, 1, 1000)
        if query.get("sort") and (query.get("before") or query.get("after")):
            raise BadRequest("sort can't be combined with before or after")
        if query.get("before") and query.get("after"):
            raise BadRequest("before can't be combined with after")
        kinds = [kind.strip() for kind in query.get("response_type", "completed").split(",")]
        if not set(kinds) <= {"completed", "partial", "started"}:
            raise BadRequest(f"response_type {query.get('response_type')!r} is not one of completed, partial, started")
        since, until = (_moment(query.get(name)) for name in ("since", "until"))
        rows = sorted(
            (row for kind in kinds for row in self.state.responses[form_id, kind]
             if (since is None or row[0] >= since) and (until is None or row[0] <= until)),
            key=lambda row: (row[0], row[1]["token"]), reverse=True,
        )  # fmt: skip
        total = len(rows)
        cursor = query.get("before") or query.get("after")
        if cursor is not None:
            place = next((place for place, row in enumerate(rows) if row[1]["token"] == cursor), None)
            if place is None:
                raise BadRequest(f"no response has the token {cursor}")
            rows = rows[place + 1 :] if query.get("before") else rows[:place][::-1]
        items = [row[1] for row in rows[:size]]
        self.traffic.count(f"responses.{'+'.join(kinds)}", form_id, [item["token"] for item in items])
        return JSONResponse({"total_items": total, "page_count": math.ceil(len(rows) / size), "items": items})


def _error(status: int, code: str, description: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"code": code, "description": description, "details": []}, status, headers=headers)


def _number(request: Request, name: str, default: int, lowest: int, highest: int) -> int:
    try:
        value = int(request.query_params.get(name, default))
    except ValueError as error:
        raise BadRequest(f"{name} must be a whole number") from error
    if not lowest <= value <= highest:
        raise BadRequest(f"{name} must be between {lowest} and {highest}")
    return value


def _moment(value: str | None) -> datetime | None:
    if value is None:
        return None
    if value.isdigit():
        return datetime(1970, 1, 1) + timedelta(seconds=int(value))
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise BadRequest(f"{value!r} is no date") from error
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
