"""A loopback Calendly: the token's user, appointments, invitees, meeting types, memberships, routing forms and their submissions.

Spoken: ``organization`` or 403, ``min_start_time`` and ``max_start_time``, ``count`` ≤ 100, ``page_token`` and ``next_page``; 401, 400, 404; 429 with
``X-RateLimit-Reset`` and no ``Retry-After``. An appointment that was canceled for a new one of the same deal was moved.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from demo.log import CompanyLog
from demo.servers.calendly.answers import shapes
from demo.servers.traffic import Limit, Traffic, Window, application

TOKEN = "demo-calendly-token"
_API = "https://api.calendly.com"
ORGANIZATION = f"{_API}/organizations/ORG1"
FORM = f"{_API}/routing_forms/RF1"
_RATE = Limit(500, 60.0, "MINUTE", None)
Row = dict[str, Any]


@dataclass(frozen=True)
class CalendlyOptions:
    """``has_routing``: routing forms are part of the plan; ``is_admin``: the token's user may see the whole organization."""

    rate: Limit = _RATE
    has_routing: bool = True
    is_admin: bool = True


class CalendlyState:
    """Appointments by start, invitees by appointment, and the small lists."""

    def __init__(self, log: CompanyLog) -> None:
        self.as_of = log.as_of
        start = stamp(log.start)
        self.members = [
            {
                "uri": f"{_API}/organization_memberships/M{rep.rep_id}", "role": "user", "organization": ORGANIZATION, "created_at": start,
                "updated_at": start, "user": {"uri": f"{_API}/users/U{rep.rep_id}", "name": rep.name, "email": rep.email},
            }
            for rep in log.reps.itertuples()
        ]  # fmt: skip
        self.types = [
            {
                "uri": f"{_API}/event_types/T1",
                "name": "Consultation",
                "active": True,
                "created_at": start,
                "updated_at": start,
            }
        ]
        self.forms = [
            {"uri": FORM, "name": "Quote", "organization": ORGANIZATION, "created_at": start, "updated_at": start}
        ]
        self.events: dict[str, Row] = {}
        self.invitees: dict[str, Row] = {}
        self.submissions: list[Row] = []
        people = {rep.rep_id: rep for rep in log.reps.itertuples()}
        leads: dict[str, Row] = {}
        last: dict[str | None, str] = {}
        columns = (log.events[name] for name in ("kind", "lead_id", "deal_id", "rep_id", "data"))
        for at, kind, lead, deal, rep, data in zip(
            pd.DatetimeIndex(log.events["at"]).to_pydatetime(), *columns, strict=True
        ):
            if kind == "lead_created":
                leads[lead] = dict(data)
                if data["created_by"] == "chat":
                    self._submit(lead, at, data)
            elif kind == "lead_field":
                leads[lead][data["field"]] = data["value"]
            elif kind == "meeting_set":
                one = data["activity_id"]
                self._book(one, at, data, leads.get(lead, {}), people.get(rep))
                if (before := last.get(deal)) is not None and self.events[before]["status"] == "canceled":
                    self.invitees[before] |= {"rescheduled": True, "new_invitee": self.invitees[one]["uri"]}
                    self.invitees[one]["old_invitee"] = self.invitees[before]["uri"]
                last[deal] = one
            elif kind == "meeting_outcome":
                self._outcome(data["activity_id"], at, data["outcome"])

    def _book(self, one: str, at: datetime, data: Row, lead: Row, rep: Any) -> None:
        uri, when = f"{_API}/scheduled_events/E{one}", stamp(at)
        hosts = [{"user": f"{_API}/users/U{rep.rep_id}", "user_email": rep.email, "user_name": rep.name}] if rep else []
        starts = data["starts_at"]
        self.events[one] = {
            "uri": uri, "name": "Consultation", "status": "active", "start_time": stamp(starts), "end_time": stamp(starts + timedelta(hours=1)),
            "event_type": self.types[0]["uri"], "location": None, "invitees_counter": {"total": 1, "active": 1, "limit": 1},
            "event_memberships": hosts, "event_guests": [], "calendar_event": None, "created_at": when, "updated_at": when,
        }  # fmt: skip
        name = " ".join(part for part in (lead.get("first_name"), lead.get("last_name")) if part)
        phone = lead.get("phone")
        self.invitees[one] = {
            "uri": f"{uri}/invitees/I{one}", "event": uri, "email": lead.get("email") or f"guest-{one}@example.com", "name": name, "first_name": None, "last_name": None,
            "status": "active", "timezone": "America/Chicago", "rescheduled": False, "old_invitee": None, "new_invitee": None, "no_show": None,
            "questions_and_answers": [{"question": "Phone number", "answer": phone, "position": 0}] if phone else [], "payment": None,
            "tracking": tracking(lead), "reconfirmation": None, "routing_form_submission": None, "scheduling_method": None,
            "invitee_scheduled_by": f"{_API}/users/U1" if data["by"] == "person" else None, "text_reminder_number": None,
            "cancel_url": f"https://calendly.com/cancellations/I{one}", "reschedule_url": f"https://calendly.com/reschedulings/I{one}",
            "created_at": when, "updated_at": when,
        }  # fmt: skip

    def _outcome(self, one: str, at: datetime, outcome: str) -> None:
        event, invitee, when = self.events[one], self.invitees[one], stamp(at)
        if outcome == "canceled":
            cancellation = {"canceled_by": "Customer", "reason": None, "canceler_type": "invitee", "created_at": when}
            event |= {"status": "canceled", "cancellation": cancellation, "updated_at": when}
            invitee |= {"status": "canceled", "cancellation": cancellation, "updated_at": when}
        elif outcome == "no_show":  # the mark does not touch the appointment
            invitee |= {"no_show": {"uri": f"{_API}/invitee_no_shows/N{one}", "created_at": when}, "updated_at": when}

    def _submit(self, lead: str, at: datetime, data: Row) -> None:
        answers = [("Email", data.get("email")), ("Name", data.get("last_name")), ("Phone", data.get("phone"))]
        when = stamp(at)
        self.submissions.append(
            {
                "uri": f"{_API}/routing_form_submissions/S{lead}", "routing_form": FORM, "result": {"type": "event_type", "value": None},
                "questions_and_answers": [
                    {"question_uuid": f"Q{place}", "question": name, "answer": text} for place, (name, text) in enumerate(answers) if text
                ],
                "submitter": None, "submitter_type": None, "tracking": tracking(data), "created_at": when, "updated_at": when,
            }
        )  # fmt: skip


