"""HubSpot's endpoints as iterators of pages, for both path styles (``v3`` and dates such as ``2026-03``).

When what is read, and what is known already, does not belong here (``run``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from ingestion.connector.moments import epoch_ms
from ingestion.http.answers import Answer, ErrorReading, Refused
from ingestion.http.auth import Bearer
from ingestion.http.client import HttpClient
from ingestion.http.limits import RateLimit, RetryPolicy
from ingestion.http.paging import pages
from ingestion.sources.hubspot.tables import SOURCE, ObjectType
from salesgauge.errors import ConfigurationError, SourceError
from salesgauge.settings import SourceSettings

FORM_TYPE_NOT_ALLOWED = "FORM_TYPE_NOT_ALLOWED"
MISSING_SCOPES = "MISSING_SCOPES"
SEARCH_CAP = 10_000
SEARCH_PAGE = 200
ASSOCIATION_BATCH = 1_000
_URL_BYTES = 6_000
# Object types that have a scope of their own.
_WITH_OWN_SCOPE = ("contacts", "companies", "deals", "owners", "leads", "quotes", "invoices", "commerce_payments")
_WAITS = {"TEN_SECONDLY_ROLLING": 10.0, "SECONDLY": 1.0}

Record = dict[str, Any]


class HubSpotApi:
    """Read access to one HubSpot account."""

    def __init__(self, client: HttpClient, version: str) -> None:
        self.client = client
        self._v3 = version == "v3"
        self._version = version

    def listing(
        self,
        kind: ObjectType,
        properties: Sequence[str],
        *,
        archived: bool,
        with_history: bool,
        start: str | None = None,
    ) -> Iterator[tuple[list[Record], Answer, str | None]]:
        """Pages of all records of ``kind`` in the order of ids, live or archived, each with the answer it came in and what the next page starts
        after (None: it was the last). ``start``: go on after a page that was read before.
        """
        history = kind.history if with_history else ()
        params = {"limit": kind.list_size if history else 100, "properties": ",".join(properties)}
        if history:
            params["propertiesWithHistory"] = ",".join(history)
        if archived:
            params["archived"] = "true"
        path = self._path("objects", kind.name)
        last: list[Answer] = []

        def fetch(after: str | None) -> tuple[list[Record], str | None]:
            after = after or start
            answer = self.client.get(path, {**params, "after": after} if after else params)
            last[:] = [answer]
            return _results(answer, path), _next(answer)

        for records in pages(fetch, f"{SOURCE}: GET {path}"):
            yield records, last[0], _next(last[0])

    def count(self, kind: ObjectType, newest_id: int) -> int | None:
        """How many live records of ``kind`` there are with ids up to ``newest_id``; None where the answer does not say."""
        path = self._path("objects", kind.name, "search")
        filters = [_filter("hs_object_id", "LTE", newest_id)]
        body = {"filterGroups": [{"filters": filters}], "properties": [kind.modified], "limit": 1}
        total = self.client.post(path, body, limit="search").body.get("total")
        return total if isinstance(total, int) and not isinstance(total, bool) else None

    def try_reading(self, object_type: str) -> None:
        """One record of ``object_type``: Refused where the token may not."""
        self.client.get(self._path("objects", object_type), {"limit": 1})

    def fits_url(self, properties: Sequence[str]) -> bool:
        """Whether ``properties`` can be asked for in the address of a listing."""
        return len(quote(",".join(properties))) <= _URL_BYTES

    def read(
        self, kind: ObjectType, ids: Sequence[str], properties: Sequence[str], *, archived: bool = False
    ) -> Iterator[list[Record]]:
        """Full records of ``ids``, batch by batch. Ids that no longer exist are left out."""
        path = self._path("objects", kind.name, "batch/read")
        for batch in chunks(ids, kind.list_size):
            body: Record = {"properties": list(properties), "inputs": [{"id": one} for one in batch]}
            if kind.history:
                body["propertiesWithHistory"] = list(kind.history)
            params = {"archived": "true"} if archived else None
            answer = self.client.send("POST", path, params=params, body=body, expected=(200, 207))
            _check_errors(answer, path)
            yield _results(answer, path)

    def modified_since(self, kind: ObjectType, since_ms: int) -> Iterator[tuple[list[Record], Answer]]:
        """Pages of ids with their modified date, of all live records of ``kind`` modified at or after ``since_ms`` (epoch ms).

        A search can't page past 10,000 results: from the newest millisecond reached the next window begins (its first records come
        again); where one millisecond fills a whole window (imports do that), it is walked by id instead.
        """
        lower = max(1_000, since_ms)  # the API fails for the epoch itself
        while True:
            newest, is_complete = lower, True
            for records, answer, has_more in self._window(kind, [_filter(kind.modified, "GTE", lower)], kind.modified):
                newest = max([newest, *(_modified_ms(kind, record) for record in records)])
                is_complete = not has_more
                yield records, answer
            if is_complete:
                return
            if newest == lower:
                yield from self._millisecond(kind, lower)
                newest = lower + 1
            lower = newest

    def _millisecond(self, kind: ObjectType, at_ms: int) -> Iterator[tuple[list[Record], Answer]]:
        last_id: str | None = None
        while True:
            filters = [_filter(kind.modified, "EQ", at_ms)]
            if last_id is not None:
                filters.append({"propertyName": "hs_object_id", "operator": "GT", "value": last_id})
            is_complete, before = True, last_id
            for records, answer, has_more in self._window(kind, filters, "hs_object_id"):
                last_id = str(records[-1]["id"]) if records else last_id
                is_complete = not has_more
                yield records, answer
            if is_complete:
                return
            if last_id == before:
                raise SourceError(
                    f"{SOURCE}: the search of {kind.name} makes no progress past id {last_id}. Report it to HubSpot."
                )

    def _window(
        self, kind: ObjectType, filters: list[Record], order: str
    ) -> Iterator[tuple[list[Record], Answer, bool]]:
        """Pages of one search up to the cap; the flag says whether there is more behind the page."""
        path = self._path("objects", kind.name, "search")
        body: Record = {
            "filterGroups": [{"filters": filters}],
            "sorts": [{"propertyName": order, "direction": "ASCENDING"}],
            "properties": [kind.modified],
            "limit": SEARCH_PAGE,
        }
        last: list[tuple[Answer, bool]] = []

        def fetch(after: str | None) -> tuple[list[Record], str | None]:
            answer = self.client.post(path, {**body, "after": after} if after else body, limit="search")
            following = _next(answer)
            last[:] = [(answer, following is not None)]
            # The API refuses offset + limit > 10,000.
            is_capped = following is not None and following.isdigit() and int(following) + SEARCH_PAGE > SEARCH_CAP
            found = [
                record for record in _results(answer, path) if isinstance(record, dict) and record.get("id") is not None
            ]
            return found, None if is_capped else following

        for records in pages(fetch, f"{SOURCE}: POST {path}"):
            yield records, *last[0]

    def links(
        self, from_type: str, to_type: str, ids: Sequence[str]
    ) -> Iterator[tuple[list[str], dict[str, list[Record]]]]:
        """Links of ``ids`` to ``to_type``, batch by batch: (the ids asked for, id -> its links as received; absent = none)."""
        root = "/crm/v4/associations" if self._v3 else f"/crm/associations/{self._version}"
        path = f"{root}/{from_type}/{to_type}/batch/read"
        for batch in chunks(ids, ASSOCIATION_BATCH):
            found: dict[str, list[Record]] = {}
            inputs = [{"id": one} for one in batch]
            asked = set(batch)
            seen: set[tuple[str, str]] = set()
            while inputs:
                answer = self.client.post(path, {"inputs": inputs}, expected=(200, 207))
                _check_errors(answer, path)
                inputs = []
                for element in _results(answer, path):
                    one = str(((element or {}).get("from") or {}).get("id"))
                    if one not in asked:
                        raise SourceError(
                            f"{SOURCE}: POST {path} answered for a record that was not asked for. Check api_version."
                        )
                    links = element.get("to") or []
                    if any(not isinstance(link, dict) or link.get("toObjectId") is None for link in links):
                        raise SourceError(
                            f"{SOURCE}: POST {path} answered a link without 'toObjectId'. Check api_version."
                        )
                    found.setdefault(one, []).extend(links)
                    following = _after(element)
                    if following is None:
                        continue
                    if (one, following) in seen:
                        raise SourceError(
                            f"{SOURCE}: POST {path}: the page cursor of record {one} came twice. Report it to HubSpot."
                        )
                    seen.add((one, following))
                    inputs.append({"id": one, "after": following})
            yield list(batch), found

    def owners(self, *, archived: bool) -> Iterator[Record]:
        """All owners, active or archived."""
        path = self._path("owners")

        def fetch(after: str | None) -> tuple[list[Record], str | None]:
            params = {"limit": 500, "archived": str(archived).lower()}
            answer = self.client.get(path, {**params, "after": after} if after else params)
            return _results(answer, path), _next(answer)

        for records in pages(fetch, f"{SOURCE}: GET {path}"):
            yield from records

    def pipelines(self, object_type: str) -> list[Record]:
        """All pipelines of ``object_type`` with their stages."""
        path = self._path("pipelines", object_type)
        return _results(self.client.get(path), path)

    def audit(self, object_type: str, pipeline_id: str, stage_id: str | None) -> list[Record]:
        """What was ever done to a pipeline, or to a stage of it, newest or oldest first; it outlives them. Empty for an id that never was."""
        stage = ("stages", quote(stage_id, safe="")) if stage_id is not None else ()
        path = self._path("pipelines", object_type, quote(pipeline_id, safe=""), *stage, "audit")
        try:
            return _results(self.client.get(path), path)
        except Refused as error:
            if error.status != 404:
                raise
            return []

    def forms(self) -> Iterator[Record]:
        """All forms that are not archived. HubSpot has one address for them, whatever the version of the rest."""
        path = "/marketing/v3/forms"

        def fetch(after: str | None) -> tuple[list[Record], str | None]:
            answer = self.client.get(path, {"limit": 100, "after": after} if after else {"limit": 100})
            return _results(answer, path), _next(answer)

        for records in pages(fetch, f"{SOURCE}: GET {path}"):
            yield from records

    def submissions(self, form_id: str) -> Iterator[list[Record]]:
        """Pages of what was sent off with a form, newest first. Refused with the code ``FORM_TYPE_NOT_ALLOWED`` for a form whose kind has none."""
        path = f"/form-integrations/v1/submissions/forms/{quote(form_id, safe='')}"

        def fetch(after: str | None) -> tuple[list[Record], str | None]:
            answer = self.client.get(path, {"limit": 50, "after": after} if after else {"limit": 50})
            return _results(answer, path), _next(answer)

        yield from pages(fetch, f"{SOURCE}: GET {path}")

    def properties(self, object_type: str) -> list[Record]:
        """The definitions of all properties of ``object_type``."""
        path = self._path("properties", object_type)
        return _results(self.client.get(path), path)

    def _path(self, area: str, *rest: str) -> str:
        parts = ("v3", area, *rest) if self._v3 else (area, self._version, *rest)
        return "/crm/" + "/".join(parts)


def connect(settings: SourceSettings, policy: RetryPolicy | None = None) -> HubSpotApi:
    """The API that ``settings`` names. ConfigurationError for a missing token or a version that is none."""
    version = str(settings.get("api_version", "v3"))
    if not re.fullmatch(r"v3|20\d\d-\d\d", version):
        raise ConfigurationError(
            f'.dlt/config.toml: [sources.hubspot] api_version = {version!r}; expected "v3" or a date version like "2026-03".'
        )
    is_fixed = settings.get("requests_per_10_seconds") is not None
    limits = {
        "default": RateLimit(settings.number("requests_per_10_seconds", 100), 10.0, is_fixed),
        "search": RateLimit(settings.number("search_requests_per_second", 4), 1.0),
    }

    def follow(headers: Mapping[str, str]) -> None:
        try:
            most = int(headers["X-HubSpot-RateLimit-Max"])
            seconds = int(headers["X-HubSpot-RateLimit-Interval-Milliseconds"]) / 1_000
        except (KeyError, ValueError):
            return
        limits["default"].follow(int(most * 0.95), seconds)

    client = HttpClient(
        source=SOURCE,
        base_url=str(settings.get("base_url", "https://api.hubapi.com")),
        auth=Bearer(settings.secret("access_token")),
        limits=limits,
        read_error=read_error,
        policy=policy or RetryPolicy(),
        on_answer=follow,
    )
    return HubSpotApi(client, version)


def read_error(status: int, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> ErrorReading:
    """HubSpot's error answers in words."""
    policy = str(body.get("policyName") or "")
    code = policy or _form_code(body) or body.get("category") or body.get("errorType")
    message = body.get("message")
    if status in (401, 530):  # 530: a token that is no token at all
        advice = (
            "HubSpot does not accept the token. Put a valid private-app token (service key) under 'access_token' in [sources.hubspot] of "
            ".dlt/secrets.toml, or set SOURCES__HUBSPOT__ACCESS_TOKEN."
        )
        return ErrorReading(code, message, advice)
    if status == 403:
        advice = (
            f"The token lacks the scope {' and '.join(_scopes(path, body))}. Add it to the private app in HubSpot, then run again; "
            "or leave the object type out of 'objects' in [sources.hubspot] of .dlt/config.toml."
        )
        return ErrorReading(code, message, advice)
    if status == 429 and policy == "DAILY":
        advice = "The account's daily limit is used up: run again tomorrow, or raise the limit in HubSpot."
        return ErrorReading(code, message, advice, is_final=True)
    advice = "Check api_version in [sources.hubspot] of .dlt/config.toml; if it is right, report this: the request is at fault."
    return ErrorReading(code, message, advice, wait=_WAITS.get(policy, 10.0) if status == 429 else None)


