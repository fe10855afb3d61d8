"""A JSON client for source APIs: rate limit, retries bounded in time, readable errors.

It stands on ``requests`` alone. dlt's client was the first choice, but it shortens a long ``Retry-After``, takes ``Retry-After: 0`` for
absent, retries limits that last until tomorrow, has no bound in time and no limit shared by threads. What an endpoint means does not
belong here: that is each source's own module. Credentials are in ``auth``, limits in ``limits``, declared resources in ``connector.rest``.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar, cast
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import NewConnectionError

from ingestion.http.answers import Answer, Body, ErrorReading, Refused, Stopped
from ingestion.http.auth import Auth
from ingestion.http.limits import RateLimit, RetryPolicy, retry_after
from salesgauge.errors import ConfigurationError, SourceError
from salesgauge.masking import hide, masked, masked_document

RETRIED = frozenset({408, 425, 429, 477, 499, 500, 502, 503, 504, 520, 521, 522, 523, 524})
_CUT = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)
_BLOCK = 1 << 20
_SENDABLE = re.compile(r"[\x21-\x7e][\x20-\x7e]*")  # a header's value
Result = TypeVar("Result")


class _Incomplete(Exception):
    """An answer that can't be used as it came; its text says why. A retry may help."""


@dataclass(frozen=True)
class _Call:
    """A request as errors name it, and how its answer is judged."""

    method: str
    path: str
    name: str
    limit: str
    expected: tuple[int, ...]


