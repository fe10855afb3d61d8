"""Telephone systems, scheduling and surveys in the proofs."""

from __future__ import annotations

import base64
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from demo.log import CompanyLog
from demo.servers.calendly import server as calendly
from demo.servers.callrail import server as callrail
from demo.servers.surveymonkey import server as surveymonkey
from demo.servers.twilio import server as twilio
from demo.servers.typeform import server as typeform
from proofs.faults.source import BEYOND, PLENTY, Row, Source, Stated, Table, Work, work_on

# CallRail.


def _callrail_more(body: Row, cursor: int) -> Row:
    return {**body, "total_pages": body["total_pages"] + 1 if cursor == BEYOND else 10**6}


def _kept_calls(server: Any) -> list[Row]:
    return [row for row in server.state.calls if row["id"] not in server.options.spam]


def _users(server: Any) -> list[Row]:
    return [{"id": f"USR{rep.rep_id}", "email": rep.email} for rep in server.state.log.reps.itertuples()]


CALLRAIL = Source(
    name="callrail",
    server=callrail.CallRailServer,
    options=callrail.CallRailOptions(rate=PLENTY),
    config=lambda url: {"base_url": f"{url}/v3", "requests_per_hour": 1_000_000},
    secrets={"api_key": callrail.API_KEY},
    path=r"/calls\.json\?(?!.*end_date)",  # of the newest month
    tables=(
        Table("calls", _kept_calls),
        Table("form_submissions", lambda server: server.state.forms),
        Table("users", _users),
    ),
    work=work_on(
        lambda server: server.state.calls,
        lambda server, number, at: {
            "id": f"CAL9{number:09d}", "start_time": server.state.when(at), "created_at": server.state.when(at),
        },
        lambda at: {"lead_status": f"good_lead {at}"},
        order=lambda row: datetime.fromisoformat(row["start_time"]),
        dropped=lambda rows: next(row for row in rows if row["id"].startswith("CAL9")),
    ),
    more=_callrail_more,
    right="form_submissions",
    stated=Stated("6, 1 per 250 calls and forms of the last 30 days, and 1 for each month without any",
        lambda server, within: 6 + (within(server.state.calls, "start_time", 61) + within(server.state.forms, "submitted_at", 61)) // 250 + 2,),
    grown=800,
    denied={"forbidden": frozenset({"form_submissions"})},
)  # fmt: skip


# Twilio.


def _legs(server: Any) -> list[Row]:
    return [row for row in server.state.calls if row["sid"] not in server.options.deleted]


def _leg(server: Any, number: int, at: datetime) -> Row:
    moments = dict.fromkeys(
        ("start_time", "end_time", "date_created", "date_updated"),
        format_datetime(at.replace(tzinfo=UTC, microsecond=0)),
    )
    return {"sid": f"CA9{number:09d}", "parent_call_sid": None, **moments}


def _twilio_more(body: Row, cursor: int) -> Row:
    if not body.get("calls") or (cursor == BEYOND and body["next_page_uri"]):
        return body
    last = body["calls"][-1 if cursor == BEYOND else cursor % len(body["calls"])]["sid"]
    path = f"/2010-04-01/Accounts/{twilio.ACCOUNT}/Calls.json?StartTime>=2026-06-01&PageSize=1000"
    return {**body, "next_page_uri": f"{path}&PageToken=PA{last}"}


def _delete_call(server: Any) -> None:
    """The record is gone, its place in the order is not: pages hang on names."""
    gone = server.state.calls[1]["sid"]
    server.options = replace(server.options, deleted=server.options.deleted | {gone})


_CALLS = work_on(
    lambda server: server.state.calls,
    _leg,
    lambda at: {"price": "-0.0170"},
    order=lambda row: parsedate_to_datetime(row["start_time"]),
    is_descending=True,
)
TWILIO = Source(
    name="twilio",
    server=twilio.TwilioServer,
    options=twilio.TwilioOptions(),
    config=lambda url: {
        "base_url": url, "account_sid": twilio.ACCOUNT, "history_days": 740, "requests_per_second": 10_000,
    },
    secrets={"api_key": twilio.API_KEY, "api_secret": twilio.API_SECRET},
    path=r"/Calls\.json\?(?!.*StartTime<)",  # of the newest month
    tables=(
        Table("calls", _legs, (("sid", "sid"),)),
        Table("recordings", lambda server: server.state.recordings, (("sid", "sid"),)),
    ),
    work=replace(_CALLS, drop=_delete_call),
    more=_twilio_more,
    right="Recordings",
    stated=Stated("2, and one more per 1,000 calls of the last 2 days", lambda server, within: 2),
    grown=2_200,
    denied={"forbidden": frozenset({"recordings"})},
)  # fmt: skip


# Calendly.


def _add_event(server: Any, number: int, at: datetime) -> None:
    state, one, when = server.state, f"9{number:09d}", calendly.stamp(at)
    model = next(iter(state.events))
    uri = f"https://api.calendly.com/scheduled_events/E{one}"
    starts, moments = calendly.stamp(at), {"created_at": when, "updated_at": when}
    ends = calendly.stamp(at + timedelta(hours=1))
    state.events[one] = {**state.events[model], "uri": uri, "start_time": starts, "end_time": ends, **moments}
    state.invitees[one] = {**deepcopy(state.invitees[model]), "uri": f"{uri}/invitees/I{one}", "event": uri, **moments}


def _touch_event(server: Any, at: datetime) -> None:
    one = max(server.state.events, key=lambda one: server.state.events[one]["start_time"])
    when = calendly.stamp(at)
    cancellation = {"canceled_by": "Customer", "reason": None, "canceler_type": "invitee", "created_at": when}
    for rows in (server.state.events, server.state.invitees):
        rows[one] = {**rows[one], "status": "canceled", "cancellation": cancellation, "updated_at": when}


def _calendly_more(body: Row, cursor: int) -> Row:
    if not body.get("collection") or (cursor == BEYOND and body["pagination"]["next_page"]):
        return body
    token = base64.b64encode(str(cursor).encode()).decode()
    url = f"/scheduled_events?count=100&organization={calendly.ORGANIZATION}&page_token={token}"
    return {**body, "pagination": {**body["pagination"], "next_page": url}}


CALENDLY = Source(
    name="calendly",
    server=calendly.CalendlyServer,
    options=calendly.CalendlyOptions(rate=PLENTY),
    config=lambda url: {"base_url": url, "requests_per_minute": 1_000_000},
    secrets={"access_token": calendly.TOKEN},
    path=r"/scheduled_events\?",
    tables=(
        Table("scheduled_events", lambda server: server.state.events.values(), (("uri", "uri"),)),
        Table("invitees", lambda server: server.state.invitees.values(), (("uri", "uri"),)),
        Table("routing_form_submissions", lambda server: server.state.submissions, (("uri", "uri"),)),
        Table("memberships", lambda server: server.state.members, (("uri", "uri"),)),
    ),
    work=Work(_add_event, _touch_event),
    more=_calendly_more,
    right="must be owner or administrator",
    stated=Stated(
        "6, 1 per 100 appointments of the window, and 1 for each appointment of the last 14 days",
        lambda server, within: (
            6
            + within(server.state.events.values(), "start_time", 30) // 100
            + within(server.state.events.values(), "start_time", 14, ahead=False)
        ),
    ),
    grown=170,
    denied={"is_admin": False},
)


# Typeform.

_FORM = "NsVis26b"


def _typeform(log: CompanyLog, options: typeform.TypeformOptions) -> typeform.TypeformServer:
    return typeform.TypeformServer(typeform.TypeformState(log), options)


def _add_response(server: Any, number: int, at: datetime) -> None:
    rows = server.state.responses[_FORM, "completed"]
    one, when = f"tok9{number:012d}", typeform.when(at)
    names = dict.fromkeys(("landing_id", "token", "response_id"), one)
    place = next((place for place, row in enumerate(rows) if (row[0], row[1]["token"]) < (at, one)), len(rows))
    rows.insert(place, (at, {**deepcopy(rows[0][1]), **names, "landed_at": when, "submitted_at": when}))


def _responses(server: Any) -> list[Row]:
    return [
        {**item, "form_id": form, "response_type": kind, "response_id": item.get("response_id") or item["token"]}
        for (form, kind), rows in server.state.responses.items()
        if kind in ("partial", "completed")
        for _, item in rows
    ]


TYPEFORM = Source(
    name="typeform",
    server=_typeform,
    options=typeform.TypeformOptions(rate=PLENTY),
    config=lambda url: {"base_url": url, "requests_per_second": 10_000, "page_size": 10},
    secrets={"access_token": typeform.TOKEN},
    path=f"/forms/{_FORM}/responses.*response_type=completed",
    tables=(Table("responses", _responses, (("form_id", "form_id"), ("response_id", "response_id"))),),
    work=Work(_add_response),
    more=lambda body, cursor: {**body, "page_count": 2 if cursor == BEYOND else 10**6},
    right="responses:read",
    stated=Stated("1 per 200 forms and 2 per form", lambda server, within: 1 + 2 * 2),
    grown=40,
    denied={"scopes": frozenset({"forms:read"})},
)


# SurveyMonkey.

_SURVEY = "8002"


def _monkey_stamp(at: datetime) -> str:
    return f"{at.isoformat(timespec='seconds')}+00:00"


def _add_answer(server: Any, number: int, at: datetime) -> None:
    rows = server.state.responses[_SURVEY]
    one, when = f"9{number:09d}", _monkey_stamp(at)
    rows[one] = {**deepcopy(next(iter(rows.values()))), "id": one, "date_created": when, "date_modified": when}


def _first_answer(server: Any) -> Row:
    return min(server.state.responses[_SURVEY].values(), key=lambda row: (row["date_modified"], row["id"]))


def _touch_answer(server: Any, at: datetime) -> None:
    row = _first_answer(server)
    row |= {"total_time": 999, "date_modified": _monkey_stamp(at)}


def _monkey_more(body: Row, cursor: int) -> Row:
    if not body.get("data") or (cursor == BEYOND and "next" in body["links"]):
        return body
    url = f"/v3/surveys/{_SURVEY}/responses/bulk?per_page=100&sort_by=date_modified&page={cursor}"
    return {**body, "links": {**body["links"], "next": url}}


SURVEYMONKEY = Source(
    name="surveymonkey",
    server=surveymonkey.SurveyMonkeyServer,
    options=surveymonkey.SurveyMonkeyOptions(rate=PLENTY),
    config=lambda url: {"base_url": f"{url}/v3", "requests_per_minute": 1_000_000},
    secrets={"access_token": surveymonkey.TOKEN},
    path=f"/surveys/{_SURVEY}/responses/bulk",
    tables=(
        Table("responses", lambda server: [row for rows in server.state.responses.values() for row in rows.values()]),
        Table("surveys", lambda server: server.state.surveys.values()),
    ),
    work=Work(
        _add_answer, _touch_answer, lambda server: server.state.responses[_SURVEY].pop(_first_answer(server)["id"])
    ),
    more=_monkey_more,
    right="responses_read_detail",
    stated=Stated(
        "1 per 1,000 surveys and 1 per survey; once a week 1 per 1,000 responses", lambda server, within: 1 + 2
    ),
    grown=380,
    denied={"scopes": ("surveys_read", "responses_read")},
)

OTHERS = (CALLRAIL, TWILIO, CALENDLY, TYPEFORM, SURVEYMONKEY)
