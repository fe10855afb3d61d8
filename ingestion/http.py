"""A JSON client for source APIs: rate limit, retries bounded in time, readable errors, guarded paging.

It stands on ``requests`` alone. dlt's client was the first choice, but it shortens a long ``Retry-After``, takes ``Retry-After: 0`` for
absent, retries limits that last until tomorrow, has no bound in time and no limit shared by threads. What an endpoint means does not
belong here: that is each source's own module.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from salesgauge.errors import ConfigurationError, SourceError
from salesgauge.settings import SourceSettings

RETRIED = frozenset({408, 425, 429, 477, 499, 500, 502, 503, 504, 520, 521, 522, 523, 524})
PAGE_CAP = 1_000_000
_CUT = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)


@dataclass(frozen=True)
class RetryPolicy:
    """How long a request is tried. ``seconds`` bounds the time from the first failure; ``attempts`` the tries in it."""

    attempts: int = 8
    seconds: float = 300.0
    first_wait: float = 0.5
    longest_wait: float = 30.0
    connect_timeout: float = 10.0
    read_timeout: float = 90.0

    def backoff(self, failures: int) -> float:
        """Seconds after the ``failures``-th failure in a row: doubling, with jitter so that threads do not come back as one."""
        wait = min(self.longest_wait, self.first_wait * 2 ** (failures - 1))
        return wait * random.uniform(0.7, 1.0)


@dataclass(frozen=True)
class ErrorReading:
    """What a source's error answer says. ``wait``: seconds to wait without ``Retry-After``; ``is_final``: retrying is of no use."""

    code: str | None = None
    message: str | None = None
    advice: str | None = None
    wait: float | None = None
    is_final: bool = False


@dataclass(frozen=True)
class Answer:
    """A JSON object that a source answered with one of the expected status codes."""

    status: int
    body: dict[str, Any]
    headers: Mapping[str, str]


class Refused(SourceError):
    """The source answered with an error that a retry does not heal; ``status`` is its HTTP code."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Stopped(SourceError):
    """The client was stopped while a thread waited: another thread's error is the one to show."""


class RateLimit:
    """At most ``requests`` in any ``seconds``, for all threads that share it: an exact rolling window, as the vendors count."""

    def __init__(self, requests: float, seconds: float, is_fixed: bool = True) -> None:
        self.requests, self.seconds, self.is_fixed = max(1, int(requests)), float(seconds), is_fixed
        self._taken: deque[float] = deque()
        self._paused_until = 0.0
        self._lock = threading.Lock()

    def reserve(self) -> float:
        """Book the next free place; returns the seconds to wait for it."""
        with self._lock:
            now = time.monotonic()
            at = max(now, self._paused_until)
            while len(self._taken) > self.requests:
                self._taken.popleft()
            if len(self._taken) >= self.requests:
                at = max(at, self._taken[-self.requests] + self.seconds)
            self._taken.append(at)
            return at - now

    def pause(self, seconds: float) -> None:
        """No further place before ``seconds`` from now: after a 429 every thread waits, not only the one that saw it."""
        with self._lock:
            self._paused_until = max(self._paused_until, time.monotonic() + seconds)

    def follow(self, requests: int, seconds: float) -> None:
        """Take the limit that the server states, unless the configuration fixed one."""
        if self.is_fixed or requests < 1 or seconds <= 0:
            return
        with self._lock:
            self.requests, self.seconds = requests, seconds


