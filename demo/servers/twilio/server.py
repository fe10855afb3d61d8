"""A loopback Twilio: ``Calls.json`` and ``Recordings.json`` of one account, with Basic authentication.

Spoken: ``StartTime>`` and ``StartTime<`` (``DateCreated`` for recordings) by day, ``PageSize`` up to 1,000, ``next_page_uri`` with ``PageToken``, newest first;
times as RFC 2822, numbers as text. An inbound call has a second leg, to the person who should take it: it begins with the answer, and is canceled where
the caller gave up; one that is transferred has a third. 401 with code 20003, 404 with 20404.
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
from demo.servers.numbers import e164
from demo.servers.traffic import Traffic, application
from demo.servers.twilio.answers import shapes

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
                self._call(at, e164(phones.get(lead) or data.get("number")) or "anonymous", data)
        self.calls.reverse()
        self.recordings.reverse()

    def _call(self, at: datetime, customer: str, data: dict[str, Any]) -> None:
        sid, seconds = f"CA{data['activity_id']}", round(data["duration_seconds"])
        is_inbound, status = data["direction"] == "inbound", _STATUS[data["outcome"]]
        wait = timedelta(seconds=data.get("wait_seconds", 0))
        if data.get("gave_up"):
            status = "canceled"
        row = self._leg(sid, at, round(seconds + wait.total_seconds()), "completed" if is_inbound else status)
        row |= {
            "from": customer if is_inbound else OFFICE,
            "to": OFFICE if is_inbound else customer,
            "direction": "inbound" if is_inbound else "outbound-api",
        }
        self.calls.append(_formatted(row))
        if is_inbound:  # the greeting completes the first leg whatever happens
            first = min(20, seconds) if data.get("is_transferred") else seconds
            legs = [self._leg(f"{sid}b", at + wait, first if status == "completed" else 0, status)]
            if first < seconds:
                legs.append(self._leg(f"{sid}c", at + wait + timedelta(seconds=first), seconds - first, status))
            self.calls += [
                _formatted(
                    {**leg, "from": customer, "to": MOBILE, "direction": "outbound-dial", "parent_call_sid": sid}
                )
                for leg in legs
            ]
        if status == "completed":
            uri = f"/2010-04-01/Accounts/{ACCOUNT}/Recordings/RE{data['activity_id']}.json"
            stamp = format_datetime(at.replace(tzinfo=UTC, microsecond=0))
            self.recordings.append(
                {
                    "sid": f"RE{data['activity_id']}", "account_sid": ACCOUNT, "call_sid": sid, "duration": str(seconds), "date_created": stamp,
                    "start_time": stamp, "status": "completed", "channels": 1, "uri": uri,
                }
            )  # fmt: skip

    @staticmethod
    def _leg(sid: str, at: datetime, seconds: int, status: str) -> dict[str, Any]:
        start = at.replace(tzinfo=UTC, microsecond=0)
        return {
            "sid": sid, "parent_call_sid": None, "account_sid": ACCOUNT, "status": status, "start_time": format_datetime(start),
            "end_time": format_datetime(start + timedelta(seconds=seconds)), "date_created": format_datetime(start),
            "date_updated": format_datetime(start + timedelta(seconds=seconds)), "duration": str(seconds), "price": "-0.0085", "price_unit": "USD",
            "phone_number_sid": "PN0001", "answered_by": None, "forwarded_from": None, "caller_name": "", "queue_time": "0", "trunk_sid": "",
            "group_sid": "", "api_version": "2010-04-01", "uri": f"/2010-04-01/Accounts/{ACCOUNT}/Calls/{sid}.json",
            "subresource_uris": {"recordings": f"/2010-04-01/Accounts/{ACCOUNT}/Calls/{sid}/Recordings.json"},
        }  # fmt: skip


class TwilioServer:
    """The application over a ``TwilioState``."""

    def __init__(self, log: CompanyLog, options: TwilioOptions | None = None) -> None:
        self.options, self.traffic = options or TwilioOptions(), Traffic()
        self.replace(log)
        base = f"/2010-04-01/Accounts/{ACCOUNT}"
        self.shapes = shapes()
        self.app = application(
            [
                Route(f"{base}/Calls.json", self._list("calls", "StartTime", "start_time")),
                Route(f"{base}/Recordings.json", self._list("recordings", "DateCreated", "date_created")),
            ],
            self.traffic,
            lambda: self.state.as_of,
            self.shapes,
        )

    def replace(self, log: CompanyLog) -> None:
        """Answer from ``log`` from now on."""
        self.state = TwilioState(log)

    def _list(self, name: str, filtered: str, column: str) -> Callable[[Request], Any]:
        expected = "Basic " + base64.b64encode(f"{API_KEY}:{API_SECRET}".encode()).decode()

        async def handler(request: Request) -> Response:
            if request.headers.get("authorization") != expected:
                more = "https://www.twilio.com/docs/errors/20003"
                return JSONResponse({"code": 20003, "message": "Authenticate", "more_info": more, "status": 401}, 401)
            if name in self.options.forbidden:
                more = "https://www.twilio.com/docs/errors/70051"
                body = {"code": 70051, "message": "Authorization Error", "more_info": more, "status": 403}
                return JSONResponse(body, 403)
            query = request.query_params
            since, before = query.get(f"{filtered}>"), query.get(f"{filtered}<")
            size = min(int(query.get("PageSize", 50)), 1000)
            token, listed, begins = query.get("PageToken"), getattr(self.state, name), 0
            if token is not None:
                # it names the last record of the page before: what comes and goes meanwhile does not shift pages
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
            start = number * size
            asked = {key: value for key, value in query.items() if key not in ("Page", "PageToken")} | {
                "PageSize": size
            }

            def at(place: int, after: str | None = None) -> str:
                more = {"PageToken": f"PA{after}"} if after else {}
                return f"{request.url.path}?{urlencode({**asked, 'Page': place, **more})}"

            before_it = listed[begins - size - 1] if begins > size else None
            self.traffic.count(name, name, [row["sid"] for row in page])
            return JSONResponse(
                {
                    name: page,
                    "page": number,
                    "page_size": size,
                    "start": start,
                    "end": start + max(len(page) - 1, 0),
                    "uri": at(number, token.removeprefix("PA") if token else None),
                    "first_page_uri": at(0),
                    "previous_page_uri": at(number - 1, before_it["sid"] if before_it else None) if number else None,
                    "next_page_uri": at(number + 1, page[-1]["sid"]) if size < len(rows) else None,
                }
            )

        return handler


def _is_between(day: date, since: str | None, before: str | None) -> bool:
    return (since is None or day.isoformat() >= since) and (before is None or day.isoformat() < before)


def _formatted(row: dict[str, Any]) -> dict[str, Any]:
    """The row with its numbers as people write them, too."""

    def shown(number: str) -> str:
        digits = number.removeprefix("+1")
        is_american = number.startswith("+1") and len(digits) == 10
        return f"({digits[:3]}) {digits[3:6]}-{digits[6:]}" if is_american else number

    return {**row, "to_formatted": shown(row["to"]), "from_formatted": shown(row["from"])}
