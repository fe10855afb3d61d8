"""The loopback Typeform keeps to the fact sheet: forms, responses, paging by token, partial ones, limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from demo.log import POST_CONSULTATION, POST_JOB, CompanyLog
from demo.serve import DemoServers
from demo.servers.traffic import Limit
from demo.servers.typeform.server import NEVER, TOKEN, TypeformOptions

Call = Callable[..., requests.Response]


def walk(typeform: Call, form: str, **params: Any) -> list[dict[str, Any]]:
    """All responses of a form, page by page with ``before``."""
    found: list[dict[str, Any]] = []
    while True:
        body = typeform("GET", f"/forms/{form}/responses", params=params).json()
        if not body["items"]:
            return found
        found += body["items"]
        params["before"] = body["items"][-1]["token"]


def expected(log: CompanyLog, form: str) -> dict[str, Any]:
    """Token → event of the completed responses of a form."""
    events = log.events[log.events["kind"] == "survey_response"].itertuples()
    return {event.data["response_id"]: event for event in events if event.data["form_id"] == form}


@pytest.mark.parametrize("form", [POST_JOB, POST_CONSULTATION])
def test_completed_responses_are_those_of_the_log(typeform: Call, small: CompanyLog, form: str) -> None:
    known = expected(small, form)
    found = walk(typeform, form, page_size=4)
    assert [item["token"] for item in found] == sorted(known, key=lambda token: (known[token].at, token), reverse=True)
    refs = {"recommend": "nps_score", "csat": "csat_score", "comment": "comment", "email_ref": "email"}
    for item in found:
        event = known[item["response_id"]]
        answers = {answer["field"]["ref"]: answer[answer["type"]] for answer in item["answers"]}
        assert answers == {ref: event.data[name] for ref, name in refs.items() if event.data[name] is not None}
        assert item["submitted_at"] == f"{event.at.isoformat()}Z"
        assert item["landed_at"] < item["submitted_at"]
        links = {"lead_id": event.lead_id, "deal_id": event.deal_id} if event.data["is_hidden_linked"] else {}
        assert item["hidden"] == {name: value for name, value in links.items() if value is not None}
    assert len(found) > 5


def test_partial_responses_have_the_sentinel_and_vanish_when_sent_off(
    full: CompanyLog, caller: Callable[[str, str], Call]
) -> None:
    with DemoServers(full, typeform=TypeformOptions(rate=Limit(10_000, 1.0, "SECONDLY"))) as running:
        typeform = caller(running.typeform_url, TOKEN)
        partial, completed = (
            [
                item
                for form in (POST_JOB, POST_CONSULTATION)
                for item in walk(typeform, form, page_size=1000, response_type=kind)
            ]
            for kind in ("partial", "completed")
        )
    assert {item["submitted_at"] for item in partial} == {NEVER}
    assert all("response_id" not in item for item in partial)
    assert not {item["token"] for item in partial} & {item["token"] for item in completed}
    begun = full.events[full.events["kind"] == "survey_partial"]["data"].map(lambda data: data["response_id"])
    sent_off = set(begun) & {item["token"] for item in completed}
    assert sent_off
    assert {item["token"] for item in partial} == set(begun) - sent_off


def test_since_until_after_and_counts(typeform: Call, small: CompanyLog) -> None:
    path = f"/forms/{POST_CONSULTATION}/responses"
    everything = walk(typeform, POST_CONSULTATION, page_size=100)
    middle = everything[len(everything) // 2]
    since = typeform("GET", path, params={"since": middle["submitted_at"], "page_size": 2}).json()
    assert since["total_items"] == sum(item["submitted_at"] >= middle["submitted_at"] for item in everything)
    assert since["page_count"] == -(-since["total_items"] // 2)
    until = typeform("GET", path, params={"until": middle["submitted_at"].rstrip("Z"), "page_size": 1000}).json()
    assert until["total_items"] == sum(item["submitted_at"] <= middle["submitted_at"] for item in everything)
    after = typeform("GET", path, params={"after": middle["token"], "page_size": 1000}).json()["items"]
    place = everything.index(middle)
    assert [item["token"] for item in after] == [item["token"] for item in everything[:place]][::-1]


def test_form_definitions_name_the_questions(typeform: Call) -> None:
    listed = typeform("GET", "/forms", params={"page_size": 1, "page": 2}).json()
    assert (listed["total_items"], listed["page_count"], len(listed["items"])) == (2, 2, 1)
    kinds = {}
    for form in (POST_JOB, POST_CONSULTATION):
        definition = typeform("GET", f"/forms/{form}").json()
        assert definition["hidden"] == ["lead_id", "deal_id"]
        kinds[form] = {field["ref"]: field["type"] for field in definition["fields"]}
    assert kinds[POST_JOB] == {"recommend": "nps", "csat": "rating", "comment": "long_text", "email_ref": "email"}
    assert kinds[POST_CONSULTATION]["csat"] == "opinion_scale"
    assert typeform("GET", "/me").json()["alias"]


@pytest.mark.parametrize(
    ("path", "params", "status"),
    [
        (f"/forms/{POST_JOB}/responses", {"page_size": 1001}, 400),
        (f"/forms/{POST_JOB}/responses", {"before": "nobody"}, 400),
        (f"/forms/{POST_JOB}/responses", {"after": "a", "sort": "submitted_at,asc"}, 400),
        (f"/forms/{POST_JOB}/responses", {"response_type": "half"}, 400),
        (f"/forms/{POST_JOB}/responses", {"since": "yesterday"}, 400),
        ("/forms/unknown/responses", {}, 404),
        ("/forms", {"page_size": 201}, 400),
    ],
)
def test_requests_against_the_rules_are_refused(typeform: Call, path: str, params: dict[str, Any], status: int) -> None:
    answer = typeform("GET", path, params=params)
    assert answer.status_code == status
    assert set(answer.json()) == {"code", "description", "details"}


def test_token_and_rate(small: CompanyLog, caller: Callable[[str, str], Call]) -> None:
    with DemoServers(small, typeform=TypeformOptions(rate=Limit(2, 3600.0, "SECONDLY", retry_after=7))) as running:
        typeform = caller(running.typeform_url, TOKEN)
        assert typeform("GET", "/forms", headers={"Authorization": ""}).status_code == 401
        assert [typeform("GET", "/forms").status_code for _ in range(2)] == [200, 200]
        refused = typeform("GET", "/forms")
        assert refused.status_code == 429
        assert refused.headers["Retry-After"] == "7"
        assert running.typeform.traffic.refused["all"] == 1