@dataclass
class HttpClient:
    """Requests to one host with one token, for all threads of one source.

    ``read_error(status, path, body, headers)`` explains an error answer in the source's own words; ``on_answer(headers)`` may read limits.
    ``sent`` counts requests, retries included. ConfigurationError for a ``base_url`` that would leak the token.
    """

    source: str
    base_url: str
    token: str
    limits: Mapping[str, RateLimit]
    read_error: Callable[[int, str, Mapping[str, Any], Mapping[str, str]], ErrorReading]
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    on_answer: Callable[[Mapping[str, str]], None] = lambda headers: None
    sent: int = 0

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise ConfigurationError(
                f"{self.source}: base_url must look like https://api.example.com (no user, no query). "
                f"Correct it in [sources.{self.source}] of .dlt/config.toml."
            )
        if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
            raise ConfigurationError(
                f"{self.source}: base_url is plain http, which would show the token to the network. "
                f"Use https in [sources.{self.source}] of .dlt/config.toml; http is for this machine only."
            )
        self._is_local = parts.scheme == "http"
        self._adapter = HTTPAdapter(pool_connections=4, pool_maxsize=16)
        self._local = threading.local()
        self._lock = threading.Lock()
        self._stop = threading.Event()

    def stop(self) -> None:
        """Let every waiting thread end with ``Stopped``."""
        self._stop.set()

    def close(self) -> None:
        """Stop and close the connections."""
        self.stop()
        self._adapter.close()

    def get(self, path: str, params: Mapping[str, Any] | None = None, **options: Any) -> Answer:
        """GET ``path``; see ``send``."""
        return self.send("GET", path, params=params, **options)

    def post(self, path: str, body: Mapping[str, Any], **options: Any) -> Answer:
        """POST ``body`` as JSON to ``path``; see ``send``. Only for reads: it is repeated after a cut connection."""
        return self.send("POST", path, body=body, **options)

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        limit: str = "default",
        expected: tuple[int, ...] = (200,),
    ) -> Answer:
        """One JSON object from ``path``. SourceError with method, path and advice once it can't be had; never with query or token."""
        call = f"{self.source}: {method} {path}"
        failures, first_failure = 0, 0.0
        while True:
            self._wait(self.limits[limit].reserve())
            wait, problem = self._try(call, method, path, params, body, limit, expected)
            if isinstance(problem, Answer):
                return problem
            failures += 1
            now = time.monotonic()
            first_failure = first_failure or now
            if wait is None:
                wait = self.policy.backoff(failures)
            elif failures > 1:  # a server that says "Retry-After: 0" for ever must not be hammered
                wait = max(wait, self.policy.backoff(failures - 1))
            if failures >= self.policy.attempts or now + wait - first_failure > self.policy.seconds:
                raise SourceError(
                    f"{call} {problem} ({failures} tries in {now - first_failure:.0f} s; the next would be in {wait:.0f} s). "
                    "Nothing of this load was kept. Run again later; what earlier runs loaded stays."
                )
            self._wait(wait)

    def _try(
        self,
        call: str,
        method: str,
        path: str,
        params: Mapping[str, Any] | None,
        body: Mapping[str, Any] | None,
        limit: str,
        expected: tuple[int, ...],
    ) -> tuple[float | None, Answer | str]:
        """One try: the answer, or (seconds to wait or None, what went wrong). SourceError where a retry is of no use."""
        with self._lock:
            self.sent += 1
        try:
            response = self._session().request(
                method,
                self.base_url.rstrip("/") + path,
                params=params,
                json=body,
                timeout=(self.policy.connect_timeout, self.policy.read_timeout),
                allow_redirects=False,  # the token goes to the configured host and nowhere else
            )
        except requests.exceptions.SSLError:
            raise SourceError(
                f"{call}: the server's certificate is not trusted. Check base_url and the proxy."
            ) from None
        except _CUT as error:
            return None, f"got no complete answer ({type(error).__name__})"
        except requests.RequestException as error:
            raise SourceError(f"{call} can't be sent ({type(error).__name__}). Check base_url.") from None
        if response.status_code in expected:
            self.on_answer(response.headers)
            try:
                parsed = json.loads(response.content, parse_constant=str)
            except (ValueError, RecursionError):
                return None, f"answered {response.status_code} with a body that is no complete JSON"
            if not isinstance(parsed, dict):
                raise SourceError(
                    f"{call} answered a JSON {type(parsed).__name__}; expected an object. Check base_url."
                )
            return None, Answer(response.status_code, parsed, response.headers)
        return self._refused(call, path, response, limit, expected)

    def _refused(
        self, call: str, path: str, response: requests.Response, limit: str, expected: tuple[int, ...]
    ) -> tuple[float | None, str]:
        """The waiting time of an error answer that may be retried; SourceError for any other."""
        try:
            body = json.loads(response.content)
        except (ValueError, RecursionError):
            body = {}
        reading = self.read_error(response.status_code, path, body if isinstance(body, dict) else {}, response.headers)
        said = " ".join(part for part in (reading.code, self._clean(reading.message)) if part)
        problem = f"answered {response.status_code}" + (f" ({said})" if said else "")
        if response.status_code not in RETRIED or reading.is_final:
            wanted = " or ".join(str(code) for code in expected)
            advice = reading.advice or "Check the base_url and the API version in .dlt/config.toml."
            raise Refused(f"{call} {problem}; expected {wanted}. {advice}", response.status_code)
        wait = _retry_after(response.headers)
        if wait is None:
            wait = reading.wait
        if response.status_code == 429 and wait is not None and wait <= self.policy.seconds:
            self.limits[limit].pause(wait)
        return wait, problem

    def _clean(self, text: str | None) -> str:
        """``text`` of an error body for people: one line, short, without the token."""
        cleaned = " ".join(str(text or "").split())
        if self.token:
            cleaned = cleaned.replace(self.token, "***")
        return cleaned[:300]

    def _wait(self, seconds: float) -> None:
        if self._stop.wait(seconds) if seconds > 0 else self._stop.is_set():
            raise Stopped(f"{self.source}: stopped.")

    def _session(self) -> requests.Session:
        session = getattr(self._local, "session", None)
        if session is None:
            session = requests.Session()
            session.trust_env = not self._is_local  # no proxy between us and this machine
            session.auth = _Bearer(self.token)
            session.headers["Accept"] = "application/json"
            session.headers["User-Agent"] = "salesgauge"
            session.mount("http://", self._adapter)
            session.mount("https://", self._adapter)
            self._local.session = session
        return session


