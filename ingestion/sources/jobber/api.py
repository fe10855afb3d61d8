"""Jobber's GraphQL API: credentials, the schema of the version, queries page by page within the budget of points. What is read is in ``run``."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from typing import Any

from ingestion.http.answers import ErrorReading, Refused
from ingestion.http.auth import RefreshToken, TokenStore
from ingestion.http.client import HttpClient
from ingestion.http.limits import RateLimit, RetryPolicy
from ingestion.http.paging import pages
from ingestion.http.steady import Seen
from ingestion.sources.jobber.tables import SOURCE, Listing, offered, text
from salesgauge.errors import SourceError
from salesgauge.settings import SourceSettings

_LOG = logging.getLogger(__name__)
_PATH = "/api/graphql"
_VERSION = "2026-04-13"
_MOST_WAITS, _LONGEST_WAIT = 20, 60.0
_TYPES = "query Types { __schema { types { name fields { name type { name ofType { name ofType { name ofType { name } } } } } } } }"


class JobberApi:
    """Queries over one ``HttpClient``. One at a time: an account has one budget of points."""

    def __init__(self, client: HttpClient, page_size: int) -> None:
        self.client, self._page_size = client, page_size
        self._types: dict[str, dict[str, str]] = {}
        self._said: set[str] = set()

    def schema(self) -> Mapping[str, Mapping[str, str]]:
        """Type → field → the type of its values, as this version of the API has them; asked for once."""
        if not self._types:
            found = self.query(_TYPES, {})["__schema"]["types"]
            self._types = {
                one["name"]: {field["name"]: _innermost(field["type"]) for field in one["fields"] or []}
                for one in found
            }
        return self._types

    def fields(self, listing: Listing) -> str:
        """What can be asked for of ``listing``. SourceError where this version lacks a field that is needed."""
        kept = offered(listing.fields, listing.type, self.schema())
        if lacking := listing.needed - kept.keys():
            raise SourceError(
                f"{SOURCE}: this version of the API has no {listing.type}.{', '.join(sorted(lacking))}. "
                f"Set another api_version in [sources.{SOURCE}] of .dlt/config.toml."
            )
        if left_out := listing.fields.keys() - kept.keys() - self._said:
            self._said |= left_out
            _LOG.info("%s: this version has no %s of %s", SOURCE, ", ".join(sorted(left_out)), listing.type)
        return text(kept)

    def read(
        self,
        listing: Listing,
        *,
        filters: Mapping[str, Any] | None = None,
        sort: str = "",
        page_size: int = 0,
        seen: Seen | None = None,
    ) -> Iterator[list[dict[str, Any]]]:
        """The pages of a listing. ``sort`` is GraphQL, such as ``sort: [{key: UPDATED_AT, direction: DESCENDING}]``; ``seen`` notes what came."""
        declared = f", $filter: {listing.filter}" if filters else ""
        arguments = [
            "first: $first",
            "after: $after",
            *(["filter: $filter"] if filters else []),
            *([sort] if sort else []),
        ]
        query = (
            f"query {listing.table_name.title()}($first: Int!, $after: String{declared}) {{ {listing.name}({', '.join(arguments)}) "
            f"{{ nodes {{ {self.fields(listing)} }} pageInfo {{ endCursor hasNextPage }}{self._total(listing)} }} }}"
        )

        def fetch(after: str | None) -> tuple[list[dict[str, Any]], str | None]:
            variables: dict[str, Any] = {"first": page_size or self._page_size, "after": after}
            if filters:
                variables["filter"] = filters
            found = self.query(query, variables).get(listing.name)
            info = found.get("pageInfo") if isinstance(found, dict) else None
            if not isinstance(found, dict) or not isinstance(info, dict) or not isinstance(found.get("nodes"), list):
                raise SourceError(f"{SOURCE}: {listing.name} answered without nodes and pageInfo. Nothing was kept.")
            following = info.get("endCursor") if info.get("hasNextPage") else None
            if info.get("hasNextPage") and not following:
                raise SourceError(f"{SOURCE}: {listing.name} has a next page but names no cursor. Nothing was kept.")
            if seen is not None:
                seen.page((one.get("id") for one in found["nodes"] if isinstance(one, dict)), found.get("totalCount"))
            return found["nodes"], following

        yield from pages(fetch, f"{SOURCE}: {listing.name}")

    def _total(self, listing: Listing) -> str:
        """How to ask for the number of records, where this version tells it."""
        connection = self.schema().get("Query", {}).get(listing.name, "")
        return " totalCount" if "totalCount" in self.schema().get(connection, {}) else ""

    def query(self, query: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """The data of a query. Refused (403) where a scope is missing, SourceError for any other error: data beside errors is not whole."""
        for waits in range(_MOST_WAITS):
            body = self.client.post(_PATH, {"query": query, "variables": dict(variables)}).body
            errors = [one for one in body.get("errors") or [] if isinstance(one, dict)]
            codes = {str((one.get("extensions") or {}).get("code")) for one in errors}
            if "THROTTLED" in codes:
                time.sleep(_pause(body, waits))
                continue
            if errors:
                raise _refusal(errors, codes)
            data = body.get("data")
            if not isinstance(data, dict):
                raise SourceError(f"{SOURCE}: an answer had neither data nor errors. Nothing of this load was kept.")
            return data
        raise SourceError(
            f"{SOURCE}: the budget of points stayed used up ({_MOST_WAITS} tries). Run again later, or set a smaller page_size in "
            f"[sources.{SOURCE}] of .dlt/config.toml."
        )


def connect(settings: SourceSettings, policy: RetryPolicy | None = None) -> JobberApi:
    """The API that ``settings`` name; ConfigurationError for what is missing. Refresh tokens rotate: the newest one is kept in a file."""
    url = str(settings.get("base_url", "https://api.getjobber.com")).rstrip("/")
    auth = RefreshToken(
        SOURCE,
        f"{url}/api/oauth/token",
        refresh_token=settings.secret("refresh_token"),
        form={"client_id": settings.secret("client_id"), "client_secret": settings.secret("client_secret")},
        store=TokenStore(settings),
        lasts=3_600,
    )
    client = HttpClient(
        source=SOURCE,
        base_url=url,
        auth=auth,
        limits={"default": RateLimit(settings.number("requests_per_five_minutes", 2_000), 300.0)},
        read_error=read_error,
        policy=policy or RetryPolicy(),
        headers={"X-JOBBER-GRAPHQL-VERSION": str(settings.get("api_version", _VERSION))},
    )
    return JobberApi(client, int(settings.number("page_size", 50)))


def read_error(status: int, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> ErrorReading:
    """Jobber's HTTP errors in words; those of queries come with 200."""
    message = str(body.get("message") or "") or None
    if status == 401:
        advice = "Jobber does not accept the access token. Connect the app again and put its new refresh_token into .dlt/secrets.toml."
        return ErrorReading(None, message, advice)
    if status == 404 and message and "version" in message:
        return ErrorReading(None, message, f"Set a served api_version in [sources.{SOURCE}] of .dlt/config.toml.")
    return ErrorReading(None, message, f"Check base_url in [sources.{SOURCE}] of .dlt/config.toml.")


