"""What goes wrong between a vendor and us: an ASGI wrapper that answers some requests of any loopback server badly, as a script says.

Which faults there are is here; what a connector has to make of them is in ``scripts``.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus

Answer = tuple[int, dict[str, str], bytes]
Change = Callable[[Answer, int], Answer]


@dataclass(frozen=True)
class Fault:
    """A rule: of the requests whose path and query match the regular expression ``path``, those from number ``first`` on, ``times`` of them (None: all that
    follow).

    Exactly one of the others says what happens: ``answer`` instead of the server's; ``change`` of the server's answer (it gets the number of the
    request, from 1); ``is_cut``: the connection ends without an answer; ``cut_after``: after so many bytes of the body; ``wait``: seconds before
    the answer; ``act``: something happens in the company meanwhile.
    """

    path: str = ""
    first: int = 1
    times: int | None = 1
    answer: Answer | None = None
    change: Change | None = None
    is_cut: bool = False
    cut_after: int | None = None
    wait: float = 0.0
    act: Callable[[], None] | None = None


@dataclass
class Faults:
    """The application ``app`` with faults. ``script`` may be replaced while it runs; ``asked`` counts requests, ``done`` faults."""

    app: Any
    script: tuple[Fault, ...] = ()
    asked: int = 0
    done: int = 0
    _matched: dict[int, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def play(self, *script: Fault) -> None:
        """From now on follow ``script``."""
        with self._lock:
            self.script, self.asked, self.done = script, 0, 0
            self._matched.clear()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        fault, number = self._next(f"{scope['path']}?{unquote_plus(scope['query_string'].decode())}")
        if fault is None:
            await self.app(scope, receive, send)
            return
        if fault.act is not None:
            fault.act()
        if fault.wait:
            await asyncio.sleep(fault.wait)
        if fault.is_cut:
            _end(send)
            return
        answer = fault.answer or await _collect(self.app, scope, receive)
        if fault.change is not None:
            answer = fault.change(answer, number)
        await _reply(send, answer, fault.cut_after)

    def _next(self, address: str) -> tuple[Fault | None, int]:
        """The fault for this request, and which of its requests it is."""
        with self._lock:
            self.asked += 1
            for place, fault in enumerate(self.script):
                if not re.search(fault.path, address):
                    continue
                number = self._matched[place] = self._matched.get(place, 0) + 1
                if number >= fault.first and (fault.times is None or number < fault.first + fault.times):
                    self.done += 1
                    return fault, number
        return None, 0


async def _collect(app: Callable[..., Awaitable[None]], scope: Any, receive: Any) -> Answer:
    status, headers, body = 200, dict[str, str](), bytearray()

    async def take(message: Any) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            headers.update({name.decode(): value.decode() for name, value in message["headers"]})
        else:
            body.extend(message.get("body", b""))

    await app(scope, receive, take)
    return status, headers, bytes(body)


async def _reply(send: Any, answer: Answer, cut_after: int | None) -> None:
    status, headers, body = answer
    shown = {name.lower(): value for name, value in headers.items()}
    shown.setdefault("content-length", str(len(body)))
    if cut_after is None and shown["content-length"].isdecimal() and int(shown["content-length"]) != len(body):
        shown["content-length"] = str(len(body))
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in shown.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    if cut_after is not None and cut_after < len(body):
        await send({"type": "http.response.body", "body": body[:cut_after], "more_body": True})
        await asyncio.sleep(0.01)
        _end(send)
        return
    await send({"type": "http.response.body", "body": body})


def _end(send: Any) -> None:
    """Drop the connection: uvicorn's ``send`` belongs to the cycle that holds it."""
    send.__self__.transport.abort()


# Answers and changes.


def says(status: int, body: Any = None, **headers: str) -> Answer:
    """An error answer with JSON; ``Retry_After`` stands for the header ``Retry-After``."""
    shown = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, {"content-type": "application/json", **shown}, json.dumps(body if body is not None else {}).encode()


def html(status: int = 200) -> Answer:
    """A gateway's page where JSON is expected."""
    return status, {"content-type": "text/html"}, b"<html><body>Service temporarily unavailable</body></html>"


def of_json(change: Callable[[dict[str, Any], int], Any]) -> Change:
    """``change`` of the JSON body; other answers and errors stay as they are."""

    def changed(answer: Answer, number: int) -> Answer:
        status, headers, body = answer
        try:
            parsed = json.loads(body)
        except ValueError:
            return answer
        if status >= 300 or not isinstance(parsed, dict):
            return answer
        return status, headers, json.dumps(change(parsed, number)).encode()

    return changed


def with_records(change: Callable[[list[Any]], Any]) -> Change:
    """``change`` of the records of a page; pages without records stay as they are."""

    def changed(body: dict[str, Any], number: int) -> dict[str, Any]:
        return _replaced(body, lambda page, name: {**page, name: change(page[name])})

    return of_json(changed)


def without_records() -> Change:
    """A page that lacks its list of records."""

    def changed(body: dict[str, Any], number: int) -> dict[str, Any]:
        return _replaced(body, lambda page, name: {key: value for key, value in page.items() if key != name})

    return of_json(changed)


def _replaced(body: dict[str, Any], change: Callable[[dict[str, Any], str], dict[str, Any]]) -> dict[str, Any]:
    """``body`` with ``change(page, name of its records)``: the page is the body, or in GraphQL what has the nodes."""
    name = next((name for name, value in body.items() if isinstance(value, list) and name != "errors"), None)
    if name is not None:
        return change(body, name)
    data = body.get("data")
    if not isinstance(data, dict):
        return body
    return {
        **body,
        "data": {
            key: change(page, "nodes") if isinstance(page, dict) and isinstance(page.get("nodes"), list) else page
            for key, page in data.items()
        },
    }


def truncated(answer: Answer, number: int) -> Answer:
    """Half of the body, as if that were all."""
    status, headers, body = answer
    return status, headers, body[: len(body) // 2]


def badly_packed(answer: Answer, number: int) -> Answer:
    """A body that says it is gzip and is not."""
    status, headers, body = answer
    return status, {**headers, "content-encoding": "gzip"}, b"\x1f\x8b" + body[:50]