class _Bearer(requests.auth.AuthBase):
    """The token as a header. An auth object and not a default header: else ``~/.netrc`` would replace it."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def __repr__(self) -> str:
        return "Bearer ***"


def pages(
    fetch: Callable[[str | None], tuple[list[dict[str, Any]], str | None]], what: str, cap: int = PAGE_CAP
) -> Iterator[list[dict[str, Any]]]:
    """The pages of a listing. ``fetch(cursor)`` gives (records, next cursor or None); None asks for the first page.

    SourceError if a cursor comes twice (the listing would never end) or after ``cap`` pages.
    """
    cursor: str | None = None
    seen: set[str] = set()
    while True:
        records, cursor = fetch(cursor)
        yield records
        if cursor is None:
            return
        if cursor in seen:
            raise SourceError(
                f"{what}: the page cursor {cursor[:80]!r} came twice, so the listing would never end. Report it to the vendor."
            )
        if len(seen) + 1 >= cap:
            raise SourceError(f"{what}: more than {cap} pages. Raise the page size, or report it to the vendor.")
        seen.add(cursor)


def number(settings: SourceSettings, key: str, default: float) -> float:
    """A number above zero from the settings of a source; ConfigurationError for anything else."""
    given = settings.get(key, default)
    try:
        value = float(given)
    except (TypeError, ValueError):
        value = 0.0
    if not 0 < value < float("inf"):
        raise ConfigurationError(
            f".dlt/config.toml: [sources.{settings.name}] {key} = {given!r}; expected a number above 0."
        )
    return value


def server_clock(headers: Mapping[str, str]) -> float | None:
    """The server's clock in an answer (seconds since 1970), or None where it sends none."""
    try:
        return parsedate_to_datetime(headers.get("Date", "")).timestamp()
    except (TypeError, ValueError):
        return None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that ``Retry-After`` asks for: a number, or a date measured by the server's own clock. None where it says nothing."""
    text = (headers.get("Retry-After") or "").strip()
    if not text:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        at = parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError):
        return None
    now = server_clock(headers)
    return max(0.0, at - (time.time() if now is None else now))
