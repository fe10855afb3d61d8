"""Salesforce's API: session, describe, queries page by page, bulk query jobs. Which objects are read, and since when, is in ``run``."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ingestion.http.answers import Answer, ErrorReading, Refused
from ingestion.http.auth import ClientCredentials
from ingestion.http.client import HttpClient
from ingestion.http.limits import RateLimit, RetryPolicy
from ingestion.http.paging import pages
from ingestion.sources.salesforce.tables import SOURCE
from salesgauge.errors import SourceError
from salesgauge.settings import SourceSettings

_LOG = logging.getLogger(__name__)
_COMPOUND = frozenset({"address", "location", "base64", "complexvalue"})
_LONGEST = 12_000  # characters of a SELECT list: address and headers together may have 16,384 bytes
_WARN_AT = 0.9
_BULK_PAGE = 25_000
_FIRST_POLL, _LONGEST_POLL, _LONGEST_JOB = 0.2, 30.0, 3_600.0


class SalesforceApi:
    """Queries over one ``HttpClient``; thread-safe."""

    def __init__(self, client: HttpClient, version: str) -> None:
        self.client = client
        self._base = f"/services/data/{version}"

    def limits(self) -> Answer:
        """What is left of the daily limits."""
        return self.client.get(f"{self._base}/limits")

    def describe(self, sobject: str) -> list[dict[str, Any]]:
        """The fields that the user may read. Refused with 404 where there is no such object for them."""
        body = self.client.get(f"{self._base}/sobjects/{sobject}/describe").body
        found = body.get("fields")
        if not isinstance(found, list):
            raise SourceError(
                f"{SOURCE}: describe of {sobject} answered without fields. Nothing of this load was kept."
            )
        return found

    def count(self, sobject: str, where: str) -> int:
        """How many rows a query has, deleted ones included."""
        answer = self.client.get(f"{self._base}/queryAll", {"q": f"SELECT COUNT() FROM {sobject}{where}"})
        return int(answer.body.get("totalSize") or 0)

    def query(self, sobject: str, soql: str) -> Iterator[list[dict[str, Any]]]:
        """Pages of rows of ``sobject``, deleted ones included, without the key ``attributes``.

        SourceError where a page holds rows of another object, or all pages together are not what the first one announced.
        """
        counts = [0, 0]  # announced, received

        def fetch(path: str | None) -> tuple[list[dict[str, Any]], str | None]:
            headers = {"Sforce-Query-Options": "batchSize=2000"}
            if path is None:
                body = self.client.send("GET", f"{self._base}/queryAll", params={"q": soql}, headers=headers).body
            else:
                body = self.client.send("GET", path, headers=headers).body
            rows = body.get("records")
            if not isinstance(rows, list) or not isinstance(body.get("done"), bool):
                raise SourceError(f"{SOURCE}: a query answered without records or done. Nothing of this load was kept.")
            # a last page may name a next one all the same
            following = None if body["done"] else body.get("nextRecordsUrl")
            if path is None:
                counts[0] = int(body.get("totalSize") or 0)
            counts[1] += len(rows)
            if any(_type_of(row) != sobject for row in rows):
                raise SourceError(
                    f"{SOURCE}: a query of {sobject} answered other records. Nothing of this load was kept; run again."
                )
            if not body["done"] and not following:
                raise SourceError(
                    f"{SOURCE}: a query is not done but names no next page. Nothing of this load was kept."
                )
            return [_plain(row) for row in rows], self.client.local(following) if following else None

        yield from pages(fetch, f"{SOURCE}: query of {sobject}")
        if counts[0] != counts[1]:
            raise SourceError(
                f"{SOURCE}: a query of {sobject} announced {counts[0]:,} rows and gave {counts[1]:,}. Nothing of this load was kept; run again."
            )

    def bulk(self, soql: str, folder: Path) -> Iterator[tuple[Path, int]]:
        """The result of a bulk query as CSV files in ``folder`` with their numbers of rows, deleted rows included.

        SourceError where the job fails or rows are missing.
        """
        jobs = f"{self._base}/jobs/query"
        created = self.client.send("POST", jobs, body={"operation": "queryAll", "query": soql})
        job = str(created.body.get("id"))
        expected = self._finished(f"{jobs}/{job}", job)
        received, locator, seen = 0, "", set[str]()
        while True:
            params = {"maxRecords": _BULK_PAGE, **({"locator": locator} if locator else {})}
            target = folder / f"{job}-{len(seen)}.csv"
            answer = self.client.download(
                f"{jobs}/{job}/results", target, params=params, headers={"Accept": "text/csv"}
            )
            number = int(answer.headers.get("Sforce-NumberOfRecords") or 0)
            received += number
            yield target, number
            locator = answer.headers.get("Sforce-Locator") or "null"
            if locator == "null":
                break
            if locator in seen:
                raise SourceError(f"{SOURCE}: bulk job {job} named the same page twice. Nothing of this load was kept.")
            seen.add(locator)
        if received != expected:
            raise SourceError(
                f"{SOURCE}: bulk job {job} announced {expected:,} rows and gave {received:,}. Nothing of this load was kept; run again."
            )

    def _finished(self, path: str, job: str) -> int:
        """Wait for the job's end; its number of rows."""
        wait, began = _FIRST_POLL, time.monotonic()
        while True:
            body = self.client.get(path).body
            if body.get("state") == "JobComplete":
                return int(body.get("numberRecordsProcessed") or 0)
            if body.get("state") in ("Failed", "Aborted"):
                said = " ".join(str(body.get("errorMessage") or "").split())[:200]
                raise SourceError(
                    f"{SOURCE}: bulk job {job} ended as {body['state']}: {said or 'no reason given'}. Run again."
                )
            if time.monotonic() - began > _LONGEST_JOB:
                raise SourceError(f"{SOURCE}: bulk job {job} did not end within an hour. Run again later.")
            time.sleep(wait)
            wait = min(wait * 2, _LONGEST_POLL)


