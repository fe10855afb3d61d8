"""A loopback CallRail: ``/a.json``, and calls, form submissions, companies, users and trackers of one account, with ``Token token="…"``.

Spoken: ``page`` and ``per_page`` (≤ 250), ``start_date`` and ``end_date`` (with time and offset) on the start of a call and the submission of a form, ``sort``
with ``order``, ``fields`` (others than the default ones only by name; those of Conversation Intelligence are 400 without it), times with the company's
offset. Calls begin after 25 months are refused. 401, 404, 400 with ``error``; 429 above the limit, without ``Retry-After``.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from demo.log import CompanyLog
from demo.servers.numbers import e164
from demo.servers.traffic import Limit, Traffic, Window, application

API_KEY = "demo-callrail-key"
ACCOUNT = "ACC01"
_DEFAULT = frozenset(
    [
        "id",
        "answered",
        "business_phone_number",
        "customer_city",
        "customer_country",
        "customer_name",
        "customer_phone_number",
        "customer_state",
        "direction",
        "duration",
        "recording",
        "recording_duration",
        "recording_player",
        "start_time",
        "tracking_phone_number",
        "voicemail",
        "agent_email",
        "form_data",
        "form_url",
        "landing_page_url",
        "submitted_at",
        "first_form",
        "company_id",
        "person_id",
        "source",
        "medium",
        "campaign",
        "keywords",
    ]
)
_INTELLIGENCE = frozenset({"transcription", "keywords_spotted", "call_highlights", "sentiment"})
_KEPT = timedelta(days=25 * 31)
_LEAD_STATUS: dict[bool | None, str | None] = {True: "good_lead", False: "not_a_lead", None: None}


_HOURLY = Limit(1_000, 3600.0, "HOURLY", None)


@dataclass(frozen=True)
class CallRailOptions:
    """``has_intelligence``: transcripts are part of the plan; ``spam``: ids of calls that were marked as spam and are gone; ``forbidden``: lists that
    the key's user may not see.
    """

    rate: Limit = _HOURLY
    has_intelligence: bool = True
    spam: frozenset[str] = frozenset()
    forbidden: frozenset[str] = frozenset()


class CallRailState:
    """Calls and forms of a log, as the API shows them, oldest first."""

    def __init__(self, log: CompanyLog) -> None:
        self.log, self.as_of = log, log.as_of
        self._zone = ZoneInfo(log.timezone)
        emails = dict(zip(log.reps["rep_id"], log.reps["email"], strict=True))
        leads: dict[str, dict[str, Any]] = {}
        seen: set[str] = set()
        self.calls: list[dict[str, Any]] = []
        self.forms: list[dict[str, Any]] = []
        events = log.events
        for kind, lead, data in zip(events["kind"], events["lead_id"], events["data"], strict=True):
            if kind == "lead_created":
                leads[lead] = data
        columns = (events[name] for name in ("kind", "lead_id", "rep_id", "data"))
        for at, kind, lead, rep, data in zip(pd.DatetimeIndex(events["at"]).to_pydatetime(), *columns, strict=True):
            person = leads.get(lead, {})
            if kind == "call":
                phone = e164(person.get("phone") or data.get("number"))
                self.calls.append(self._call(at, data, person, phone, emails.get(rep), phone not in seen))
                seen.add(phone or "")
            elif kind == "lead_created" and data["created_by"] == "form":
                self.forms.append(self._form(at, lead, data))

    def _call(
        self,
        at: datetime,
        data: dict[str, Any],
        person: dict[str, Any],
        phone: str | None,
        agent: str | None,
        is_first: bool,
    ) -> dict[str, Any]:
        answered, one = data["outcome"] == "answered", f"CAL{data['activity_id']}"
        seconds = round(data["duration_seconds"] if answered else data.get("wait_seconds", 0))
        base = f"https://api.callrail.com/v3/a/{ACCOUNT}/calls/{one}"
        return {
            "id": one, "answered": answered, "business_phone_number": "+13125550100" if answered else None, "customer_city": None,
            "customer_country": "US", "customer_name": person.get("last_name"), "customer_phone_number": phone, "customer_state": None,
            "direction": data["direction"], "duration": seconds, "recording": f"{base}/recording.json" if answered else None,
            "recording_duration": str(seconds) if answered else None, "recording_player": None, "start_time": self.when(at),
            "tracking_phone_number": "+13125550199", "voicemail": bool(data.get("is_voicemail")), "agent_email": agent, "company_id": "COM01",
            "company_time_zone": str(self._zone), "created_at": self.when(at), "first_call": is_first, "prior_calls": 0,
            "lead_status": _LEAD_STATUS[data.get("is_lead")],
            "note": "", "tags": [], "value": None, "source": person.get("channel"), "source_name": None, "medium": None,
            "campaign": person.get("campaign"), "keywords": None, "landing_page_url": None, "utm_source": None, "utm_medium": None,
            "utm_campaign": None, "gclid": None, "tracker_id": "TRK01", "person_id": None,
            "transcription": "Caller: My furnace is cold." if answered else None, "keywords_spotted": [], "call_highlights": [], "sentiment": None,
        }  # fmt: skip

    def _form(self, at: datetime, lead: str, data: dict[str, Any]) -> dict[str, Any]:
        names = " ".join(one for one in (data.get("first_name"), data.get("last_name")) if one)
        return {
            "id": f"FRM{lead}", "company_id": "COM01", "person_id": None,
            "form_data": {"name": names, "email": data.get("email"), "phone": data.get("phone")}, "form_url": "https://northside.example/quote",
            "landing_page_url": "https://northside.example/", "submitted_at": self.when(at), "first_form": True, "source": data.get("channel"),
            "medium": None, "campaign": data.get("campaign"), "keywords": None, "utm_source": None, "utm_medium": None, "utm_campaign": None,
            "lead_status": None, "value": None, "note": None, "tags": [],
        }  # fmt: skip

    def when(self, at: datetime) -> str:
        """A UTC moment in the company's zone, to the millisecond."""
        return at.replace(tzinfo=UTC).astimezone(self._zone).isoformat(timespec="milliseconds")