def _pause(body: Mapping[str, Any], waits: int) -> float:
    """Seconds until the bucket holds enough for the query."""
    cost = (body.get("extensions") or {}).get("cost") or {}
    status = cost.get("throttleStatus") or {}
    try:
        lacking = float(cost["requestedQueryCost"]) - float(status["currentlyAvailable"])
        if float(cost["requestedQueryCost"]) > float(status["maximumAvailable"]):
            raise SourceError(
                f"{SOURCE}: one page costs {cost['requestedQueryCost']:g} points and the account has {status['maximumAvailable']:g} at most. "
                f"Set a smaller page_size in [sources.{SOURCE}] of .dlt/config.toml."
            )
        seconds = lacking / float(status["restoreRate"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        seconds = 2.0**waits
    return min(max(seconds, 0.1), _LONGEST_WAIT)


def _refusal(errors: list[dict[str, Any]], codes: set[str]) -> SourceError:
    said = "; ".join(str(one.get("message"))[:200] for one in errors[:3])
    if "FORBIDDEN" in codes:
        advice = "Grant the app the scope (Jobber developer centre, scopes), and connect it again."
        return Refused(f"{SOURCE}: {said}. {advice} Nothing of this load was kept.", 403, "FORBIDDEN")
    if "UNAUTHENTICATED" in codes:
        advice = "Connect the app again and put its new refresh_token into .dlt/secrets.toml."
        return Refused(f"{SOURCE}: {said}. {advice}", 401, "UNAUTHENTICATED")
    return SourceError(f"{SOURCE}: a query was refused: {said}. Nothing of this load was kept.")


def _innermost(kind: Mapping[str, Any] | None) -> str:
    while kind is not None and not kind.get("name"):
        kind = kind.get("ofType")
    return str(kind["name"]) if kind else ""
