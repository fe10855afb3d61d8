"""Credentials of a source: what goes into the headers of a request, and how they are renewed. Settings and secrets are read by the caller."""

from __future__ import annotations

import base64
import json
import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import requests
from filelock import FileLock

from salesgauge.errors import ConfigurationError, SourceError
from salesgauge.masking import hide, masked
from salesgauge.settings import SourceSettings

_EARLY = 60.0  # seconds before its end at which a token is renewed
_TIMEOUT = (10.0, 60.0)
_SECRET = frozenset(
    {"client_secret", "refresh_token", "assertion", "password", "code"}
)  # what is posted and must not be shown
_RETRIED = frozenset({429, 500, 502, 503, 504})


class Auth(Protocol):
    """Credentials for all threads of one source."""

    def headers(self) -> Mapping[str, str]:
        """The headers of the next request; may ask for a token first."""
        ...

    def renew(self, refused: Mapping[str, str]) -> bool:
        """After a 401 to a request with the headers ``refused``: whether there are other credentials now."""
        ...

    def secrets(self) -> tuple[str, ...]:
        """Texts that must not be shown."""
        ...


class Headers:
    """Fixed headers, such as an application's key."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = dict(headers)

    def headers(self) -> Mapping[str, str]:
        """The headers."""
        return self._headers

    def renew(self, refused: Mapping[str, str]) -> bool:
        """False: there is nothing to renew."""
        return False

    def secrets(self) -> tuple[str, ...]:
        """The values, also without the word before them (``Bearer abc`` → ``abc``)."""
        values = self._headers.values()
        return (*values, *(value.rpartition(" ")[2] for value in values))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***)"


class Bearer(Headers):
    """A token that does not change."""

    def __init__(self, token: str) -> None:
        super().__init__({"Authorization": f"Bearer {token}"})


class Basic(Headers):
    """A user and a password, or an API key and its secret."""

    def __init__(self, user: str, password: str) -> None:
        self._password = password
        super().__init__({"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"})

    def secrets(self) -> tuple[str, ...]:
        """The password too, not only its encoded form."""
        return (*super().secrets(), self._password)


class Pair:
    """Two credentials at once, such as a token and an application's key."""

    def __init__(self, first: Auth, second: Auth) -> None:
        self._both = (first, second)

    def headers(self) -> Mapping[str, str]:
        """The headers of both."""
        return {name: value for one in self._both for name, value in one.headers().items()}

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Whether one of them could be renewed."""
        first, second = (one.renew(refused) for one in self._both)  # both, even where the first is enough
        return first or second

    def secrets(self) -> tuple[str, ...]:
        """Those of both."""
        return tuple(text for one in self._both for text in one.secrets())


class _Token(ABC):
    """A token that a server gives for a while. Threads share it: one asks, the others wait for the answer."""

    def __init__(self, source: str, token_url: str, session: Callable[[], requests.Session] = requests.Session) -> None:
        self.source, self.token_url = source, token_url
        self.answer: Mapping[str, Any] = {}
        self._lock = threading.RLock()
        self._token = ""
        self._ends = float("inf")
        self._session = session
        _check_url(source, token_url)

    def headers(self) -> Mapping[str, str]:
        """The bearer header; asks for a token where there is none, or where it is about to end."""
        with self._lock:
            if not self._token or time.monotonic() > self._ends - _EARLY:
                self._ask()
            return {"Authorization": f"Bearer {self._token}"}

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Ask anew, unless another thread did since the refused request."""
        with self._lock:
            if refused.get("Authorization") == f"Bearer {self._token}":
                self._ask()
            return True

    def secrets(self) -> tuple[str, ...]:
        """The current token."""
        return (self._token,) if self._token else ()

    @abstractmethod
    def _ask(self) -> None:
        """Get a token; ends with ``_take``."""

    def _take(self, answer: Mapping[str, Any], default_seconds: float | None) -> None:
        token = answer.get("access_token")
        if not isinstance(token, str) or not token:
            raise SourceError(
                f"{self.source}: the token server answered without an access_token. Check the token address in .dlt/config.toml."
            )
        seconds = answer.get("expires_in")
        try:
            lasts = float(seconds) if seconds is not None else default_seconds
        except (TypeError, ValueError):
            lasts = default_seconds
        self.answer, self._token = dict(answer), token
        hide(token)
        # A token that lasts no longer than the margin would be asked for with every request.
        self._ends = time.monotonic() + max(lasts, 2 * _EARLY) if lasts is not None else float("inf")

    def _post(self, form: Mapping[str, str], headers: Mapping[str, str]) -> Mapping[str, Any]:
        """The token server's answer; SourceError with its words where it refuses, ConfigurationError where the credentials are wrong."""
        call = f"{self.source}: POST {urlsplit(self.token_url).path}"
        hide(*(value for key, value in form.items() if key in _SECRET))
        problem = ""
        for attempt in range(4):
            if attempt:
                time.sleep(2.0 ** (attempt - 1) / 2)
            try:
                with self._session() as session:
                    session.trust_env = urlsplit(self.token_url).scheme == "https"
                    response = session.post(
                        self.token_url,
                        data=dict(form),
                        headers={"Accept": "application/json", **headers},
                        timeout=_TIMEOUT,
                        allow_redirects=False,
                        auth=_no_netrc,
                    )
            except requests.RequestException as error:
                problem = f"got no answer ({type(error).__name__})"
                continue
            if response.status_code in _RETRIED:
                problem = f"answered {response.status_code}"
                continue
            body = _json(response)
            if response.status_code != 200:
                said = " ".join(str(body[key]) for key in ("error", "error_description", "message") if body.get(key))
                said = masked(said)
                raise ConfigurationError(
                    f"{call} refused the credentials with {response.status_code}{f' ({said[:200]})' if said else ''}. "
                    f"Check them under [sources.{self.source}] in .dlt/secrets.toml."
                )
            return body
        raise SourceError(
            f"{call} {problem}. Nothing of this load was kept; run again later, or check the network and the token address "
            f"({urlsplit(self.token_url).hostname}) in [sources.{self.source}] of .dlt/config.toml."
        )