def tracking(values: Row) -> Row:
    """Where a visitor came from; Calendly tells every key."""
    told = {"utm_source": values.get("channel"), "utm_campaign": values.get("campaign")}
    return dict.fromkeys(("utm_medium", "utm_content", "utm_term", "salesforce_uuid")) | told


def stamp(at: datetime) -> str:
    """A UTC moment as Calendly writes it: to the microsecond."""
    return f"{at.isoformat(timespec='microseconds')}Z"


class CalendlyServer:
    """The application over a ``CalendlyState``."""

    def __init__(self, log: CompanyLog, options: CalendlyOptions | None = None) -> None:
        self.options, self.traffic = options or CalendlyOptions(), Traffic()
        self._window = Window(self.options.rate)
        self.replace(log)
        handlers: dict[str, Callable[[Request], Response]] = {
            "/users/me": self._me,
            "/scheduled_events": self._events,
            "/scheduled_events/{id}/invitees": self._invitees,
            "/event_types": lambda request: self._listed(request, "event_types", self.state.types),
            "/organization_memberships": lambda request: self._listed(request, "memberships", self.state.members),
            "/routing_forms": lambda request: self._routing(request, "forms", self.state.forms),
            "/routing_form_submissions": lambda request: self._routing(
                request, "submissions", self.state.submissions[::-1]
            ),
        }
        self.shapes = shapes()
        self.app = application(
            [Route(path, self._guard(handler)) for path, handler in handlers.items()],
            self.traffic,
            lambda: self.state.as_of,
            self.shapes,
        )

    def replace(self, log: CompanyLog) -> None:
        """Answer from ``log`` from now on."""
        self.state = CalendlyState(log)

    def _guard(self, handler: Callable[[Request], Response]) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            if request.headers.get("authorization") != f"Bearer {TOKEN}":
                return JSONResponse({"title": "Unauthenticated", "message": "The access token is invalid"}, 401)
            if not self._window.take():
                self.traffic.refused["all"] += 1
                return JSONResponse(
                    {"title": "Too many requests", "message": "slow down"}, 429, {"X-RateLimit-Reset": "1"}
                )
            try:
                return handler(request)
            except ValueError as error:
                return JSONResponse({"title": "Invalid Argument", "message": str(error)}, 400)

        return guarded

    def _me(self, request: Request) -> Response:
        self.traffic.count("me")
        return JSONResponse({"resource": {"uri": f"{_API}/users/U1", "current_organization": ORGANIZATION}})

    def _listed(self, request: Request, name: str, rows: list[Row]) -> Response:
        if request.query_params.get("organization") != ORGANIZATION or not self.options.is_admin:
            return JSONResponse({"title": "Permission Denied", "message": "You do not have permission"}, 403)
        return self._page(request, name, rows)

    def _routing(self, request: Request, name: str, rows: list[Row]) -> Response:
        if not self.options.has_routing:
            return JSONResponse({"title": "Permission Denied", "message": "Please upgrade"}, 403)
        return self._page(request, name, rows)

    def _events(self, request: Request) -> Response:
        first, last = (request.query_params.get(name) for name in ("min_start_time", "max_start_time"))
        rows = sorted(self.state.events.values(), key=lambda row: (row["start_time"], row["uri"]))
        return self._listed(
            request,
            "events",
            [row for row in rows if (not first or _at(row) >= _time(first)) and (not last or _at(row) < _time(last))],
        )

    def _invitees(self, request: Request) -> Response:
        one = request.path_params["id"].removeprefix("E")
        if one not in self.state.invitees:
            return JSONResponse({"title": "Resource Not Found", "message": "The server could not find it"}, 404)
        return self._page(request, "invitees", [self.state.invitees[one]])

    def _page(self, request: Request, name: str, rows: list[Row]) -> Response:
        count = int(request.query_params.get("count", 20))
        if not 1 <= count <= 100:
            raise ValueError("count must be between 1 and 100")
        token = request.query_params.get("page_token")
        begins = int(base64.b64decode(token)) if token else 0
        found = rows[begins : begins + count]
        self.traffic.count(name)
        following = None
        if begins + count < len(rows):
            token = base64.b64encode(str(begins + count).encode()).decode()
            following = str(request.url.include_query_params(page_token=token))
        pagination = {
            "count": len(found),
            "next_page": following,
            "previous_page": None,
            "next_page_token": token if following else None,
            "previous_page_token": None,
        }
        return JSONResponse({"collection": found, "pagination": pagination})


def _at(row: Row) -> datetime:
    return _time(row["start_time"])


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
