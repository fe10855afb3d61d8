"""The GA4 Data API: credentials, quotas, and a report of one day as rows. Which days are read belongs to ``run``."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from ingestion.http.answers import ErrorReading
from ingestion.http.auth import Auth, RefreshToken, TokenStore, service_account
from ingestion.http.client import HttpClient
from ingestion.http.limits import RateLimit, RetryPolicy
from ingestion.landing.spool import dumps
from ingestion.sources.ga4_data.tables import SOURCE, Report
from salesgauge.errors import ConfigurationError, SourceError
from salesgauge.settings import SourceSettings

_BASE_URL, _TOKEN_URL = "https://analyticsdata.googleapis.com", "https://oauth2.googleapis.com/token"
_SCOPE = "https://www.googleapis.com/auth/analytics.readonly"
_CONCURRENT_SECONDS, _HOURLY_SECONDS = 30.0, 1800.0  # how long others wait for these quotas
_MOST_ROWS = 250_000  # of a page
_TRIES = 3


class Quota:
    """What the property still allows. ``longest_wait``: seconds that one sync may wait for it in all; ``keep``: tokens a day left to others.

    ``ended`` says in words why no more may be asked, once that is so.
    """

    def __init__(self, longest_wait: float, keep: int) -> None:
        self.ended: str | None = None
        self.tokens_left: int | None = None
        self._allowed, self._keep = longest_wait, keep
        self._until = 0.0
        self._lock = threading.Lock()

    def refused(self, message: str) -> ErrorReading:
        """What a 429 with ``message`` means: how long to wait, or that waiting is of no use in this sync."""
        text = message.lower()
        if "per day" in text or "daily" in text:
            self.ended = "the property's quota for the day is used up"
        elif "concurrent" in text:
            if self._may_wait(_CONCURRENT_SECONDS):
                return ErrorReading("RESOURCE_EXHAUSTED", message, wait=_CONCURRENT_SECONDS)
            self.ended = "others ask the property for too much at the same time"
        elif "per hour" in text or "thresholded" in text:
            if self._may_wait(_HOURLY_SECONDS):
                return ErrorReading("RESOURCE_EXHAUSTED", message, wait=_HOURLY_SECONDS)
            self.ended = "the property's quota for the hour is used up"
        else:
            return ErrorReading("RESOURCE_EXHAUSTED", message)
        return ErrorReading("RESOURCE_EXHAUSTED", message, f"{self.ended}; run again later.", is_final=True)

    def answered(self, quota: Mapping[str, Any]) -> None:
        """Note what an answer says is left."""
        left = (quota.get("tokensPerDay") or {}).get("remaining", 0 if "tokensPerDay" in quota else None)
        if isinstance(left, int):
            self.tokens_left = left
            if left <= self._keep:
                self.ended = f"the property has {left:,} tokens left for the day" + (f", and {self._keep:,} are kept for others" if self._keep else "")  # fmt: skip

    def _may_wait(self, seconds: float) -> bool:
        """Whether the sync may wait so long; threads that are refused at the same time wait once."""
        with self._lock:
            now = time.monotonic()
            more = max(0.0, now + seconds - max(now, self._until))
            if more > self._allowed:
                return False
            self._allowed -= more
            self._until = max(self._until, now + seconds)
            return True


@dataclass(frozen=True)
class Day:
    """A report of one day: its ``rows`` under the API's names, cast by type, and the answer's ``metadata``."""

    report: Report
    day: date
    rows: list[dict[str, Any]]
    metadata: Mapping[str, Any]

    def record(self, property_id: str) -> dict[str, Any]:
        """The row of ``days``: what is to be known of the numbers, and a hash that is the same if and only if all of it is the same."""
        metadata = dict(self.metadata)
        restrictions = (metadata.get("schemaRestrictionResponse") or {}).get("activeMetricRestrictions")
        lines = "\n".join([*sorted(dumps(row) for row in self.rows), dumps(metadata)])
        return {
            "property_id": property_id,
            "report": self.report.name,
            "date": f"{self.day:%Y%m%d}",
            "row_count": len(self.rows),
            "digest": hashlib.md5(lines.encode(), usedforsecurity=False).hexdigest(),
            "is_thresholded": bool(metadata.get("subjectToThresholding")),
            "is_sampled": bool(metadata.get("samplingMetadatas")),
            "has_other_row": bool(metadata.get("dataLossFromOtherRow")),
            "is_truncated": bool(metadata.get("dataTruncationReasons")),
            "is_restricted": bool(restrictions),
            "time_zone": metadata.get("timeZone"),
            "currency": metadata.get("currencyCode"),
            "metadata": metadata,
        }


@dataclass
class Api:
    """Reports of one property."""

    client: HttpClient
    quota: Quota
    property_id: str
    page_size: int = 10_000
    _path: str = field(init=False)

    def __post_init__(self) -> None:
        self._path = f"/v1beta/properties/{self.property_id}"

    def see(self) -> None:
        """A cheap request that needs the right to read the property."""
        self.client.get(f"{self._path}/metadata")

    def day(self, report: Report, day: date) -> Day:
        """All rows of ``report`` of ``day``. SourceError where it changes each time while it is paged, and what ``HttpClient.send`` raises."""
        for _ in range(_TRIES):
            found = self._day(report, day)
            if found is not None:
                return found
        raise SourceError(
            f"{SOURCE}: {report.name} of {day} changed {_TRIES} times while it was read page by page. Run again later."
        )

    def page(self, report: Report, day: date, offset: int = 0, limit: int | None = None) -> Mapping[str, Any]:
        """The answer to one request."""
        names = ["date", *report.dimensions.values()]
        body = {
            "dateRanges": [{"startDate": day.isoformat(), "endDate": day.isoformat()}],
            "dimensions": [{"name": name} for name in names],
            "metrics": [{"name": theirs} for theirs, _ in report.metrics.values()],
            "orderBys": [{"dimension": {"dimensionName": name}} for name in names],  # else pages may overlap
            "limit": str(limit or self.page_size),
            "offset": str(offset),
            "returnPropertyQuota": True,
        }
        answer: Mapping[str, Any] = self.client.post(f"{self._path}:runReport", body).body
        self.quota.answered(answer.get("propertyQuota") or {})
        return answer

    def _day(self, report: Report, day: date) -> Day | None:
        """The rows, or None where pages do not fit together."""
        rows: list[dict[str, Any]] = []
        metadata: Mapping[str, Any] = {}
        total: int | None = None
        while total is None or len(rows) < total:
            answer = self.page(report, day, len(rows))
            count = int(answer.get("rowCount") or 0)
            page = _named(report, day, answer)
            if (total is not None and count != total) or (count > len(rows) and not page):
                return None
            total, metadata = count, {**metadata, **(answer.get("metadata") or {})}
            rows += [{"property_id": self.property_id, **row} for row in page]
        keys = {tuple(row[name] for name in report.dimensions.values()) for row in rows}
        return Day(report, day, rows, metadata) if len(keys) == len(rows) == total else None


def connect(settings: SourceSettings, policy: RetryPolicy | None = None) -> Api:
    """The property's reports; ConfigurationError for a missing setting or key."""
    property_id = str(settings.require("property_id")).removeprefix("properties/")
    if not property_id.isdigit():
        raise ConfigurationError(
            f".dlt/config.toml: [sources.{SOURCE}] property_id = {property_id!r}; expected the number of the GA4 property "
            "(Admin → Property details), not a measurement id such as G-…."
        )
    longest = settings.number("longest_wait_minutes", 35) * 60
    quota = Quota(longest, _tokens(settings))

    def read_error(status: int, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> ErrorReading:
        found = body.get("error")
        error = found if isinstance(found, dict) else {}
        code, message = str(error.get("status") or "") or None, str(error.get("message") or "")
        if status == 429:
            return quota.refused(message)
        return ErrorReading(code, message or None, _advice(status, property_id))

    client = HttpClient(
        source=SOURCE,
        base_url=str(settings.get("base_url", _BASE_URL)),
        auth=_auth(settings),
        limits={"default": RateLimit(settings.number("requests_per_second", 50), 1.0)},
        read_error=read_error,
        policy=policy or RetryPolicy(attempts=4, seconds=longest + 300, first_wait=2.0),
    )
    return Api(client, quota, property_id, min(_MOST_ROWS, int(settings.number("page_size", 10_000))))


def _tokens(settings: SourceSettings) -> int:
    """How many tokens a day are left to others."""
    given = settings.get("keep_tokens", 0)
    if not str(given).isdigit():
        raise ConfigurationError(f".dlt/config.toml: [sources.{SOURCE}] keep_tokens = {given!r}; expected 0 or more.")
    return int(given)


def _advice(status: int, property_id: str) -> str:
    if status == 401:
        return f"Google does not accept the token. Check the key under [sources.{SOURCE}] in .dlt/secrets.toml."
    if status in (403, 404):
        return (
            f"The account may not read property {property_id}. Add its e-mail address as Viewer (Admin → Property access management), enable the "
            f"Google Analytics Data API in its project, and check property_id in [sources.{SOURCE}] of .dlt/config.toml."
        )
    return f"Check base_url in [sources.{SOURCE}] of .dlt/config.toml."


def _auth(settings: SourceSettings) -> Auth:
    """A service account's key, or a refresh token of a user who may read the property."""
    token_url = str(settings.get("token_url", _TOKEN_URL))
    refresh = settings.optional_secret("refresh_token")
    if refresh:
        return RefreshToken(
            SOURCE,
            token_url,
            refresh_token=refresh,
            form={"client_id": settings.secret("client_id"), "client_secret": settings.secret("client_secret")},
            store=TokenStore(settings),
        )
    given = settings.secrets.get("service_account")
    text = json.dumps(dict(given)) if isinstance(given, Mapping) else settings.secret("service_account")
    return service_account(SOURCE, token_url, text, _SCOPE)


def _named(report: Report, day: date, answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of an answer under the names of its headers. They come by position, in the order of the headers; every value is text."""
    dimensions = [str(header.get("name")) for header in answer.get("dimensionHeaders") or []]
    metrics = [(str(header.get("name")), str(header.get("type") or "")) for header in answer.get("metricHeaders") or []]
    rows = []
    for row in answer.get("rows") or []:
        values = [cell.get("value") for cell in row.get("dimensionValues") or []]
        numbers = [cell.get("value") for cell in row.get("metricValues") or []]
        if len(values) != len(dimensions) or len(numbers) != len(metrics):
            raise SourceError(
                f"{SOURCE}: a row of {report.name} of {day} does not fit its headers. Report it to Google."
            )
        named = dict(zip(dimensions, values, strict=True))
        named |= {name: cast(value, kind) for (name, kind), value in zip(metrics, numbers, strict=True)}
        rows.append(named)
    wanted = {"date", *report.dimensions.values(), *(theirs for theirs, _ in report.metrics.values())}
    missing = sorted(wanted - {*dimensions, *(name for name, _ in metrics)})
    if rows and missing:
        raise SourceError(
            f"{SOURCE}: {report.name} of {day} came without '{missing[0]}'. Check base_url and the API's version."
        )
    if any(row["date"] != f"{day:%Y%m%d}" for row in rows):
        raise SourceError(f"{SOURCE}: {report.name} of {day} came with rows of another day. Check base_url.")
    return rows


def cast(value: Any, kind: str) -> Any:
    """A metric's text as a number, by the type that its header gives; text that is none, or of a type unknown here, stays as it is.

    Money stays text in plain notation: as a float it would lose its last digits.
    """
    if not isinstance(value, str) or not kind.startswith("TYPE_"):
        return value
    try:
        exact = Decimal(value)
    except InvalidOperation:
        return value
    if not exact.is_finite():
        return value
    if kind == "TYPE_CURRENCY":
        return format(exact, "f")
    return int(exact) if exact == exact.to_integral_value() and abs(exact) < 10**18 else float(exact)