class ClientCredentials(_Token):
    """OAuth client credentials and the like: ``form`` (with ``grant_type``) is posted whenever a token is needed."""

    def __init__(
        self,
        source: str,
        token_url: str,
        form: Mapping[str, str] | Callable[[], Mapping[str, str]],
        *,
        headers: Mapping[str, str] | None = None,
        lasts: float | None = None,
    ) -> None:
        super().__init__(source, token_url)
        self._form, self._headers, self._lasts = form, dict(headers or {}), lasts

    def _ask(self) -> None:
        form = self._form() if callable(self._form) else self._form
        self._take(self._post(form, self._headers), self._lasts)

    def secrets(self) -> tuple[str, ...]:
        """The token, and what was posted for it."""
        form = {} if callable(self._form) else self._form
        return (*super().secrets(), *(value for key, value in form.items() if "secret" in key or key == "assertion"))


_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_ASSERTION_SECONDS = 3600


def service_account(source: str, token_url: str, key: str, scope: str) -> ClientCredentials:
    """A service account of Google: a JWT signed with its key is exchanged for a token. ``key``: the JSON text of its key file.

    ConfigurationError where it is no such key. The token address is the configured one, whatever the key names.
    """
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        account = json.loads(key)
        email = str(account["client_email"])
        private = load_pem_private_key(account["private_key"].encode(), password=None)
    except (ValueError, TypeError, KeyError, AttributeError):
        private = None
    if not isinstance(private, RSAPrivateKey):
        raise ConfigurationError(
            f".dlt/secrets.toml: 'service_account' of [sources.{source}] is no key of a service account. "
            "Paste the whole JSON file (with client_email and private_key) between triple single quotes."
        )
    signing = private

    def form() -> Mapping[str, str]:
        now = int(time.time())
        claims = {"iss": email, "scope": scope, "aud": token_url, "iat": now, "exp": now + _ASSERTION_SECONDS}
        header = {"alg": "RS256", "typ": "JWT", "kid": account.get("private_key_id")}
        signed = ".".join(_base64url(json.dumps(part).encode()) for part in (header, claims))
        signature = signing.sign(signed.encode(), PKCS1v15(), hashes.SHA256())
        return {"grant_type": _GRANT, "assertion": f"{signed}.{_base64url(signature)}"}

    return ClientCredentials(source, token_url, form, lasts=_ASSERTION_SECONDS)


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class TokenStore:
    """The newest refresh token of a source, in ``var/credentials/<source>.json``. Some vendors give a new one with every use and kill the old."""

    def __init__(self, settings: SourceSettings) -> None:
        self._file = settings.credentials_file

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """While one process has it, others wait: a token that dies with its use must be read, used and replaced by one of them at a time."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{self._file}.lock"):
            yield

    def load(self) -> Mapping[str, Any]:
        """What was saved last; empty where nothing was."""
        try:
            found = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def save(self, values: Mapping[str, Any]) -> None:
        """Keep ``values``, on the disk before this returns, readable by the owner only."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(f"{self._file}.new")
        beside.unlink(missing_ok=True)
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(dict(values), file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._file)


