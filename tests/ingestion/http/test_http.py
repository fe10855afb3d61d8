"""The HTTP client against a server that misbehaves in every way that the vendors' do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response, StreamingResponse

from ingestion.http.answers import ErrorReading, Refused, Stopped
from ingestion.http.auth import Bearer
from ingestion.http.client import HttpClient
from ingestion.http.limits import RateLimit, RetryPolicy
from ingestion.http.paging import pages
from salesgauge.errors import ConfigurationError, SourceError

TOKEN = "pat-secret-1234567890"
QUICK = RetryPolicy(attempts=4, seconds=4.0, first_wait=0.01, longest_wait=0.05, connect_timeout=2, read_timeout=0.5)


def _read_error(status: int, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> ErrorReading:
    return ErrorReading(
        body.get("category"),
        body.get("message"),
        "Do this.",
        wait=body.get("wait"),
        is_final=body.get("category") == "DAILY",
    )


class Script:
    """An ASGI app that answers with the given responses one after the other, then for ever with the last one."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.times: list[float] = []
        self.headers: list[dict[str, str]] = []
        self._lock = threading.Lock()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        with self._lock:
            self.times.append(time.monotonic())
            self.headers.append({name.decode(): value.decode() for name, value in scope["headers"]})
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        answer = answer() if callable(answer) and not isinstance(answer, Response) else answer
        await answer(scope, receive, send)


@pytest.fixture
def client(serve: Callable[[Any], str]) -> Callable[..., HttpClient]:
    def make(app: Any, policy: RetryPolicy = QUICK, limit: RateLimit | None = None) -> HttpClient:
        limits = {"default": limit or RateLimit(1_000, 1.0)}
        return HttpClient("crm", serve(app), Bearer(TOKEN), limits, _read_error, policy)

    return make


def _ok() -> Response:
    return JSONResponse({"results": []})


def _status(code: int, body: Any = None, **headers: str) -> Response:
    return JSONResponse(
        body or {}, status_code=code, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


@pytest.mark.parametrize(
    ("first", "least", "most"),
    [
        (lambda: _status(429, Retry_After="1"), 1.0, 2.0),
        (lambda: _status(429, Retry_After="0"), 0.0, 0.5),
        (
            lambda: _status(429, Retry_After=format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)),
            0.9,
            3.0,
        ),
        (lambda: _status(429, Retry_After="Wed, 21 Oct 2015 07:28:00 GMT"), 0.0, 0.5),
        (lambda: _status(429, {"wait": 0.7}), 0.7, 1.5),
        (lambda: _status(429, {"wait": 0.7}, Retry_After="nonsense"), 0.7, 1.5),
        (lambda: _status(429), 0.0, 0.5),
        (lambda: _status(503, Retry_After="1"), 1.0, 2.0),
        (lambda: _status(500), 0.0, 0.5),
        (lambda: _status(502, {"message": "<html>"}), 0.0, 0.5),
    ],
    ids=["seconds", "zero", "date", "past date", "policy", "unreadable", "absent", "503 seconds", "500", "502"],
)
def test_a_passing_failure_is_waited_for(client: Any, first: Any, least: float, most: float) -> None:
    app = Script(first, _ok())
    http = client(app)

    assert http.get("/x").body == {"results": []}

    assert http.sent == 2
    assert least <= app.times[1] - app.times[0] <= most


def test_429_stops_the_other_threads_too(client: Any) -> None:
    app = Script(lambda: _status(429, Retry_After="1"), _ok())
    http = client(app)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(http.get, "/x")
        while not http.limits["default"]._paused_until:
            time.sleep(0.005)
        others = [pool.submit(http.get, "/y") for _ in range(3)]
        assert all(one.result().status == 200 for one in [first, *others])

    assert min(app.times[1:]) - app.times[0] >= 0.9


@pytest.mark.parametrize(
    "answer",
    [
        lambda: _status(429, Retry_After="0"),
        lambda: _status(500),
        lambda: Response('{"results": [1, 2', media_type="application/json"),
        lambda: Response("", media_type="application/json"),
        lambda: Response('{"results": []}', headers={"Content-Length": "400"}, media_type="application/json"),
    ],
    ids=["429 for ever", "500 for ever", "cut JSON", "empty", "cut connection"],
)
def test_a_lasting_failure_ends_in_bounded_time(client: Any, answer: Any) -> None:
    app = Script(answer)
    http = client(app)
    started = time.monotonic()

    with pytest.raises(SourceError, match=r"crm: GET /crm/deals .*4 tries.*Run again later"):
        http.get("/crm/deals", {"after": "secret-cursor"})

    assert time.monotonic() - started < 4
    assert http.sent == 4


def test_a_cut_connection_is_tried_again(client: Any) -> None:
    async def broken() -> Any:
        yield b'{"results": ['
        raise ConnectionResetError

    app = Script(lambda: StreamingResponse(broken()), _ok())

    assert client(app).get("/x").body == {"results": []}