class CallRailServer:
    """The application over a ``CallRailState``."""

    def __init__(self, log: CompanyLog, options: CallRailOptions | None = None) -> None:
        self.options, self.traffic = options or CallRailOptions(), Traffic()
        self._window = Window(self.options.rate)
        self.replace(log)
        lists = {
            "calls": self._calls, "form_submissions": self._forms, "companies": self._companies, "users": self._users, "trackers": self._trackers,
        }  # fmt: skip
        routes = [Route("/v3/a.json", self._guard(self._accounts))]
        routes += [Route(f"/v3/a/{ACCOUNT}/{name}.json", self._guard(handler)) for name, handler in lists.items()]
        self.app = application(routes, self.traffic, lambda: self.state.as_of)

    def replace(self, log: CompanyLog) -> None:
        """Answer from ``log`` from now on."""
        self.state = CallRailState(log)

    def _guard(self, handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            if request.headers.get("authorization") != f'Token token="{API_KEY}"':
                return JSONResponse({"error": "HTTP Token: Access denied."}, 401)
            if not self._window.take():
                self.traffic.refused["all"] += 1
                return JSONResponse({"error": "Rate limit exceeded"}, 429)
            if request.url.path.rpartition("/")[2].removesuffix(".json") in self.options.forbidden:
                return JSONResponse({"error": "You do not have permission to access this resource"}, 403)
            try:
                return await handler(request)
            except ValueError as error:
                return JSONResponse({"error": str(error)}, 400)

        return guarded

    async def _accounts(self, request: Request) -> Response:
        self.traffic.count("accounts")
        return JSONResponse(
            {"page": 1, "total_pages": 1, "accounts": [{"id": ACCOUNT, "name": "Northside", "numeric_id": 1}]}
        )

    async def _calls(self, request: Request) -> Response:
        asked = set((request.query_params.get("fields") or "").split(",")) - {""}
        if asked & _INTELLIGENCE and not self.options.has_intelligence:
            raise ValueError("fields: Conversation Intelligence is not part of this plan")
        kept = [one for one in self.state.calls if one["id"] not in self.options.spam]
        return self._page(request, "calls", self._between(request, kept, "start_time"), asked)

    async def _forms(self, request: Request) -> Response:
        asked = set((request.query_params.get("fields") or "").split(",")) - {""}
        return self._page(request, "form_submissions", self._between(request, self.state.forms, "submitted_at"), asked)

    async def _companies(self, request: Request) -> Response:
        company = {"id": "COM01", "name": "Northside", "status": "active", "time_zone": self.state.log.timezone}
        return self._page(request, "companies", [company], None)

    async def _users(self, request: Request) -> Response:
        users = [
            {"id": f"USR{rep.rep_id}", "email": rep.email, "first_name": rep.first_name, "last_name": rep.last_name, "role": "reporting"}
            for rep in self.state.log.reps.itertuples()
        ]  # fmt: skip
        return self._page(request, "users", users, None)

    async def _trackers(self, request: Request) -> Response:
        return self._page(
            request, "trackers", [{"id": "TRK01", "name": "Website", "type": "session", "status": "active"}], None
        )

    def _between(self, request: Request, rows: list[dict[str, Any]], column: str) -> list[dict[str, Any]]:
        query = request.query_params
        start, end = _moment(query.get("start_date")), _moment(query.get("end_date"))
        start = start or self.state.as_of.replace(tzinfo=UTC) - timedelta(days=30)
        if start < self.state.as_of.replace(tzinfo=UTC) - _KEPT:
            raise ValueError("Communication records are kept for 25 months. Change the range")
        if query.get("sort") not in (None, column) or query.get("order") not in (None, "asc", "desc"):
            raise ValueError("sort or order is invalid")
        found = [
            one
            for one in rows
            if datetime.fromisoformat(one[column]) >= start
            and (end is None or datetime.fromisoformat(one[column]) <= end)
        ]
        return found if query.get("order") == "asc" else found[::-1]

    def _page(self, request: Request, name: str, rows: list[dict[str, Any]], asked: set[str] | None) -> Response:
        page, size = int(request.query_params.get("page", "1")), int(request.query_params.get("per_page", "100"))
        if not (page >= 1 and 1 <= size <= 250):
            raise ValueError("page or per_page is invalid")
        part = rows[(page - 1) * size : page * size]
        if asked is not None:
            part = [{key: value for key, value in row.items() if key in _DEFAULT or key in asked} for row in part]
        self.traffic.count(name, name, [row["id"] for row in part])
        head = {"page": page, "per_page": size, "total_pages": math.ceil(len(rows) / size), "total_records": len(rows)}
        return JSONResponse({**head, name: part})


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None
