"""The Typeform connector against a small account: pages, overlap, partial and completed, deleted forms, bad records, refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from salesgauge.errors import ConfigurationError, SourceError

START = datetime(2026, 1, 1, 9)
NEVER = "0001-01-01T00:00:00Z"


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="seconds") + "Z"


class Account:
    """Typeform with its paging: newest first, ``before`` a token, ``since`` inclusive."""

    def __init__(self) -> None:
        self.forms = [{"id": "F1", "title": "Survey", "last_updated_at": "2026-01-01T00:00:00+00:00"}]
        self.responses: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self.paths: list[str] = []
        self.queries: list[dict[str, str]] = []
        self.faults: list[Callable[[], Response]] = []
        self.gone: set[str] = set()
        self._app = Starlette(
            routes=[
                Route("/forms", self._forms),
                Route("/forms/{form}", self._form),
                Route("/forms/{form}/responses", self._responses),
            ]
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.paths.append(scope["path"])
        if self.faults:
            await self.faults.pop(0)()(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def answer(self, number: int, kind: str = "completed", form: str = "F1", **more: Any) -> None:
        at = _iso(START + timedelta(minutes=number))
        item = {"token": f"t{number}", "response_id": f"t{number}", "landed_at": at, "answers": []}
        item["submitted_at"] = at if kind == "completed" else NEVER
        self.responses.setdefault((form, kind), []).append({**item, **more})

    async def _forms(self, request: Request) -> Response:
        page, size = int(request.query_params["page"]), int(request.query_params["page_size"])
        items = [{**form, "self": {"href": "x"}} for form in self.forms[(page - 1) * size : page * size]]
        return JSONResponse({"total_items": len(self.forms), "page_count": -(-len(self.forms) // size), "items": items})

    async def _form(self, request: Request) -> Response:
        form = next(form for form in self.forms if form["id"] == request.path_params["form"])
        return JSONResponse({**form, "fields": [{"id": "q1", "ref": "nps", "type": "nps"}]})

    async def _responses(self, request: Request) -> Response:
        form, query = request.path_params["form"], request.query_params
        self.queries.append({"form": form, **query})
        if form in self.gone:
            return JSONResponse({"code": "FORM_NOT_FOUND", "description": "no such form"}, 404)
        kind, size = query["response_type"], int(query["page_size"])
        rows = sorted(self.responses.get((form, kind), []), key=lambda one: str(one.get("landed_at")), reverse=True)
        if "since" in query:
            rows = [row for row in rows if str(row["landed_at"]) >= query["since"]]
        if "before" in query:
            rows = rows[next(place for place, row in enumerate(rows) if row.get("token") == query["before"]) + 1 :]
        page = {"total_items": len(rows), "page_count": -(-len(rows) // size), "items": rows[:size]}
        return Response(
            json.dumps(page), media_type="application/json"
        )  # JSONResponse can't write half of a surrogate pair


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture
def run(account: Account, directory: Any, serve: Callable[[Any], str]) -> Callable[..., Any]:
    url = serve(account)

    def load(**settings: Any) -> Any:
        directory.configure("typeform", **{"base_url": url, "requests_per_second": 1000, **settings})
        account.paths.clear()
        account.queries.clear()
        return directory.run("typeform")

    return load


def test_all_pages_of_all_forms_are_read_once(account: Account, directory: Any, run: Any) -> None:
    account.forms.append({"id": "F2", "title": "Other", "last_updated_at": "2026-01-02T00:00:00+00:00"})
    for number in range(25):
        account.answer(number)
        account.answer(number, form="F2")
    landing, load_id, _ = run(page_size=10)

    assert load_id
    assert landing.counts["responses"].loaded == 50
    assert landing.counts["forms"].loaded == 2
    assert directory.query(
        "select count(distinct (form_id, response_id)), min(submitted_at) from raw_typeform.responses"
    ) == [(50, START)]
    assert directory.query("select form_id, record ->> '$.fields[0].ref' from raw_typeform.forms order by 1") == [
        ("F1", "nps"),
        ("F2", "nps"),
    ]


def test_a_run_without_changes_loads_nothing_in_1_request_and_2_per_form(
    account: Account, directory: Any, run: Any
) -> None:
    for number in range(5):
        account.answer(number)
    run()
    landing, load_id, requests = run()

    assert load_id is None
    assert requests == 3
    assert account.paths == ["/forms", "/forms/F1/responses", "/forms/F1/responses"]
    assert landing.counts["responses"].duplicates == 5


def test_late_answers_are_found_by_the_overlap(account: Account, directory: Any, run: Any) -> None:
    account.answer(500)
    run()
    account.answer(450)  # shown half an hour late
    account.answer(400)  # before the overlap of an hour
    account.answer(501)
    landing, _, _ = run()

    assert landing.counts["responses"].loaded == 2
    assert [query.get("since") for query in account.queries] == [None, _iso(START + timedelta(minutes=440))[:-1]]


def test_unfinished_answers_have_no_submitted_time_and_are_no_mistake(
    account: Account, directory: Any, run: Any
) -> None:
    account.answer(1, "partial")
    landing, _, _ = run()

    assert landing.counts["responses"].quarantined == 0
    rows = directory.query(
        "select response_type, submitted_at, landed_at, record ->> '$.submitted_at' from raw_typeform.responses"
    )
    assert rows == [("partial", None, START + timedelta(minutes=1), NEVER)]


def test_a_completed_answer_replaces_the_partial_one_and_never_the_other_way(
    account: Account, directory: Any, run: Any
) -> None:
    account.answer(1, "partial")
    run()
    account.answer(1)  # the API still lists the partial one
    assert run()[0].counts["responses"].loaded == 1
    assert run()[1] is None

    newest = "select response_type from raw_typeform.responses order by _load_id desc, _row desc limit 1"
    assert directory.query(newest) == [("completed",)]


def test_an_edited_form_is_a_new_version(account: Account, directory: Any, run: Any) -> None:
    run()
    account.forms[0] |= {"title": "New title", "last_updated_at": "2026-02-01T00:00:00+00:00"}

    assert run()[0].counts["forms"].loaded == 1
    assert directory.query("select title from raw_typeform.forms order by _load_id") == [("Survey",), ("New title",)]
    assert run()[1] is None


def test_a_deleted_form_keeps_its_answers(account: Account, directory: Any, run: Any) -> None:
    account.answer(1)
    run()
    account.gone.add("F1")
    assert run()[1] is None
    account.forms.clear()
    assert run()[1] is None

    assert directory.query("select count(*) from raw_typeform.responses") == [(1,)]


def test_bad_answers_are_quarantined_once_and_all_is_accounted(account: Account, directory: Any, run: Any) -> None:
    account.answer(1)
    account.answer(2, submitted_at="soon")
    account.answer(3, token=None, response_id=None)
    account.answer(4, response_id=None)
    account.answer(5, comment="x" * 3_000_000)
    account.answer(6, comment="a\u0000b \ud800 \U0001f600")
    landing, _, _ = run()

    count = landing.counts["responses"]
    assert count.received == 6
    assert (count.loaded, count.quarantined, count.duplicates) == (4, 2, 0)
    assert directory.query("select response_id from raw_typeform.responses order by 1") == [
        ("t1",),
        ("t4",),
        ("t5",),
        ("t6",),
    ]
    comment = directory.query("select record ->> '$.comment' from raw_typeform.responses where response_id = 't6'")
    assert comment == [("a\u0000b \ufffd \U0001f600",)]
    reasons = dict(directory.query("select coalesce(record ->> '$.response_id', ''), reason from raw_log.quarantine"))
    assert "submitted_at" in reasons["t2"]
    assert "response_id" in reasons[""]
    landing, load_id, _ = run()
    assert load_id is None


def test_only_configured_forms_are_read(account: Account, directory: Any, run: Any) -> None:
    account.forms.append({"id": "F2", "title": "Other", "last_updated_at": "2026-01-02T00:00:00+00:00"})
    run(forms=["F2"])

    assert {query["form"] for query in account.queries} == {"F2"}
    with pytest.raises(ConfigurationError, match="F1, F2"):
        run(forms=["F9"])


@pytest.mark.parametrize(
    ("status", "expected"),
    [(401, "TYPEFORM__ACCESS_TOKEN"), (403, "forms:read"), (400, r"400 \(SOME_CODE what it said\)")],
)
def test_errors_say_what_to_do(account: Account, run: Any, status: int, expected: str) -> None:
    account.faults = [lambda: JSONResponse({"code": "SOME_CODE", "description": "what it said"}, status)]

    with pytest.raises(SourceError, match=expected):
        run()


def test_a_refusal_in_the_middle_is_waited_for(account: Account, run: Any) -> None:
    account.answer(1)
    account.faults = [lambda: JSONResponse({}, 429, headers={"Retry-After": "0"}), lambda: JSONResponse({}, 499)]
    _, load_id, requests = run()

    assert load_id
    assert requests == 6


def test_a_response_that_two_pages_show_is_loaded_once(account: Account, directory: Any, run: Any) -> None:
    for number in (1, 2, 2, 3):
        account.answer(number)
    landing, _, _ = run()
    count = landing.counts["responses"]
    assert (count.received, count.loaded, count.duplicates) == (4, 3, 1)
    assert directory.query("select count(*), count(distinct response_id) from raw_typeform.responses") == [(3, 3)]
