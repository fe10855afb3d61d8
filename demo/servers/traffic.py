"""What both servers share: counting what was asked and served, rate limits, and running an application on loopback."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from demo.servers.shapes import Shapes


@dataclass
class Traffic:
    """Counts per endpoint (such as ``contacts.list``): requests answered, records served, refusals; and per record how often it was served."""

    requests: Counter[str] = field(default_factory=Counter)
    records: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    served: dict[str, Counter[str]] = field(default_factory=dict)

    def count(self, endpoint: str, kind: str | None = None, ids: Iterable[str] = ()) -> None:
        """Note an answered request and the ids of the records in it."""
        self.requests[endpoint] += 1
        for one in ids:
            self.records[endpoint] += 1
            self.served.setdefault(kind or endpoint, Counter())[one] += 1

    def reset(self) -> None:
        """Begin to count anew."""
        for counter in (self.requests, self.records, self.refused, self.served):
            counter.clear()

    def as_dict(self) -> dict[str, Any]:
        """The counts for ``/__stats``; ``served_twice``: kind → number of records served more than once."""
        twice = {kind: sum(count > 1 for count in ids.values()) for kind, ids in self.served.items()}
        return {
            "requests": dict(self.requests),
            "records": dict(self.records),
            "refused": dict(self.refused),
            "served_twice": twice,
        }


@dataclass(frozen=True)
class Limit:
    """``requests`` in any ``seconds``; ``retry_after``: what a 429 says in its header, None leaves the header out."""

    requests: int
    seconds: float
    policy: str
    retry_after: int | None = 1


class Window:
    """A rolling window that enforces a ``Limit``. ``clock``: seconds, only their differences count."""

    def __init__(self, limit: Limit, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit, self._clock = limit, clock
        self._taken: deque[float] = deque()

    def take(self) -> bool:
        """Whether another request is within the limit; if so it is counted."""
        now = self._clock()
        while self._taken and self._taken[0] <= now - self.limit.seconds:
            self._taken.popleft()
        if len(self._taken) >= self.limit.requests:
            return False
        self._taken.append(now)
        return True

    @property
    def remaining(self) -> int:
        """Requests that would pass now."""
        return max(0, self.limit.requests - len(self._taken))


def date_header(moment: datetime) -> str:
    """An HTTP date of a UTC moment: the servers' clock is that of the log, not of the machine."""
    return format_datetime(moment.replace(tzinfo=UTC), usegmt=True)


def application(
    routes: list[Route], traffic: Traffic, now: Callable[[], datetime], shapes: Shapes | None = None
) -> Starlette:
    """The routes with ``/__stats`` (GET; POST begins anew) beside them, answering with the log's date.

    ``shapes``: what the answers have to look like.
    """

    async def stats(request: Request) -> Response:
        if request.method == "POST":
            traffic.reset()
        return JSONResponse(traffic.as_dict())

    own = Starlette(routes=[Route("/__stats", stats, methods=["GET", "POST"])])
    vendor = Starlette(routes=routes)
    checked = vendor if shapes is None else shapes.checked(vendor)

    async def dated(scope: Any, receive: Any, send: Any) -> None:
        async def with_date(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"date", date_header(now()).encode())]
            await send(message)

        app = own if scope["path"] == "/__stats" else checked
        await app(scope, receive, with_date if scope["type"] == "http" else send)

    return dated  # type: ignore[return-value]


class Loopback:
    """Runs an application on 127.0.0.1 in a thread. ``port`` 0 takes a free one."""

    def __init__(self, app: Any, port: int = 0) -> None:
        self._port = port
        config = uvicorn.Config(
            app, log_level="critical", access_log=False, lifespan="off", date_header=False, server_header=False,
            timeout_keep_alive=60, ws="none",
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._socket = socket.socket()
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name=f"demo-server-{port}", daemon=True
        )

    def start(self) -> str:
        """Serve; the address once connections are accepted. RuntimeError if the port is taken."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind(("127.0.0.1", self._port))
        except OSError as error:
            raise RuntimeError(
                f"the demo server can't listen on 127.0.0.1:{self._port}: the port is taken. Name another, or 0 for any."
            ) from error
        self._thread.start()
        deadline = time.monotonic() + 30
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError("the demo server did not come up")
            time.sleep(0.005)
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def stop(self) -> None:
        """Stop serving and wait for the thread; nothing where it never began."""
        self._server.should_exit = self._server.force_exit = True
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        self._socket.close()