def connect(settings: SourceSettings, policy: RetryPolicy | None = None) -> SalesforceApi:
    """The API that ``settings`` names; ConfigurationError for what is missing."""
    url = str(settings.require("instance_url")).rstrip("/")
    form = {
        "grant_type": "client_credentials",
        "client_id": settings.secret("client_id"),
        "client_secret": settings.secret("client_secret"),
    }
    warned = [False]

    def follow(headers: Mapping[str, str]) -> None:
        used, _, most = headers.get("Sforce-Limit-Info", "").removeprefix("api-usage=").partition("/")
        if used.isdecimal() and most.isdecimal() and int(used) > _WARN_AT * int(most) and not warned[0]:
            warned[0] = True
            _LOG.warning("%s: %s of %s requests of the last 24 hours are used", SOURCE, used, most)

    client = HttpClient(
        source=SOURCE,
        base_url=url,
        auth=ClientCredentials(SOURCE, f"{url}/services/oauth2/token", form),
        limits={"default": RateLimit(settings.number("requests_per_second", 20), 1.0)},
        read_error=read_error,
        policy=policy or RetryPolicy(),
        on_answer=follow,
        url_setting="instance_url",
    )
    return SalesforceApi(client, str(settings.get("api_version", "v62.0")))


def readable(fields: Sequence[Mapping[str, Any]], first: Sequence[str]) -> list[str]:
    """Names of the fields to select: those of ``first`` before all others, as many as an address can hold; compound ones are read in parts."""
    names = [str(field["name"]) for field in fields if field.get("type") not in _COMPOUND and field.get("name")]
    # two columns may be filled from one field, which a query may name only once
    wanted = list(dict.fromkeys([*(name for name in first if name in names), *names]))
    length = 0
    kept: list[str] = []
    for name in wanted:
        length += len(name) + 1
        if length > _LONGEST:
            _LOG.warning("%s: %d fields do not fit into a query and are left out", SOURCE, len(wanted) - len(kept))
            break
        kept.append(name)
    return kept


def read_error(status: int, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> ErrorReading:
    """Salesforce's error answers in words: an array of errors, of which the first tells."""
    errors = body.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    code, message = first.get("errorCode"), first.get("message")
    if code == "REQUEST_LIMIT_EXCEEDED":
        advice = (
            "The org's requests of the last 24 hours are used up. Run again later, or buy more; what was loaded stays."
        )
        return ErrorReading(code, message, advice, is_final=True)
    if status == 401:
        return ErrorReading(code, message, "Salesforce ended the session. Check the connected app and its run-as user.")
    if status in (403, 404):
        advice = "Give the run-as user of the connected app API Enabled, and read on this object (or View All Data)."
        return ErrorReading(code, message, advice)
    if code in ("QUERY_TIMEOUT", "OPERATION_TOO_LARGE", "UNABLE_TO_LOCK_ROW", "SERVER_UNAVAILABLE"):
        return ErrorReading(
            code, message, "Set bulk_from_rows lower: large objects go better in bulk.", is_retried=True
        )
    return ErrorReading(
        code, message, "Check instance_url and api_version in [sources.salesforce] of .dlt/config.toml."
    )


def is_missing(error: Refused) -> bool:
    """Whether an object is not there for the user: it does not exist in the org, is switched off, or is not shown to them."""
    if error.code == "REQUEST_LIMIT_EXCEEDED":  # a 403 too, and says nothing of the object
        return False
    return error.status in (403, 404) or error.code in ("INVALID_TYPE", "NOT_FOUND", "INSUFFICIENT_ACCESS")


def _type_of(row: Any) -> Any:
    attributes = row.get("attributes") if isinstance(row, dict) else None
    return attributes.get("type") if isinstance(attributes, dict) else None


def _plain(row: Any) -> Any:
    return {name: value for name, value in row.items() if name != "attributes"} if isinstance(row, dict) else row
