"""One sync of a SurveyMonkey account: surveys whose questions changed, responses since the last ones, deletions once a week."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ingestion import rawlog
from ingestion.connector.moments import iso, moment
from ingestion.connector.rest import read
from ingestion.http.answers import ErrorReading, Refused
from ingestion.http.auth import Bearer
from ingestion.http.client import HttpClient
from ingestion.http.limits import RateLimit, RetryPolicy, retry_after
from ingestion.http.steady import Seen, steadily
from ingestion.landing.changes import Changes
from ingestion.landing.load import Landing
from ingestion.sources.surveymonkey.tables import BULK, IDS, LIST, RESPONSES, SOURCE, SURVEYS
from ingestion.sql.text import quote
from salesgauge.progress import Reporter
from salesgauge.settings import Company, SourceSettings

_PERSONAL = frozenset({"edit_url", "analyze_url", "ip_address"})  # of no use here, and whoever has edit_url can answer
_MINUTE = "X-Ratelimit-App-Global-Minute-"
_DAY = "X-Ratelimit-App-Global-Day-"
_PART = 200  # requests after which what was read is kept: a private app has 500 a day


def run(company: Company, landing: Landing, *, received_at: datetime, reporter: Reporter) -> int:
    """Land what is new or changed; returns the number of requests sent.

    Every survey is asked for responses that changed since ``overlap_minutes`` before the newest known one: a new response may not move its
    survey. Nothing tells of deletions: once in ``whole_every_days`` the ids of all responses are read.

    What takes more than ``_PART`` requests is kept in parts, and a run that the limit of the day ended is gone on with by the next one.
    """
    settings = company.source(SOURCE)
    client = connect(settings)
    cursor: dict[str, Any] = rawlog.cursors(company, SOURCE).get("responses") or {}
    began, whole_at = moment(cursor.get("began")) or received_at, moment(cursor.get("whole_at"))
    is_whole = whole_at is None or began - whole_at >= timedelta(days=settings.number("whole_every_days", 7))
    try:
        surveys = _surveys(client)
        reading = _Reading(
            client=client,
            surveys=surveys,
            marks={survey: cursor[survey] for survey in surveys if survey in cursor},
            done={survey for survey in cursor.get("done") or () if survey in surveys},
            overlap=timedelta(minutes=settings.number("overlap_minutes", 5)),
            is_whole=is_whole,
        )
        while True:
            with Changes(company, landing, received_at=received_at, reporter=reporter) as changes:
                is_end = reading.part(changes)
                changes.land()
            if is_end:
                break
            state = {**reading.marks, "began": iso(began), "done": sorted(reading.done)}
            landing.cursor("responses", state if whole_at is None else {**state, "whole_at": iso(whole_at)})
            landing.keep()
        whole_at = began if is_whole or whole_at is None else whole_at
        landing.cursor("responses", {**reading.marks, "whole_at": iso(whole_at)})
        if reading.refused:
            landing.note(
                f"surveys that can't be read are left out, and what was loaded of them stays: {', '.join(sorted(reading.refused))}. They were deleted "
                "just now, or are not shared with the token's user."
            )
    finally:
        client.close()
    return client.sent


@dataclass
class _Reading:
    """One reading of all ``surveys`` (id → its last change), by one run or by several. ``marks``: survey → its newest known change of a response;
    ``done``: the surveys that this reading has had; ``refused``: those of them that could not be read.
    """

    client: HttpClient
    surveys: dict[str, datetime | None]
    marks: dict[str, str]
    done: set[str]
    overlap: timedelta
    is_whole: bool
    refused: dict[str, Refused] = field(default_factory=dict)

    def part(self, changes: Changes) -> bool:
        """Write as many surveys as ``_PART`` requests read; whether those were the last."""
        known = dict(changes.query(f"select id, modified_at from {changes.newest(SURVEYS)}"))
        begins, read_now, left = self.client.sent, set[str](), set[str]()
        waiting = [survey for survey in self.surveys if survey not in self.done]
        while waiting and self.client.sent - begins < _PART:
            survey = waiting.pop(0)
            self.done.add(survey)
            try:
                left |= self._read(changes, survey, known)
                read_now.add(survey)
            except Refused as error:
                if error.status not in (403, 404):
                    raise
                self.refused[survey] = error
        if self.refused and len(self.refused) == len(self.done):  # no matter of single surveys
            raise next(iter(self.refused.values()))
        if self.is_whole:
            # responses of surveys that were not read now are still there, but for those whose survey is gone: that shows at the end
            others = _among(self.surveys.keys() - read_now) if not waiting else f"not {_among(read_now)}"
            changes.complete(RESPONSES, ids=left | changes.known_keys(RESPONSES, others))
        return not waiting

    def _read(self, changes: Changes, survey: str, known: Mapping[str, datetime | None]) -> set[str]:
        """Write what is new of a survey; the ids of its responses that are still there, where they are asked for."""
        if survey not in known or known[survey] != self.surveys[survey]:
            changes.write(SURVEYS, [self.client.get(f"/surveys/{survey}/details").body])
        until = moment(self.marks.get(survey))
        newest = _responses(self.client, changes, survey, until, self.overlap)
        # a first reading has just had them all
        ids = _ids(self.client, survey) if self.is_whole and until is not None else set[str]()
        if newest is not None:
            self.marks[survey] = iso(newest)
        return ids


def connect(settings: SourceSettings, policy: RetryPolicy | None = None) -> HttpClient:
    """A client for the account; ConfigurationError for a missing token."""
    return HttpClient(
        source=SOURCE,
        base_url=str(settings.get("base_url", "https://api.surveymonkey.com/v3")),
        auth=Bearer(settings.secret("access_token")),
        limits={"default": RateLimit(settings.number("requests_per_minute", 100), 60.0)},
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


def _surveys(client: HttpClient) -> dict[str, datetime | None]:
    """The ids of all surveys, and when each was changed last."""
    return {
        str(survey["id"]): moment(survey.get("date_modified"))
        for page in read(client, LIST)
        for survey in page
        if isinstance(survey, dict) and survey.get("id")
    }


def _among(surveys: Iterable[str]) -> str:
    """SQL condition: a response of one of ``surveys``."""
    return f"(survey_id in (select unnest([{', '.join(quote(one) for one in sorted(surveys))}]::varchar[])))"


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
