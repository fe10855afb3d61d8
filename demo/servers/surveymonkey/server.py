"""A loopback SurveyMonkey: surveys, their details, responses in bulk and as a list, the token's user.

Spoken: ``page``, ``per_page`` (≤ 1,000; ≤ 100 in bulk) and ``links.next``; ``start_modified_at`` (UTC without a zone), ``sort_by`` and ``sort_order``;
``X-OAuth-Scopes-Granted``; 401, 403 without the scope, 404; 429 with ``X-Ratelimit-App-Global-Minute-Reset``, or with no requests left for the day.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from demo.log import POST_CONSULTATION, POST_JOB, CompanyLog
from demo.servers.traffic import Limit, Traffic, Window, application

TOKEN = "demo-surveymonkey-token"
_RATE = Limit(120, 60.0, "MINUTE", None)
Row = dict[str, Any]
_SCOPES = ("surveys_read", "responses_read", "responses_read_detail")


@dataclass(frozen=True)
class SurveyMonkeyOptions:
    """``scopes``: what the token may do; ``per_day``: requests before the day's limit; ``unshared``: surveys that are listed but may not be read."""

    rate: Limit = _RATE
    scopes: tuple[str, ...] = _SCOPES
    per_day: int = 1_000_000
    unshared: frozenset[str] = frozenset()


def _scale(question: str, heading: str, first: int, last: int) -> Row:
    choices = [
        {"id": f"{question}{number}", "text": str(number), "weight": number, "position": number + 1}
        for number in range(first, last + 1)
    ]
    return {
        "id": question, "family": "matrix", "subtype": "rating", "headings": [{"heading": heading}],
        "answers": {"rows": [{"id": f"{question}row", "text": ""}], "choices": choices},
    }  # fmt: skip


def _text(question: str, heading: str, subtype: str) -> Row:
    return {"id": question, "family": "open_ended", "subtype": subtype, "headings": [{"heading": heading}]}


def _details(survey: str, title: str, mark: str) -> Row:
    questions = [
        _scale(f"{mark}1", "How likely is it that you would <b>recommend</b> us to a friend?", 0, 10),
        _scale(f"{mark}2", "Overall, how satisfied are you with our work?", 1, 5),
        _text(f"{mark}3", "Anything else?", "essay"),
        _text(f"{mark}4", "Your e-mail address", "single"),
    ]
    return {
        "id": survey, "title": title, "date_modified": "2024-06-03T14:20:11", "date_created": "2024-06-01T09:00:00", "question_count": 4,
        "pages": [{"id": f"{mark}p", "questions": questions}],
    }  # fmt: skip


class SurveyMonkeyState:
    """Surveys by id, and their responses by the last change."""

    def __init__(self, log: CompanyLog) -> None:
        self.as_of = log.as_of
        self.surveys = {
            "8001": _details("8001", "After the job", "71"),
            "8002": _details("8002", "After the visit", "72"),
        }
        marks = {POST_JOB: ("8001", "71"), POST_CONSULTATION: ("8002", "72")}
        self.responses: dict[str, dict[str, Row]] = {survey: {} for survey in self.surveys}
        for event in log.events[log.events["kind"].isin(["survey_response", "survey_partial"])].itertuples():
            survey, mark = marks[event.data["form_id"]]
            one = str(event.data["response_id"])
            before = self.responses[survey].get(one)
            when = f"{event.at.to_pydatetime().isoformat(timespec='seconds')}+00:00"
            self.responses[survey][one] = _response(
                survey, one, mark, event, when, before["date_created"] if before else when
            )


def _response(survey: str, one: str, mark: str, event: Any, when: str, created: str) -> Row:
    data = event.data
    questions: list[Row] = []
    for number, name in ((1, "nps_score"), (2, "csat_score")):
        if data.get(name) is not None:
            answer = {"row_id": f"{mark}{number}row", "choice_id": f"{mark}{number}{int(data[name])}"}
            questions.append({"id": f"{mark}{number}", "answers": [answer]})
    for number, name in ((3, "comment"), (4, "email")):
        if data.get(name):
            questions.append({"id": f"{mark}{number}", "answers": [{"text": data[name]}]})
    records = {"lead_id": event.lead_id, "deal_id": event.deal_id} if data.get("is_hidden_linked") else {}
    return {
        "id": one, "survey_id": survey, "collector_id": "7001", "recipient_id": "", "collection_mode": "default", "total_time": 72,
        "response_status": "completed" if event.kind == "survey_response" else "partial", "ip_address": "192.0.2.10", "custom_value": "",
        "custom_variables": {name: value for name, value in records.items() if value}, "metadata": {"contact": {}},
        "edit_url": "https://www.example.com/e", "analyze_url": "https://www.example.com/a", "date_created": created, "date_modified": when,
        "pages": [{"id": f"{mark}p", "questions": questions}],
    }  # fmt: skip