@dataclass
class HttpClient:
    """Requests to one host with one set of credentials, for all threads of one source.

    ``read_error(status, path, body, headers)`` explains an error answer in the source's own words (``body``: its JSON object; a JSON array is
    given as ``{"errors": [...]}``, anything else as ``{}``); ``on_answer(headers)`` may read limits; ``url_setting`` is what people call ``base_url``.
    ``sent`` counts requests, retries included.
    ConfigurationError for a ``base_url`` that would leak credentials.
    """

    source: str
    base_url: str
    auth: Auth
    limits: Mapping[str, RateLimit]
    read_error: Callable[[int, str, Mapping[str, Any], Mapping[str, str]], ErrorReading]
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    on_answer: Callable[[Mapping[str, str]], None] = lambda headers: None
    headers: Mapping[str, str] = field(default_factory=dict)
    url_setting: str = "base_url"
    sent: int = 0

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        try:
            port = parts.port
        except ValueError:  # no number, or none that a port can have
            port = -1
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or port == -1:
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
        self._origin = (parts.scheme, parts.hostname, port)
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
        body: Any = None,
        form: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        limit: str = "default",
        expected: tuple[int, ...] = (200,),
        kind: Body = "object",
    ) -> Answer:
        """One JSON document from ``path``: an object, an array, or either (``json``). ``path`` may hold a query.

        SourceError with method, path and advice once it can't be had; never with query or credentials.
        """
        request = requests.Request(method, self._url(path), params=params, json=body, data=form, headers=headers)

        def read(response: requests.Response) -> Answer:
            return Answer(response.status_code, self._document(call, response, kind), response.headers)

        call = self._call(method, path, limit, expected)
        return self._exchange(call, lambda: self._session().prepare_request(request), read)

    def download(
        self,
        path: str,
        target: Path,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        limit: str = "default",
        expected: tuple[int, ...] = (200,),
    ) -> Answer:
        """The body of ``path`` into the file ``target``, unpacked; memory stays flat. A body that ends early is fetched again as a whole."""
        request = requests.Request("GET", self._url(path), params=params, headers=headers)

        def read(response: requests.Response) -> Answer:
            length = response.headers.get("Content-Length")
            with target.open("wb") as file:
                for block in response.iter_content(_BLOCK):
                    file.write(block)
            # Content-Length counts what came over the wire: of a packed body only the decoder can tell whether it was whole.
            if length and not response.headers.get("Content-Encoding") and target.stat().st_size != int(length):
                raise _Incomplete("answered with a body that ends early")
            return Answer(response.status_code, {}, response.headers)

        call = self._call("GET", path, limit, expected)
        return self._exchange(call, lambda: self._session().prepare_request(request), read, stream=True)

    def forward(self, request: requests.PreparedRequest, limit: str = "default") -> requests.Response:
        """Send a request that a library prepared, as ``send`` would; its answer is 200 and complete JSON."""
        path = self.local(request.url or "")
        call = self._call(request.method or "GET", path, limit, (200,))

        def read(response: requests.Response) -> requests.Response:
            self._document(call, response, "json")
            return response

        def prepare() -> requests.PreparedRequest:
            again = request.copy()
            again.url = self._url(path)
            again.headers.update(cast("Mapping[str, str]", self._session().headers))  # ours are text, no bytes
            return again

        return self._exchange(call, prepare, read)

    def local(self, url: str) -> str:
        """Path and query of an address that the server gave, such as that of the next page, for ``get``.

        SourceError if it leads to another host: the credentials go to the configured one only.
        """
        parts = urlsplit(url)
        if parts.scheme or parts.netloc:
            if (parts.scheme, parts.hostname, parts.port) != self._origin:
                raise SourceError(
                    f"{self.source}: the server named an address on another host ({parts.hostname}); it was not followed. "
                    f"Check base_url in [sources.{self.source}] of .dlt/config.toml."
                )
            prefix = urlsplit(self.base_url).path.rstrip("/")
            path = parts.path.removeprefix(prefix) if prefix and parts.path.startswith(f"{prefix}/") else parts.path
        else:
            path = parts.path
        return path + (f"?{parts.query}" if parts.query else "")

    def _url(self, path: str) -> str:
        return self.base_url.rstrip("/") + path

    def _call(self, method: str, path: str, limit: str, expected: tuple[int, ...]) -> _Call:
        plain = path.partition("?")[0]
        return _Call(method, plain, f"{self.source}: {method} {plain}", limit, expected)

    def _exchange(
        self,
        call: _Call,
        prepare: Callable[[], requests.PreparedRequest],
        read: Callable[[requests.Response], Result],
        *,
        stream: bool = False,
    ) -> Result:
        """Send until there is an answer that ``read`` takes, within the policy's bounds."""
        failures, first_failure, unreachable, may_renew = 0, 0.0, 0, True
        while True:
            self._wait(self.limits[call.limit].reserve())
            given = self.auth.headers()
            hide(*self.auth.secrets())
            if not all(
                _SENDABLE.fullmatch(value) for value in given.values()
            ):  # the HTTP library's error would show it
                raise ConfigurationError(
                    f"{self.source}: a key or token holds a line break or a character that can't be sent. "
                    f"Copy it again into [sources.{self.source}] of .dlt/secrets.toml, without anything around it."
                )
            outcome = self._try(call, prepare, given, read, stream)
            if not isinstance(outcome, _Failure):
                return outcome.result
            if outcome.is_unauthorised and may_renew and self.auth.renew(given):
                may_renew = False
                continue
            if outcome.refused is not None:
                raise outcome.refused
            failures += 1
            unreachable += outcome.is_unreachable
            now = time.monotonic()
            first_failure = first_failure or now
            wait = outcome.wait
            if wait is None:
                wait = self.policy.backoff(failures)
            elif failures > 1:  # a server that says "Retry-After: 0" for ever must not be hammered
                wait = max(wait, self.policy.backoff(failures - 1))
            is_over = failures >= self.policy.attempts or now + wait - first_failure > self.policy.seconds
            if is_over or unreachable >= self.policy.unreachable_attempts:
                advice = "Run again later; what earlier runs loaded stays."
                if outcome.is_unreachable:
                    advice = (
                        f"Nobody answers at {self._origin[1]}: check the network, and {self.url_setting} in [sources.{self.source}] of "
                        f".dlt/config.toml. {advice}"
                    )
                raise SourceError(
                    f"{call.name} {outcome.problem} ({failures} tries in {now - first_failure:.0f} s; the next would be in {wait:.0f} s). "
                    f"Nothing of this load was kept. {advice}"
                )
            self._wait(wait)

    def _try(
        self,
        call: _Call,
        prepare: Callable[[], requests.PreparedRequest],
        given: Mapping[str, str],
        read: Callable[[requests.Response], Result],
        stream: bool,
    ) -> _Success[Result] | _Failure:
        with self._lock:
            self.sent += 1
        request = prepare()
        request.headers.update(given)
        try:
            session = self._session()
            settings = session.merge_environment_settings(request.url, {}, stream, None, None)
            with session.send(
                request,
                timeout=(self.policy.connect_timeout, self.policy.read_timeout),
                allow_redirects=False,  # the credentials go to the configured host and nowhere else
                **settings,
            ) as response:
                if response.status_code not in call.expected:
                    return self._refused(call, response)
                self.on_answer(response.headers)
                return _Success(read(response))
        except requests.exceptions.SSLError:
            raise SourceError(
                f"{call.name}: the server's certificate is not trusted. Check base_url and the proxy."
            ) from None
        except _Incomplete as error:
            return _Failure(str(error))
        except _CUT as error:
            return _Failure(f"got no complete answer ({type(error).__name__})", is_unreachable=_is_unreachable(error))
        except requests.RequestException as error:
            raise SourceError(f"{call.name} can't be sent ({type(error).__name__}). Check base_url.") from None

    def _document(self, call: _Call, response: requests.Response, kind: Body) -> Any:
        try:
            parsed = json.loads(response.content, parse_constant=str)
        except (ValueError, RecursionError):
            raise _Incomplete(f"answered {response.status_code} with a body that is no complete JSON") from None
        wanted: tuple[type, ...] = {"object": (dict,), "array": (list,), "json": (dict, list)}[kind]
        if not isinstance(parsed, wanted):
            expected = "an object or array" if kind == "json" else f"an {kind}"
            raise SourceError(
                f"{call.name} answered a JSON {type(parsed).__name__}; expected {expected}. Check base_url."
            )
        return parsed

    def _refused(self, call: _Call, response: requests.Response) -> _Failure:
        """What an error answer means: wait and try again, renew the credentials, or give up."""
        try:
            body = json.loads(response.content)
        except (ValueError, RecursionError):
            body = {}
        if isinstance(body, list):
            body = {"errors": body}
        # before anybody shortens it: half a secret would not be recognised
        body = masked_document(body) if isinstance(body, dict) else {}
        reading = self.read_error(response.status_code, call.path, body, response.headers)
        said = " ".join(part for part in (reading.code, self._clean(reading.message)) if part)
        problem = f"answered {response.status_code}" + (f" ({said})" if said else "")
        if (response.status_code not in RETRIED and not reading.is_retried) or reading.is_final:
            wanted = " or ".join(str(code) for code in call.expected)
            advice = reading.advice or "Check the base_url and the API version in .dlt/config.toml."
            message = f"{call.name} {problem}; expected {wanted}. {advice}"
            return _Failure(
                problem,
                refused=Refused(message, response.status_code, reading.code),
                is_unauthorised=response.status_code == 401,
            )
        wait = retry_after(response.headers)
        if wait is None:
            wait = reading.wait
        if response.status_code == 429 and wait is not None and wait <= self.policy.seconds:
            self.limits[call.limit].pause(wait)
        return _Failure(problem, wait)

    def _clean(self, text: str | None) -> str:
        """``text`` of an error body for people: one line, short, without credentials."""
        return masked(" ".join(str(text or "").split()))[:300]

    def _wait(self, seconds: float) -> None:
        if self._stop.wait(seconds) if seconds > 0 else self._stop.is_set():
            raise Stopped(f"{self.source}: stopped.")

    def _session(self) -> requests.Session:
        session = getattr(self._local, "session", None)
        if session is None:
            session = requests.Session()
            session.trust_env = not self._is_local  # no proxy between us and this machine
            session.auth = _no_password
            session.headers.update({"Accept": "application/json", "User-Agent": "salesgauge", **self.headers})
            session.mount("http://", self._adapter)
            session.mount("https://", self._adapter)
            self._local.session = session
        return session


@dataclass(frozen=True)
class _Success(Generic[Result]):
    result: Result


@dataclass(frozen=True)
class _Failure:
    """Why a try came to nothing. ``wait``: the seconds that the server asks for; ``refused``: a retry is of no use."""

    problem: str
    wait: float | None = None
    refused: Refused | None = None
    is_unauthorised: bool = False
    is_unreachable: bool = False


def _no_password(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """An auth callable that does nothing: without one ``~/.netrc`` would add a password, or replace ours."""
    return request


def _is_unreachable(error: requests.RequestException) -> bool:
    """Whether there was no connection at all: refused, an unknown name, no route."""
    if isinstance(error, requests.ConnectTimeout):
        return True
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, NewConnectionError)
