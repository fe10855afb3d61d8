"""ServiceTitan's API: credentials, export feeds by token, lists by page. Which of them are read is in ``run``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ingestion.connector.rest import Resource, read
from ingestion.http.answers import ErrorReading, Refused
from ingestion.http.auth import ClientCredentials, Headers, Pair
from ingestion.http.client import HttpClient
from ingestion.http.limits import RateLimit, RetryPolicy
from ingestion.http.paging import PAGE_CAP
from ingestion.http.steady import refuse_repeated
from ingestion.sources.servicetitan.tables import SOURCE, Feed
from salesgauge.errors import SourceError
from salesgauge.settings import SourceSettings

_PAGE = 1_000
_PAGES = {"type": "page_number", "base_page": 1, "page_param": "page", "has_more_path": "hasMore", "total_path": None}


class ServiceTitanApi:
    """Feeds and lists of one tenant over one ``HttpClient``; thread-safe."""

    def __init__(self, client: HttpClient, tenant: str) -> None:
        self.client, self.tenant = client, tenant

    def feed(self, feed: Feed, token: str | None) -> Iterator[tuple[list[Any], str | None]]:
        """What changed since ``token`` (None: from the very first record), page by page, each with the token to go on from.

        SourceError for an answer without data, and for a feed that says there is more but names a place where it was, or gives the same page again.
        """
        path = feed.path.format(tenant=self.tenant)
        seen, before = {token}, list[Any]()
        for _ in range(PAGE_CAP):
            try:
                body = self.client.get(path, {"from": token} if token else None).body
            except Refused as error:
                if len(seen) == 1:
                    raise
                raise SourceError(str(error)) from None  # what was there a page ago is not missing for want of a right
            records, following = body.get("data"), body.get("continueFrom")
            if not isinstance(records, list) or not isinstance(body.get("hasMore"), bool):
                raise SourceError(
                    f"{SOURCE}: the feed {feed.name} answered without data or hasMore. Nothing of this load was kept."
                )
            refuse_repeated(records, before, f"{SOURCE}: the feed {feed.name}")
            before = records
            yield records, str(following) if following else token
            if not body["hasMore"]:
                return
            if not following or str(following) in seen:
                raise SourceError(
                    f"{SOURCE}: the feed {feed.name} has more but names no new place to go on from. Nothing of this load was kept."
                )
            token = str(following)
            seen.add(token)
        raise SourceError(f"{SOURCE}: the feed {feed.name} has more than {PAGE_CAP} pages. Run again to go on.")

    def listing(self, feed: Feed, page_size: int = _PAGE) -> Iterator[list[Any]]:
        """All records of a list, page by page."""
        by_id = {"sort": "+Id"} if feed.key[0][0] == "id" else {}
        params = {**feed.params, "pageSize": page_size, **by_id}
        resource = Resource(feed.table, feed.path, "data", params, _PAGES)
        yield from read(self.client, resource, tenant=self.tenant)

    def estimate_changes(self, estimate: str) -> list[Any]:
        """Every change of an estimate's status."""
        path = f"/sales/v2/tenant/{self.tenant}/status/estimates/{estimate}/changes"
        found = self.client.get(path, kind="json").body
        changes = found.get("data") if isinstance(found, dict) else found
        if not isinstance(changes, list):
            raise SourceError(
                f"{SOURCE}: the changes of estimate {estimate} are no list. Nothing of this load was kept."
            )
        return changes


def connect(settings: SourceSettings, policy: RetryPolicy | None = None) -> ServiceTitanApi:
    """The API that ``settings`` name; ConfigurationError for what is missing."""
    form = {
        "grant_type": "client_credentials",
        "client_id": settings.secret("client_id"),
        "client_secret": settings.secret("client_secret"),
    }
    token_url = str(settings.get("token_url", "https://auth.servicetitan.io/connect/token"))
    client = HttpClient(
        source=SOURCE,
        base_url=str(settings.get("base_url", "https://api.servicetitan.io")),
        # how long a token lasts is told in one place as 900 s and in another as 3,600: without expires_in the shorter one holds
        auth=Pair(
            ClientCredentials(SOURCE, token_url, form, lasts=900.0), Headers({"ST-App-Key": settings.secret("app_key")})
        ),
        limits={"default": RateLimit(settings.number("requests_per_second", 50), 1.0)},
        read_error=read_error,
        policy=policy or RetryPolicy(attempts=10, read_timeout=110.0),  # the server gives up after 100 s; 500s occur
    )
    return ServiceTitanApi(client, str(settings.require("tenant_id")))


def read_error(status: int, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> ErrorReading:
    """ServiceTitan's problem documents in words."""
    title = str(body.get("title") or "") or None
    if fields := body.get("errors"):
        title = f"{title}: {fields}"[:300]
    if status == 401:
        advice = "ServiceTitan does not accept the credentials. Check client_id, client_secret and app_key in .dlt/secrets.toml."
    elif status == 403:
        advice = f"Grant the app the scope of {path.partition('/tenant/')[0].strip('/')} {path.rpartition('/')[2]}, and check tenant_id."
    elif status == 404:
        advice = "Check tenant_id; the module may not be part of this account."
    else:
        advice = f"Check base_url and tenant_id in [sources.{SOURCE}] of .dlt/config.toml."
    return ErrorReading(None, title, advice)