class RefreshToken(_Token):
    """OAuth with a refresh token. ``refresh_token`` is the one that people put into secrets.toml; a newer one of the store wins while the
    configured one is the same as when it was stored.
    """

    def __init__(
        self,
        source: str,
        token_url: str,
        *,
        refresh_token: str,
        form: Mapping[str, str],
        store: TokenStore,
        headers: Mapping[str, str] | None = None,
        lasts: float | None = None,
    ) -> None:
        super().__init__(source, token_url)
        self._given, self._form, self._store = refresh_token, dict(form), store
        self._headers, self._lasts = dict(headers or {}), lasts
        self._refresh = self._newest() or refresh_token

    def _newest(self) -> str | None:
        """The stored token. A person who writes a new one into secrets.toml means it: then what was stored is of no use."""
        saved = self._store.load()
        return str(saved["refresh_token"]) if saved.get("given") == _mark(self._given) else None

    def _ask(self) -> None:
        with self._store.exclusive():
            self._refresh = self._newest() or self._refresh  # another process, such as a check, may have used ours up
            answer = self._post(
                {"grant_type": "refresh_token", "refresh_token": self._refresh, **self._form}, self._headers
            )
            newer = answer.get("refresh_token")
            if isinstance(newer, str) and newer and newer != self._refresh:
                self._store.save({"refresh_token": newer, "given": _mark(self._given)})
                self._refresh = newer
        self._take(answer, self._lasts)

    def secrets(self) -> tuple[str, ...]:
        """The tokens and the client's secret."""
        hidden = (value for key, value in self._form.items() if "secret" in key)
        return (*super().secrets(), self._given, self._refresh, *hidden)


def _mark(token: str) -> str:
    import hashlib

    return hashlib.sha256(token.encode()).hexdigest()[:16]


def _check_url(source: str, url: str) -> None:
    parts = urlsplit(url)
    is_local = parts.hostname in ("127.0.0.1", "localhost", "::1")
    if parts.scheme not in ("http", "https") or not parts.hostname or (parts.scheme == "http" and not is_local):
        raise ConfigurationError(
            f"{source}: the token address must be https (http only for this machine). Correct it in [sources.{source}] of .dlt/config.toml."
        )


def _no_netrc(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """An auth callable that does nothing: else ``~/.netrc`` would add a password."""
    return request


def _json(response: requests.Response) -> dict[str, Any]:
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}
