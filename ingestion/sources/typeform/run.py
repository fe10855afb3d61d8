"""One run over a Typeform account: forms that changed, responses since the last run. What answers mean belongs to staging."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from ingestion import rawlog
from ingestion.connector.moments import iso, moment
from ingestion.http.answers import ErrorReading, Refused
from ingestion.http.auth import Bearer
from ingestion.http.client import HttpClient
from ingestion.http.limits import RateLimit, RetryPolicy, server_clock
from ingestion.http.paging import pages
from ingestion.landing.load import Landing
from ingestion.landing.spool import Spool, Tally, dumps, spool_folder
from ingestion.sources.typeform.tables import FORMS, RESPONSES, SOURCE, TABLES
from salesgauge.errors import ConfigurationError, SourceError
from salesgauge.progress import Reporter
from salesgauge.settings import Company, SourceSettings
from salesgauge.warehouse import connect as connect_duckdb

# Partial before completed: of one response that was both in one run, the completed version is the newer one.
RESPONSE_TYPES = ("partial", "completed")
_FORMS_PAGE = 200

_LOG = logging.getLogger(__name__)

Record = dict[str, Any]
Cursor = dict[str, dict[str, str]]


def run(company: Company, landing: Landing, *, received_at: datetime, reporter: Reporter) -> int:
    """Land new and changed forms and responses; returns the number of requests sent.

    Responses are read from the last mark minus ``overlap_minutes`` (default 60: the API may show a response half an hour late), newest
    first, page by page with ``before``. A run without changes lands nothing and sends 1 request per 200 forms and 2 per form.
    """
    settings = company.source(SOURCE)
    client = connect(settings)
    try:
        with spool_folder(company.work_dir, SOURCE) as folder, connect_duckdb(":memory:") as con:
            rawlog.create_views(con, company, {SOURCE: TABLES})
            reading = _Reading(client, settings, con, folder, received_at, Tally(reporter, SOURCE))
            cursors: Cursor = rawlog.last_cursor(company, SOURCE, "responses") or {}
            forms = reading.forms()
            landing.records(FORMS, [reading.definitions(forms)])
            responses, cursor = reading.responses([str(form["id"]) for form in forms], cursors)
            landing.records(RESPONSES, [responses.path], duplicates=reading.duplicates)
            if cursor:
                landing.cursor("responses", cursor)
    finally:
        client.close()
    return client.sent


@dataclass
class _Reading:
    """The steps of one run over one account."""

    client: HttpClient
    settings: SourceSettings
    con: duckdb.DuckDBPyConnection
    folder: Path
    received_at: datetime
    tally: Tally
    duplicates: int = 0
    _clock: datetime | None = field(default=None, init=False)
    _rejected: set[str | None] = field(default_factory=set, init=False)
    _written: set[str] = field(default_factory=set, init=False)

    def forms(self) -> list[Record]:
        """The forms to read: all, or those that the configuration names."""

        def fetch(page: str | None) -> tuple[list[Record], str | None]:
            number = int(page or 1)
            answer = self.client.get("/forms", {"page": number, "page_size": _FORMS_PAGE})
            if self._clock is None:
                seconds = server_clock(answer.headers)
                now = self.received_at if seconds is None else datetime(1970, 1, 1) + timedelta(seconds=int(seconds))
                self._clock = now
            items = _items(answer.body, "/forms")
            is_last = not items or number >= int(answer.body.get("page_count") or 1)
            return items, None if is_last else str(number + 1)

        listed = {
            str(form["id"]): form for page in pages(fetch, f"{SOURCE}: GET /forms") for form in page if form.get("id")
        }
        wanted = self.settings.get("forms")
        if not wanted:
            return list(listed.values())
        names = (
            [name.strip() for name in wanted.split(",")] if isinstance(wanted, str) else [str(name) for name in wanted]
        )
        known = {row[0] for row in self.con.execute("select distinct form_id from raw_typeform.forms").fetchall()}
        missing = [name for name in names if name not in listed and name not in known]
        if missing:
            raise ConfigurationError(
                f".dlt/config.toml: [sources.typeform] forms names {missing[0]!r}, which the account does not have. "
                f"It has: {', '.join(sorted(listed)) or 'no form'}."
            )
        return [listed[name] for name in names if name in listed]

    def definitions(self, forms: list[Record]) -> Path:
        """The definitions of the forms whose ``last_updated_at`` moved, where they differ from what is known."""
        rows = self.con.execute(
            """
            select form_id, last_updated_at, cast(record as varchar) from raw_typeform.forms
            qualify row_number() over (partition by form_id order by _load_id desc, _row desc) = 1
            """
        ).fetchall()
        known = {form_id: (updated_at, record) for form_id, updated_at, record in rows}
        with Spool(self.folder / "forms.jsonl") as spool:
            for form in forms:
                form_id = str(form["id"])
                updated_at, record = known.get(form_id, (None, None))
                if record is not None and updated_at == moment(form.get("last_updated_at")):
                    continue
                definition = {
                    "last_updated_at": form.get("last_updated_at"),
                    **self.client.get(f"/forms/{form_id}").body,
                }
                if dumps(definition) != record:
                    spool.write([definition])
        return spool.path

    def responses(self, form_ids: list[str], cursors: Cursor) -> tuple[Spool, Cursor]:
        """Responses that are new or changed, and the cursor of every form and type."""
        self.con.execute(
            """
            create table known_responses as
            select form_id, response_id, response_type, md5(cast(record as varchar)) as hash from raw_typeform.responses
            qualify row_number() over (partition by form_id, response_id order by _load_id desc, _row desc) = 1
            """
        )
        # A response in quarantine comes again with every overlap: it is new only if it changed.
        rows = self.con.execute(
            "select md5(record) from raw_log.quarantine where source = 'typeform' and table_name = 'responses'"
        )
        self._rejected = {row[0] for row in rows.fetchall()}
        after: Cursor = {form_id: dict(marks) for form_id, marks in cursors.items()}
        with Spool(self.folder / "responses.jsonl") as spool:
            for form_id in form_ids:
                marks = after.setdefault(form_id, {})
                for kind in RESPONSE_TYPES:
                    mark = self._read(spool, form_id, kind, moment(marks.get(kind)))
                    if mark is not None:
                        marks[kind] = iso(mark)
        return spool, {form_id: marks for form_id, marks in after.items() if marks}

    def _read(self, spool: Spool, form_id: str, kind: str, mark: datetime | None) -> datetime | None:
        """Write the responses of one form and type that are not known; returns the new mark."""
        since = None
        if mark is not None:
            since = mark - timedelta(minutes=self.settings.number("overlap_minutes", 60))
        newest = mark
        try:
            for items in self._pages(form_id, kind, since):
                spool.write(self._fresh(form_id, kind, items))
                newest = max(
                    [moment_ for moment_ in (newest, *(_moved(item, kind) for item in items)) if moment_], default=None
                )
                self.tally.add(len(items))
        except Refused as error:
            if error.status != 404:
                raise
            _LOG.warning("%s: form %s was deleted there; what was loaded of it stays", SOURCE, form_id)
            return mark
        if newest is None or self._clock is None:
            return newest
        return max(min(newest, self._clock), mark or min(newest, self._clock))

    def _pages(self, form_id: str, kind: str, since: datetime | None) -> Iterator[list[Any]]:
        path = f"/forms/{form_id}/responses"
        size = int(self.settings.number("page_size", 1_000))
        params: dict[str, Any] = {"page_size": size, "response_type": kind}
        if since is not None:
            params["since"] = since.isoformat(timespec="seconds")

        def fetch(before: str | None) -> tuple[list[Any], str | None]:
            answer = self.client.get(path, {**params, "before": before} if before else params)
            items = _items(answer.body, path)
            if not items or (len(items) < size and int(answer.body.get("page_count") or 1) <= 1):
                return items, None
            tokens = [
                token
                for item in items
                if isinstance(item, dict) and (token := item.get("token") or item.get("response_id"))
            ]
            if not tokens:
                raise SourceError(
                    f"{SOURCE}: GET {path} answered a page without a single token, so the next can't be asked for."
                )
            return items, str(tokens[-1])

        yield from pages(fetch, f"{SOURCE}: GET {path}")

    def _fresh(self, form_id: str, kind: str, items: list[Any]) -> Iterator[Any]:
        """The records of ``items`` whose newest version in the raw log is another one; a completed response never turns partial again."""
        records = [_record(form_id, kind, item) for item in items]
        ids = [str(record.get("response_id")) for record in records if isinstance(record, dict)]
        known = {
            response_id: (response_type, known_hash)
            for response_id, response_type, known_hash in self.con.execute(
                "select response_id, response_type, hash from known_responses "
                "where form_id = ? and response_id in (select unnest(?::varchar[]))",
                [form_id, ids],
            ).fetchall()
        }
        for record in records:
            own_hash = hashlib.md5(dumps(record).encode(), usedforsecurity=False).hexdigest()
            came_before = own_hash in self._written  # a page edge can repeat
            self._written.add(own_hash)
            known_type, known_hash = known.get(
                str(record.get("response_id")) if isinstance(record, dict) else "", (None, None)
            )
            if (
                came_before
                or own_hash == known_hash
                or own_hash in self._rejected
                or (kind == "partial" and known_type == "completed")
            ):
                self.duplicates += 1
            else:
                yield record


def connect(settings: SourceSettings, policy: RetryPolicy | None = None) -> HttpClient:
    """A client for the account that ``settings`` names; ConfigurationError for a missing token."""
    return HttpClient(
        source=SOURCE,
        base_url=str(settings.get("base_url", "https://api.typeform.com")),
        auth=Bearer(settings.secret("access_token")),
        limits={"default": RateLimit(settings.number("requests_per_second", 2), 1.0)},
        read_error=read_error,
        policy=policy or RetryPolicy(first_wait=1.0),
    )


def read_error(status: int, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> ErrorReading:
    """Typeform's error answers in words."""
    code, message = body.get("code"), body.get("description")
    if status == 401:
        return ErrorReading(
            code,
            message,
            "Typeform does not accept the token. Put a valid personal access token under 'access_token' in [sources.typeform] of "
            ".dlt/secrets.toml, or set SOURCES__TYPEFORM__ACCESS_TOKEN.",
        )
    if status == 403:
        scope = "responses:read" if path.endswith("/responses") else "forms:read"
        return ErrorReading(code, message, f"The token lacks the scope {scope}. Make one that has it, then run again.")
    return ErrorReading(
        code,
        message,
        "Check base_url in [sources.typeform] of .dlt/config.toml (EU accounts: https://api.eu.typeform.com).",
    )


def _record(form_id: str, kind: str, item: Any) -> Any:
    """``item`` with the keys that only the request knew; an old response without ``response_id`` is named by its token."""
    if not isinstance(item, dict):
        return item
    return {
        **item,
        "form_id": form_id,
        "response_type": kind,
        "response_id": item.get("response_id") or item.get("token"),
    }


def _moved(item: Any, kind: str) -> datetime | None:
    """The moment that ``since`` filters by; for a partial response one that is at most a little earlier."""
    if not isinstance(item, dict):
        return None
    names = ("submitted_at",) if kind == "completed" else ("staged_at", "landed_at")
    moments = [at for name in names if (at := moment(item.get(name))) is not None and at.year > 1900]
    return max(moments, default=None)


def _items(body: Mapping[str, Any], path: str) -> list[Any]:
    items = body.get("items")
    if not isinstance(items, list):
        raise SourceError(
            f"{SOURCE}: GET {path} answered without a list of 'items'. Check base_url in .dlt/config.toml."
        )
    return items
