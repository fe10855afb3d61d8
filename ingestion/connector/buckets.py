"""Objects of a bucket (``s3://bucket/prefix``, and what else fsspec has a driver for) as a place of files: listed, copied, errors in words.

What a place is belongs to ``places``. Keys, endpoint and region come from the settings of the source, never from the mapping or from ``~/.aws``.
"""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ingestion.connector.places import ChangingError, Stored
from salesgauge.errors import ConfigurationError, SalesgaugeError, SourceError
from salesgauge.settings import SourceSettings

# scheme → the package with its driver, and what of [sources.<name>] the driver is given: its name for it → ours
_DRIVERS: dict[str, tuple[str, dict[str, str]]] = {
    "s3": ("s3fs", {}),
    "gs": ("gcsfs", {"token": "credentials"}),
    "gcs": ("gcsfs", {"token": "credentials"}),
    "az": ("adlfs", {"account_name": "account_name", "account_key": "account_key"}),
    "abfs": ("adlfs", {"account_name": "account_name", "account_key": "account_key"}),
}
_LOCAL = ("127.0.0.1", "localhost", "::1")
_BLOCK = 16 << 20
_TRIES = 3
_MD5 = re.compile(r"[0-9a-f]{32}")
_WRONG_KEY = frozenset(
    {
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "InvalidToken",
        "ExpiredToken",
        "TokenRefreshRequired",
        "NotSignedUp",
    }
)
_BUSY = frozenset({"SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "500", "502", "503", "504"})
_NO_RIGHT = frozenset({"AccessDenied", "403", "Forbidden", "AllAccessDisabled"})
_WRONG_REGION = frozenset(
    {"PermanentRedirect", "301", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}
)


class Bucket:
    """The objects below a location. Objects are copied to be read, as the version that was listed; copies are removed afterwards.

    ConfigurationError for a location, a key or a driver that is missing or wrong. SourceError where the endpoint can't be read. OSError for one object
    that can't be read: it says nothing of the others.
    """

    def __init__(self, location: str, settings: SourceSettings) -> None:
        check_location(location)
        self._settings, self._source = settings, settings.name
        parts = urlsplit(location)
        self._scheme, self._bucket = parts.scheme, parts.netloc
        self._prefix = parts.path.strip("/")
        self._root = "/".join(part for part in (self._bucket, self._prefix) if part)
        self.words = f"{parts.scheme}://{self._root}"
        self._endpoint = ""
        self._fs = self._filesystem()
        self._is_open = False
        self._found: set[str] = set()
        self._patterns: list[re.Pattern[str]] = []

    def find(self, pattern: str) -> list[Stored]:
        """The objects that ``pattern`` matches, by name."""
        from fsspec.utils import glob_translate

        with self._in_words("list", "s3:ListBucket"):
            self._open()
            infos = self._fs.glob(f"{self._root}/{pattern}", detail=True)
        self._patterns.append(re.compile(glob_translate(pattern)))
        found = [self._object(info) for info in infos.values() if info["type"] == "file"]
        found = sorted((one for one in found if not one.name.endswith("/")), key=lambda one: one.name)
        self._found |= {one.name for one in found}
        return found

    def exists(self, name: str) -> bool:
        """Whether there is such an object. Asked only for a name that no pattern would have found."""
        if name in self._found or any(pattern.match(name) for pattern in self._patterns):
            return name in self._found
        with self._in_words("list", "s3:ListBucket"):
            return bool(self._fs.exists(f"{self._root}/{name}"))

    @contextmanager
    def fetched(self, file: Stored, folder: Path) -> Iterator[tuple[Path, Stored]]:
        """A copy of ``file`` in ``folder``."""
        target = folder / f"object-{uuid.uuid4().hex}"
        try:
            yield target, self._copy(file, target)
        finally:
            target.unlink(missing_ok=True)

    def is_changed(self, file: Stored) -> bool:
        """False: what was read is a whole copy of one version."""
        return False

    def try_reading(self, file: Stored) -> None:
        """Read the first byte of ``file``, to see whether one may."""
        with self._in_words("read", "s3:GetObject"):
            self._fs.cat_file(f"{self._root}/{file.name}", start=0, end=min(1, file.size))

    def close(self) -> None:
        """Close the connections."""
        if self._scheme == "s3" and getattr(self._fs, "_s3creator", None) is not None:
            self._fs.close_session(self._fs.loop, self._fs._s3creator)

    def _open(self) -> None:
        """One cheap request that tells a bucket which is not there, or closed to us, from one that is empty."""
        if self._is_open:
            return
        if self._scheme == "s3":
            prefix = f"{self._prefix}/" if self._prefix else ""
            self._fs.call_s3("list_objects_v2", Bucket=self._bucket, Prefix=prefix, MaxKeys=1)
        else:
            self._fs.ls(self._bucket)
        self._is_open = True

    def _object(self, info: dict[str, Any]) -> Stored:
        etag = info.get("ETag") or info.get("etag")
        at = info.get("LastModified") or info.get("last_modified") or info.get("mtime") or info.get("updated")
        moment = datetime.fromisoformat(at) if isinstance(at, str) else at
        modified = round(moment.timestamp() * 1_000_000) * 1_000 if isinstance(moment, datetime) else 0
        name = info["name"].removeprefix(f"{self._root}/")
        return Stored(name, int(info["size"]), modified, str(etag).strip('"') if etag else None)

    def _copy(self, file: Stored, target: Path) -> Stored:
        """Copy the object as it was listed; one that became another meanwhile is looked up and copied again, a few times."""
        problem = ""
        for attempt in range(_TRIES):
            with self._in_words("read", "s3:GetObject"):
                if attempt:
                    self._fs.invalidate_cache()
                    file = self._object(self._fs.info(f"{self._root}/{file.name}"))
                try:
                    problem = self._copied(file, target)
                except OSError as error:
                    if not _is_another(error):
                        raise
                    problem = "it changes while it is read"
            if not problem:
                return file
        raise ChangingError(f"{problem} ({_TRIES} times); the next run reads it again")

    def _copied(self, file: Stored, target: Path) -> str:
        """Copy one version; what is wrong with the copy, or nothing."""
        digest = hashlib.md5(usedforsecurity=False)
        size = 0
        # with an etag the server refuses every part of another version
        source = self._fs.open(f"{self._root}/{file.name}", "rb", block_size=_BLOCK, cache_type="none")
        with source, target.open("wb") as copy:
            now = self._object(source.details)
            # a listing and an object's own answer may round its time differently
            if (now.size, now.etag) != (file.size, file.etag) or (file.etag is None and now.mtime_ns != file.mtime_ns):
                return "it changes while it is read"
            while size < file.size and (block := source.read(_BLOCK)):
                copy.write(block)
                digest.update(block)
                size += len(block)
        if size != file.size:
            return f"{size:,} of {file.size:,} bytes arrived"
        is_md5 = self._scheme == "s3" and _MD5.fullmatch(file.etag or "")
        if is_md5 and digest.hexdigest() != file.etag and not self._is_encrypted(file):
            return "it arrived damaged: it does not have the hash that the bucket gives"
        return ""

    def _is_encrypted(self, file: Stored) -> bool:
        """Whether the object is encrypted with a key of its own: then its etag looks like a hash of its content, and is none."""
        key = "/".join(part for part in (self._prefix, file.name) if part)
        head = self._fs.call_s3("head_object", Bucket=self._bucket, Key=key)
        return head.get("ServerSideEncryption") not in (None, "AES256") or bool(head.get("SSECustomerAlgorithm"))

    def _filesystem(self) -> Any:
        import fsspec

        package, given = _DRIVERS[self._scheme]
        try:
            kind = fsspec.get_filesystem_class(self._scheme)
        except ImportError:
            raise ConfigurationError(
                f"{self._source}: no driver for {self._scheme}:// is installed. Install the package {package} into the environment of Salesgauge."
            ) from None
        options = self._s3_options() if self._scheme == "s3" else {}
        options |= {theirs: self._settings.secret(ours) for theirs, ours in given.items()}
        return kind(skip_instance_cache=True, **options)

    def _s3_options(self) -> dict[str, Any]:
        from aiobotocore.session import AioSession

        settings = self._settings
        endpoint = settings.get("endpoint_url") or None
        self._endpoint = _host(self._source, endpoint)
        is_public = str(settings.get("anonymous", "")).lower() == "true"
        keys = {} if is_public else {"key": settings.secret("aws_access_key_id"), "secret": settings.secret("aws_secret_access_key")}  # fmt: skip
        token = settings.optional_secret("aws_session_token")
        # what the company directory says, and nothing of ~/.aws: another user's run would else do something else
        session = AioSession(
            session_vars={
                "config_file": (None, None, os.devnull, None),
                "credentials_file": (None, None, os.devnull, None),
                "profile": (None, None, None, None),
            }
        )
        config: dict[str, Any] = {
            "connect_timeout": 10,
            "read_timeout": 60,
            "retries": {"total_max_attempts": 2, "mode": "standard"},
            "ignore_configured_endpoint_urls": True,
            "request_checksum_calculation": "when_required",
            "response_checksum_validation": "when_required",
        }
        if endpoint:
            config["s3"] = {"addressing_style": "path"}  # the bucket's name is no part of the host
        if urlsplit(endpoint or "").hostname in _LOCAL:
            config["proxies"] = {}  # no proxy between us and this machine
        return {
            **keys,
            "anon": is_public,
            "token": token,
            "endpoint_url": endpoint,
            "client_kwargs": {"region_name": str(settings.get("region") or "us-east-1")},
            "config_kwargs": config,
            "session": session,
        }

    @contextmanager
    def _in_words(self, doing: str, right: str) -> Iterator[None]:
        try:
            yield
        except (SalesgaugeError, ChangingError, FileNotFoundError) as error:
            if isinstance(error, FileNotFoundError) and _code(error) == "NoSuchBucket":
                raise self._explained(error, doing, right) from None
            raise
        except Exception as error:  # each driver, and the library below it, has errors of its own
            if isinstance(error, OSError) and _is_another(error):
                raise
            raise self._explained(error, doing, right) from None

    def _explained(self, error: BaseException, doing: str, right: str) -> SalesgaugeError | OSError:
        code, section = _code(error), f"[sources.{self._source}]"
        what = f"{self._source}: {self.words} can't be {doing.replace('list', 'listed')}"
        if code in _WRONG_KEY:
            return ConfigurationError(
                f"{what}: the key is not accepted ({code}). Check 'aws_access_key_id' and 'aws_secret_access_key' under {section} in .dlt/secrets.toml."
            )
        if code == "NoSuchBucket":
            return ConfigurationError(
                f"{what}: there is no bucket '{self._bucket}' at {self._endpoint}. Check the location, and 'endpoint_url' and 'region' in {section} of .dlt/config.toml."
            )
        if code in _WRONG_REGION:
            return ConfigurationError(
                f"{what}: the bucket is in another region ({code}). Set 'region' in {section} of .dlt/config.toml."
            )
        if doing == "read" and code == "InvalidObjectState":
            return OSError(f"it is in an archive ({code}): restore it, or leave it out of the pattern")
        if doing == "read" and (code in _NO_RIGHT or isinstance(error, PermissionError)):
            return OSError(
                f"the key has no right to {doing} it ({code or 'refused'}): grant {right} on it, or check the key"
            )
        if doing == "read" and code and code not in _BUSY:
            return OSError(f"the bucket refuses it ({code})")
        if code in _NO_RIGHT or isinstance(error, PermissionError):
            return ConfigurationError(
                f"{what}: the key has no right to {doing} it ({code or 'refused'}). Grant {right} on it, or check the key and the location."
            )
        if not code and _is_unreachable(error):
            return SourceError(
                f"{what}: {self._endpoint or 'its endpoint'} does not answer ({type(_innermost(error)).__name__}). "
                f"Check 'endpoint_url' in {section} of .dlt/config.toml, and the network. What earlier runs loaded stays."
            )
        return SourceError(
            f"{what}: {code or type(error).__name__}. What earlier runs loaded stays; run again later, or check {section}."
        )


def check_location(location: str) -> None:
    """ValueError with what is wrong with the address of a bucket."""
    parts = urlsplit(location)
    if parts.scheme not in _DRIVERS:
        raise ValueError(f"must begin with one of: {', '.join(f'{scheme}://' for scheme in _DRIVERS)}")
    if not parts.netloc or "@" in parts.netloc or ":" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(
            "must look like s3://bucket/prefix; keys belong into .dlt/secrets.toml, an endpoint into .dlt/config.toml"
        )
    if any(character in location for character in "*?[]"):
        raise ValueError("can't hold *, ? or brackets; patterns belong into `path`")


def is_location(text: str) -> bool:
    """Whether ``text`` is the address of a bucket and not a folder."""
    return "://" in text


def _host(source: str, endpoint: str | None) -> str:
    """The host of the endpoint, in words; ConfigurationError for one that would show the data to the network."""
    if not endpoint:
        return "Amazon S3"
    parts = urlsplit(str(endpoint))
    is_local = parts.hostname in _LOCAL
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.query:
        raise ConfigurationError(
            f"{source}: endpoint_url must look like https://s3.example.com. Correct it in [sources.{source}] of .dlt/config.toml."
        )
    if parts.scheme == "http" and not is_local:
        raise ConfigurationError(
            f"{source}: endpoint_url is plain http, which would show the data to the network. "
            f"Use https in [sources.{source}] of .dlt/config.toml; http is for this machine only."
        )
    return parts.netloc


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def _innermost(error: BaseException) -> BaseException:
    return error.__cause__ or error


def _code(error: BaseException) -> str:
    """The service's own code of an error, or nothing."""
    for one in _chain(error):
        response = getattr(one, "response", None)
        if isinstance(response, dict):
            return str((response.get("Error") or {}).get("Code") or "")
    return ""


def _is_another(error: OSError) -> bool:
    """Whether the server said that the object is not the version that was asked for."""
    return type(error).__name__ == "FileExpired" or _code(error) in ("PreconditionFailed", "412")


def _is_unreachable(error: BaseException) -> bool:
    return any(
        isinstance(one, ConnectionError | TimeoutError)
        or any(kind.__name__ in ("HTTPClientError", "ClientError") and kind.__module__.startswith(("botocore", "aiohttp")) for kind in type(one).__mro__)
        for one in _chain(error)
    )  # fmt: skip