def test_a_silent_server_is_given_up(client: Any) -> None:
    class Silent:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            import asyncio

            await asyncio.sleep(0.6)

    policy = RetryPolicy(attempts=2, seconds=4, first_wait=0.01, longest_wait=0.01, connect_timeout=1, read_timeout=0.2)
    with pytest.raises(SourceError, match="got no complete answer"):
        client(Silent(), policy).get("/x")


def test_a_wait_longer_than_the_policy_is_not_begun(client: Any) -> None:
    app = Script(lambda: _status(429, Retry_After="3600"))
    started = time.monotonic()

    with pytest.raises(SourceError, match="3600 s"):
        client(app).get("/x")

    assert time.monotonic() - started < 2


def test_a_daily_limit_stops_at_once(client: Any) -> None:
    http = client(Script(lambda: _status(429, {"category": "DAILY", "message": "limit"}, Retry_After="0")))

    with pytest.raises(Refused, match="DAILY"):
        http.get("/x")

    assert http.sent == 1


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 409])
def test_an_error_names_call_status_and_advice_but_no_secret(client: Any, status: int) -> None:
    body = {"category": "WRONG", "message": f"bad token {TOKEN} " + "x" * 1000}
    app = Script(lambda: _status(status, body, Location="http://127.0.0.1:1/elsewhere"))
    http = client(app)

    with pytest.raises(Refused) as caught:
        http.post("/crm/deals/search", {"q": "private"})

    text = str(caught.value)
    assert f"crm: POST /crm/deals/search answered {status} (WRONG bad token ***" in text
    assert text.endswith("expected 200. Do this.")
    assert len(text) < 500
    assert TOKEN not in text
    assert "private" not in text
    assert caught.value.status == status
    assert http.sent == 1
    assert app.headers[0]["authorization"] == f"Bearer {TOKEN}"


def test_no_secret_in_the_error_of_a_dead_server(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    http = HttpClient("crm", "http://127.0.0.1:9", Bearer(TOKEN), {"default": RateLimit(100, 1.0)}, _read_error, QUICK)

    with pytest.raises(SourceError) as caught:
        http.get("/x", {"after": "hidden"})

    assert "hidden" not in str(caught.value)
    assert TOKEN not in str(caught.value)
    assert caught.value.__cause__ is None
    assert TOKEN not in caplog.text


def test_json_that_is_no_object_is_refused(client: Any) -> None:
    with pytest.raises(SourceError, match="expected an object"):
        client(Script(lambda: JSONResponse([1]))).get("/x")


@pytest.mark.parametrize(
    "url", ["http://api.example.com", "ftp://x", "https://user:pw@api.example.com", "api.example.com"]
)
def test_an_address_that_would_leak_the_token_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="base_url"):
        HttpClient("crm", url, Bearer(TOKEN), {}, _read_error)


def test_netrc_does_not_replace_the_token(client: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    app = Script(_ok())

    client(app).get("/x")

    assert app.headers[0]["authorization"] == f"Bearer {TOKEN}"


def test_the_limit_holds_in_every_window_of_all_threads(client: Any) -> None:
    app = Script(_ok())
    http = client(app, limit=RateLimit(5, 0.5))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: http.get("/x"), range(16)))

    assert max(app.times) - min(app.times) >= 1.4
    # the server sees a request a little after it was let go: a window may look a little shorter there
    assert all(later - earlier >= 0.4 for earlier, later in zip(app.times, app.times[5:], strict=False))


def test_a_stated_limit_is_followed_unless_one_is_configured() -> None:
    free, fixed = RateLimit(100, 10.0, is_fixed=False), RateLimit(100, 10.0)
    for limit in (free, fixed):
        limit.follow(180, 10.0)

    assert (free.requests, fixed.requests) == (180, 100)


def test_stop_ends_a_waiting_thread(client: Any) -> None:
    http = client(Script(lambda: _status(429, Retry_After="3")))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(http.get, "/x")
        while http.sent == 0:
            time.sleep(0.005)
        http.stop()
        with pytest.raises(Stopped):
            waiting.result(timeout=1)


def test_a_cursor_that_comes_twice_ends_the_listing() -> None:
    following = iter(["a", "b", "a"])

    with pytest.raises(SourceError, match="'a' came twice"):
        list(pages(lambda cursor: ([{"after": cursor}], next(following)), "crm: GET /x"))


def test_more_pages_than_the_cap_end_the_listing() -> None:
    numbers = iter(range(100))

    with pytest.raises(SourceError, match="more than 10 pages"):
        list(pages(lambda cursor: ([{"after": cursor}], str(next(numbers))), "crm: GET /x", cap=10))


def test_a_page_that_comes_twice_in_a_row_is_refused() -> None:
    numbers = iter(range(1_000_000))
    with pytest.raises(SourceError, match="crm: GET /x: the same page came twice in a row"):
        list(pages(lambda cursor: ([{"id": 1}], str(next(numbers))), "crm: GET /x"))
    empty = iter(["1", "2", None])  # pages without records may follow each other
    assert list(pages(lambda cursor: ([], next(empty)), "crm: GET /x")) == [[], [], []]