class SurveyMonkeyServer:
    """The application over a ``SurveyMonkeyState``."""

    def __init__(self, log: CompanyLog, options: SurveyMonkeyOptions | None = None) -> None:
        self.options, self.traffic = options or SurveyMonkeyOptions(), Traffic()
        self._window, self._asked = Window(self.options.rate), 0
        self.replace(log)
        base = "/v3/surveys/{id}"
        routes = [
            Route("/v3/users/me", self._guard("", self._me)),
            Route("/v3/surveys", self._guard("surveys_read", self._surveys)),
            Route(f"{base}/details", self._guard("surveys_read", self._details)),
            Route(f"{base}/responses", self._guard("responses_read", self._list)),
            Route(f"{base}/responses/bulk", self._guard("responses_read_detail", self._bulk)),
        ]
        self.app = application(routes, self.traffic, lambda: self.state.as_of)

    def replace(self, log: CompanyLog) -> None:
        """Answer from ``log`` from now on."""
        self.state = SurveyMonkeyState(log)

    def _guard(self, scope: str, handler: Callable[[Request], Response]) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            self._asked += 1
            if request.headers.get("authorization") != f"Bearer {TOKEN}":
                return _error(401, "1010", "The authorization token was not provided or is invalid")
            if self._asked > self.options.per_day:
                return _error(429, "1040", "Too many requests", {"X-Ratelimit-App-Global-Day-Remaining": "0"})
            if not self._window.take():
                self.traffic.refused["all"] += 1
                return _error(429, "1040", "Too many requests", {"X-Ratelimit-App-Global-Minute-Reset": "0"})
            if scope and scope not in self.options.scopes:
                return _error(403, "1014", f"Permission has not been granted: {scope}")
            if (survey := request.path_params.get("id")) is not None and survey not in self.state.surveys:
                return _error(404, "1020", "The requested resource could not be found")
            if survey in self.options.unshared:
                return _error(403, "1015", "The user does not have permission to access the resource")
            answer = handler(request)
            answer.headers["X-OAuth-Scopes-Granted"] = ",".join(self.options.scopes)
            return answer

        return guarded

    def _me(self, request: Request) -> Response:
        return JSONResponse({"id": "1", "username": "northside"})

    def _surveys(self, request: Request) -> Response:
        asked = ("id", "title", *request.query_params.get("include", "").split(","))
        rows = [{key: one[key] for key in asked if key in one} for one in self.state.surveys.values()]
        return self._page(request, "surveys", rows, 1_000)

    def _details(self, request: Request) -> Response:
        self.traffic.count("details")
        return JSONResponse(self.state.surveys[request.path_params["id"]])

    def _list(self, request: Request) -> Response:
        rows = [{"id": one["id"]} for one in self.state.responses[request.path_params["id"]].values()]
        return self._page(request, "ids", rows, 1_000)

    def _bulk(self, request: Request) -> Response:
        since = request.query_params.get("start_modified_at")
        begins = datetime.fromisoformat(since).replace(tzinfo=UTC) if since else datetime.min.replace(tzinfo=UTC)
        rows = [
            row
            for row in self.state.responses[request.path_params["id"]].values()
            if datetime.fromisoformat(row["date_modified"]) >= begins
        ]
        rows.sort(key=lambda row: (row["date_modified"], row["id"]))
        return self._page(request, "responses", rows, 100)

    def _page(self, request: Request, name: str, rows: list[Row], most: int) -> Response:
        page, size = int(request.query_params.get("page", 1)), int(request.query_params.get("per_page", 50))
        if not 1 <= size <= most:
            return _error(400, "1001", f"per_page must be at most {most}")
        found = rows[(page - 1) * size : page * size]
        self.traffic.count(name)
        links = {"self": str(request.url)}
        if page * size < len(rows):
            links["next"] = str(request.url.include_query_params(page=page + 1))
        return JSONResponse({"data": found, "per_page": size, "page": page, "total": len(rows), "links": links})


def _error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    body = {"error": {"id": code, "name": "Error", "message": message, "http_status_code": status}}
    return JSONResponse(body, status, headers)