def _form_code(body: Mapping[str, Any]) -> str | None:
    """``FORM_TYPE_NOT_ALLOWED`` wherever in the answer it is named."""
    named = [body.get(key) for key in ("errorType", "category", "subCategory", "message")]
    named += [error.get("errorType") for error in body.get("errors") or [] if isinstance(error, dict)]
    return FORM_TYPE_NOT_ALLOWED if any(FORM_TYPE_NOT_ALLOWED in str(one) for one in named) else None


def chunks(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """``items`` in pieces of at most ``size``."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _scopes(path: str, body: Mapping[str, Any]) -> list[str]:
    contexts = [
        body.get("context"),
        *(error.get("context") for error in body.get("errors") or [] if isinstance(error, dict)),
    ]
    named = [
        str(scope)
        for context in contexts
        if isinstance(context, dict)
        for key in ("requiredGranularScopes", "requiredScopes")
        for scope in context.get(key) or []
    ]
    if named:
        return sorted(set(named))
    if "/form" in path:
        return ["forms"]
    types = [part.replace("_", "") for part in path.split("/") if part in _WITH_OWN_SCOPE]
    if "/properties/" in path:
        return [f"crm.schemas.{one}.read" for one in types] or ["crm.schemas.*.read"]
    # Calls, e-mails, meetings and tasks are read with the scope of contacts; the text of e-mails needs one of its own.
    return [f"crm.objects.{one}.read" for one in types] or ["crm.objects.contacts.read"] + (
        ["sales-email-read"] if "/emails" in path else []
    )


def _results(answer: Answer, path: str) -> list[Any]:
    """The records of a page, as they came: one that is no object is for the quarantine."""
    results = answer.body.get("results")
    if not isinstance(results, list):
        raise SourceError(
            f"{SOURCE}: {path} answered without a list of 'results'. Check base_url and api_version in .dlt/config.toml."
        )
    return results


def _next(answer: Answer) -> str | None:
    return _after(answer.body)


def _after(element: Mapping[str, Any]) -> str | None:
    after = ((element.get("paging") or {}).get("next") or {}).get("after")
    return None if after in (None, "") else str(after)


def _check_errors(answer: Answer, path: str) -> None:
    """A 207 names what could not be read. A record that is gone, or has no link, is no failure; anything else is."""
    for error in answer.body.get("errors") or []:
        if error.get("category") != "OBJECT_NOT_FOUND":
            raise SourceError(
                f"{SOURCE}: POST {path} could not read some records: {error.get('category')} {str(error.get('message'))[:200]}. "
                "Report this: the request is at fault."
            )


def _filter(name: str, operator: str, value: int) -> Record:
    return {"propertyName": name, "operator": operator, "value": str(value)}


def _modified_ms(kind: ObjectType, record: Record) -> int:
    return epoch_ms((record.get("properties") or {}).get(kind.modified) or record.get("updatedAt")) or 0
