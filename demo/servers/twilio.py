"""A loopback Twilio: ``Calls.json`` and ``Recordings.json`` of one account, with Basic authentication.

Spoken: ``StartTime>`` and ``StartTime<`` (``DateCreated`` for recordings) by day, ``PageSize`` up to 1,000, ``next_page_uri`` with ``PageToken``, newest first;
times as RFC 2822, numbers as text. An answered inbound call has a second leg, to the person who took it. 401 with code 20003, 404 with 20404.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

import pandas as pd
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from demo.log import CompanyLog
from demo.servers.callrail import e164
from demo.servers.traffic import Traffic, application

ACCOUNT, API_KEY, API_SECRET = "AC0001", "SK0001", "demo-twilio-secret"
OFFICE, MOBILE = "+13125550100", "+13125557000"
_STATUS = {"answered": "completed", "missed": "no-answer", "no_answer": "no-answer", "busy": "busy"}


@dataclass(frozen=True)
class TwilioOptions:
    """``deleted``: sids of calls that were deleted by API; ``forbidden``: lists that a restricted key may not read."""

    deleted: frozenset[str] = frozenset()
    forbidden: frozenset[str] = frozenset()


class TwilioState:
    """Calls (all legs) and recordings of a log, newest first."""

    def __init__(self, log: CompanyLog) -> None:
        self.as_of = log.as_of
        events = log.events
        phones = {
            lead: data.get("phone")
            for kind, lead, data in zip(events["kind"], events["lead_id"], events["data"], strict=True)
            if kind == "lead_created"
        }
        self.calls: list[dict[str, Any]] = []
        self.recordings: list[dict[str, Any]] = []
        columns = (events[name] for name in ("kind", "lead_id", "data"))
        for at, kind, lead, data in zip(pd.DatetimeIndex(events["at"]).to_pydatetime(), *columns, strict=True):
            if kind == "call":
                self._call(at, e164(phones.get(lead)) or "anonymous", data)
        self.calls.reverse()
        self.recordings.reverse()

    def _call(self, at: datetime, customer: str, data: dict[str, Any]) -> None:
        sid, seconds = f"CA{data['activity_id']}", round(data["duration_seconds"])
        is_inbound, status = data["direction"] == "inbound", _STATUS[data["outcome"]]
        row = self._leg(sid, at, seconds, "completed" if is_inbound else status)
        row |= {
            "from": customer if is_inbound else OFFICE,
            "to": OFFICE if is_inbound else customer,
            "direction": "inbound" if is_inbound else "outbound-api",
        }
        self.calls.append(row)
        if is_inbound:  # the greeting completes the first leg whatever happens
            second = self._leg(f"{sid}b", at + timedelta(seconds=4), seconds if status == "completed" else 0, status)
            self.calls.append(
                {**second, "from": customer, "to": MOBILE, "direction": "outbound-dial", "parent_call_sid": sid}
            )
        if status == "completed":
            uri = f"/2010-04-01/Accounts/{ACCOUNT}/Recordings/RE{data['activity_id']}.json"
            stamp = format_datetime(at.replace(tzinfo=UTC, microsecond=0))
            self.recordings.append({"sid": f"RE{data['activity_id']}", "call_sid": sid, "duration": str(seconds), "date_created": stamp, "start_time": stamp, "uri": uri})  # fmt: skip

    @staticmethod
    def _leg(sid: str, at: datetime, seconds: int, status: str) -> dict[str, Any]:
        start = at.replace(tzinfo=UTC, microsecond=0)
        return {
            "sid": sid, "parent_call_sid": None, "account_sid": ACCOUNT, "status": status, "start_time": format_datetime(start),
            "end_time": format_datetime(start + timedelta(seconds=seconds)), "date_created": format_datetime(start),
            "date_updated": format_datetime(start + timedelta(seconds=seconds)), "duration": str(seconds), "price": "-0.0085", "price_unit": "USD",
            "answered_by": None, "caller_name": "", "queue_time": "0", "api_version": "2010-04-01",
            "uri": f"/2010-04-01/Accounts/{ACCOUNT}/Calls/{sid}.json",
        }  # fmt: skip


class TwilioServer:
    """The application over a ``TwilioState``."""

    def __init__(self, log: CompanyLog, options: TwilioOptions | None = None) -> None:
        self.options, self.traffic = options or TwilioOptions(), Traffic()
        self.replace(log)
        base = f"/2010-04-01/Accounts/{ACCOUNT}"
        self.app = application(
            [
                Route(f"{base}/Calls.json", self._list("calls", "StartTime", "start_time")),
                Route(f"{base}/Recordings.json", self._list("recordings", "DateCreated", "date_created")),
            ],
            self.traffic,
            lambda: self.state.as_of,
        )

    def replace(self, log: CompanyLog) -> None:
        """Answer from ``log`` from now on."""
        self.state = TwilioState(log)

    def _list(self, name: str, filtered: str, column: str) -> Callable[[Request], Any]:
        expected = "Basic " + base64.b64encode(f"{API_KEY}:{API_SECRET}".encode()).decode()

        async def handler(request: Request) -> Response:
            if request.headers.get("authorization") != expected:
                return JSONResponse({"code": 20003, "message": "Authenticate", "status": 401}, 401)
            if name in self.options.forbidden:
                return JSONResponse({"code": 70051, "message": "Authorization Error", "status": 403}, 403)
            query = request.query_params
            since, before = query.get(f"{filtered}>"), query.get(f"{filtered}<")
            size, token, listed = (
                min(int(query.get("PageSize", 50)), 1000),
                query.get("PageToken"),
                getattr(self.state, name),
            )
            begins = 0
            if (
                token is not None
            ):  # names the last record of the page before: what comes and goes meanwhile does not shift pages
                begins = next((place for place, row in enumerate(listed, 1) if f"PA{row['sid']}" == token), 0)
                if not begins:
                    return JSONResponse({"code": 20001, "message": "Unknown PageToken", "status": 400}, 400)
            rows = [
                row
                for row in listed[begins:]
                if row["sid"] not in self.options.deleted
                and _is_between(parsedate_to_datetime(row[column]).date(), since, before)
            ]
            page, number = rows[:size], int(query.get("Page", "0"))
            following = None
            if size < len(rows):
                params = {**query, "Page": number + 1, "PageToken": f"PA{page[-1]['sid']}"}
                following = f"{request.url.path}?{urlencode(params)}"
            self.traffic.count(name, name, [row["sid"] for row in page])
            return JSONResponse(
                {
                    name: page,
                    "page": number,
                    "page_size": size,
                    "next_page_uri": following,
                    "previous_page_uri": None,
                }
            )

        return handler


def _is_between(day: date, since: str | None, before: str | None) -> bool:
    return (since is None or day.isoformat() >= since) and (before is None or day.isoformat() < before)
