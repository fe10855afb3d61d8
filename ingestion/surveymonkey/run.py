"""One sync of a SurveyMonkey account: surveys whose questions changed, responses since the last ones, deletions once a week."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from ingestion import rawlog
from ingestion.auth import Bearer
from ingestion.changes import Changes
from ingestion.http import ErrorReading, HttpClient, RateLimit, RetryPolicy, number
from ingestion.landing import Landing
from ingestion.limits import retry_after
from ingestion.moments import iso, moment
from ingestion.rest import read
from ingestion.steady import Seen, steadily
from ingestion.surveymonkey.tables import BULK, IDS, LIST, RESPONSES, SOURCE, SURVEYS
from salesgauge.progress import Reporter
from salesgauge.settings import Company, SourceSettings

_PERSONAL = frozenset({"edit_url", "analyze_url", "ip_address"})  # of no use here, and whoever has edit_url can answer
_MINUTE = "X-Ratelimit-App-Global-Minute-"
_DAY = "X-Ratelimit-App-Global-Day-"


def run(company: Company, landing: Landing, *, received_at: datetime, reporter: Reporter) -> int:
    """Land what is new or changed; returns the number of requests sent.

    Every survey is asked for responses that changed since ``overlap_minutes`` before the newest known one: a new response may not move its
    survey. Nothing tells of deletions: once in ``whole_every_days`` the ids of all responses are read.
    """
    settings = company.source(SOURCE)
    client = connect(settings)
    cursor: dict[str, str] = rawlog.cursors(company, SOURCE).get("responses") or {}
    overlap = timedelta(minutes=number(settings, "overlap_minutes", 5))
    whole_at = moment(cursor.get("whole_at"))
    is_whole = whole_at is None or received_at - whole_at >= timedelta(days=number(settings, "whole_every_days", 7))
    try:
        with Changes(company, landing, received_at=received_at, reporter=reporter) as changes:
            kept = {"whole_at": iso(received_at if is_whole or whole_at is None else whole_at)}
            left: set[str] = set()
            for survey in _surveys(client, changes):
                until = moment(cursor.get(survey))
                newest = _responses(client, changes, survey, until, overlap)
                if newest is not None:
                    kept[survey] = iso(newest)
                if is_whole and until is not None:  # a first reading has just had them all
                    left |= _ids(client, survey)
            if is_whole:
                changes.complete(RESPONSES, ids=left)
            changes.land()
            if kept != cursor:
                landing.cursor("responses", kept)
    finally:
        client.close()
    return client.sent


def connect(settings: SourceSettings, policy: RetryPolicy | None = None) -> HttpClient:
    """A client for the account; ConfigurationError for a missing token."""
    return HttpClient(
        source=SOURCE,
        base_url=str(settings.get("base_url", "https://api.surveymonkey.com/v3")),
        auth=Bearer(settings.secret("access_token")),
        limits={"default": RateLimit(number(settings, "requests_per_minute", 100), 60.0)},
        read_error=read_error,
        policy=policy or RetryPolicy(),
    )


def read_error(status: int, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> ErrorReading:
    """SurveyMonkey's error answers in words. Its limits are told by headers of its own; that of the day ends the source until tomorrow."""
    error = body.get("error")
    told = error if isinstance(error, dict) else {}
    message, code = (str(told.get(key) or "") or None for key in ("message", "id"))
    if status == 429:
        if headers.get(f"{_DAY}Remaining") == "0":
            advice = "The requests of this day are used up; what is missing comes with tomorrow's run. A published app may ask for more."
            return ErrorReading(code, message, advice, is_final=True)
        reset = retry_after({"Retry-After": headers.get(f"{_MINUTE}Reset", "")})
        return ErrorReading(code, message, None, wait=None if reset is None else reset + 2)
    if status == 401:
        advice = "SurveyMonkey does not accept the token. Put a valid one under 'access_token' in [sources.surveymonkey] of .dlt/secrets.toml."
    elif status == 403:
        advice = "Grant the app surveys_read, responses_read and responses_read_detail (a paid plan)."
    else:
        advice = "Check base_url in [sources.surveymonkey] of .dlt/config.toml; EU accounts: https://api.eu.surveymonkey.com/v3."
    return ErrorReading(code, message, advice)


def _surveys(client: HttpClient, changes: Changes) -> list[str]:
    """Write the questions of the surveys that changed; the ids of all."""
    known = dict(changes.query(f"select id, modified_at from {changes.newest(SURVEYS)}"))
    found: list[str] = []
    for page in read(client, LIST):
        for survey in (one for one in page if isinstance(one, dict) and one.get("id")):
            one = str(survey["id"])
            found.append(one)
            if one not in known or known[one] != moment(survey.get("date_modified")):
                changes.write(SURVEYS, [client.get(f"/surveys/{one}/details").body])
    return found


def _responses(
    client: HttpClient, changes: Changes, survey: str, until: datetime | None, overlap: timedelta
) -> datetime | None:
    """Write the responses that changed since ``until``; the newest change that is known."""
    params = {} if until is None else {"start_modified_at": (until - overlap).isoformat(timespec="seconds")}

    def read_all(seen: Seen) -> datetime | None:
        newest = until
        for page in read(client, BULK, params, seen, survey=survey):
            changes.write(RESPONSES, [_without_personal(one) for one in page])
            moments = (moment(one.get("date_modified")) for one in page if isinstance(one, dict))
            newest = max((at for at in (newest, *moments) if at is not None), default=None)
        return newest

    # a response that is changed meanwhile moves to the end, and all after it one place forward
    return steadily(read_all, f"{SOURCE}: survey {survey}")


def _ids(client: HttpClient, survey: str) -> set[str]:
    """The ids of all responses of a survey."""

    def read_all(seen: Seen) -> set[str]:
        return {
            str(one.get("id"))
            for page in read(client, IDS, None, seen, survey=survey)
            for one in page
            if isinstance(one, dict)
        }

    return steadily(read_all, f"{SOURCE}: survey {survey}")


def _without_personal(record: Any) -> Any:
    if not isinstance(record, dict):
        return record
    return {name: value for name, value in record.items() if name not in _PERSONAL}
