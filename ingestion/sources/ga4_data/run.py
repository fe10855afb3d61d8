"""One sync of a GA4 property by the Data API: which days are read, and what of them is new. How a day is read is in ``api``."""

from __future__ import annotations

import json
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ingestion import rawlog
from ingestion.connector.jobs import run_all
from ingestion.http.answers import Refused
from ingestion.landing.load import Landing
from ingestion.landing.quarantine import Waiting
from ingestion.landing.spool import Spool, spool_folder
from ingestion.sources.ga4_data.api import Api, Day, connect
from ingestion.sources.ga4_data.tables import DAYS, REPORTS, SESSIONS, SOURCE, Report
from salesgauge.errors import ConfigurationError, SalesgaugeError
from salesgauge.progress import Reporter
from salesgauge.settings import Company, SourceSettings

_LOG = logging.getLogger(__name__)
_DAY = timedelta(days=1)
_FIRST = date(2015, 8, 14)  # before it there is no GA4
_AT_ONCE = 4  # of ten that a property allows: others ask it too
_WEST = timedelta(hours=12)  # a day that is over here is over everywhere
# what may be wrong with the numbers of a day, in words
_FLAWS = {
    "is_thresholded": "small groups of users were withheld (thresholding)",
    "is_sampled": "counted from a sample",
    "has_other_row": "rare values were put together as (other)",
    "is_truncated": "cut short by Google",
    "is_restricted": "metrics are hidden from this account",
}
Key = tuple[str, date]
_AGAIN = "again"  # the cursor with the reports and days that were asked to be read again


def run(company: Company, landing: Landing, *, received_at: datetime, reporter: Reporter) -> tuple[int, str | None]:
    """Land the days that are new or changed; the number of requests, and what went wrong after some days were read.

    Read are the last ``reread_days`` that are over in the property's zone, and every day since ``start_date`` that was never read, newest first.
    A day whose rows and metadata are what they were counts as a duplicate. Where the quota ends, what was read is kept, and the next run goes on.
    SourceError, ConfigurationError where nothing could be read.
    """
    settings = company.source(SOURCE)
    api = connect(settings)
    try:
        with spool_folder(company.work_dir, SOURCE) as folder, _Sync(company, landing, api, folder, reporter) as sync:
            sync.read(settings, received_at)
            problem = sync.land()
    finally:
        api.client.close()
    return api.client.sent, problem


class _Sync:
    """The days of one run, spooled until ``land``. Threads take them at the same time."""

    def __init__(self, company: Company, landing: Landing, api: Api, folder: Path, reporter: Reporter) -> None:
        self._landing, self._api, self._reporter = landing, api, reporter
        self._known = self._newest(company)
        self._stack = ExitStack()
        self._spools = {
            name: self._stack.enter_context(Spool(folder / f"{name}.jsonl"))
            for name in (*(report.name for report in REPORTS), DAYS.name)
        }
        self._same: Counter[str] = Counter()
        self._read: dict[Key, dict[str, Any]] = {}
        self._left = 0
        self._refused: dict[str, str] = {}
        self._error: SalesgaugeError | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> _Sync:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def read(self, settings: SourceSettings, received_at: datetime) -> None:
        """Ask for every day that is due."""
        first, over_everywhere = _start(settings, received_at), (received_at - _WEST).date() - _DAY
        zones = (one["time_zone"] for _, one in sorted(self._known.items(), key=lambda item: item[0][1], reverse=True))
        zone = next(zones, None)
        if zone is None:  # the first answer tells it
            self._ask(SESSIONS, over_everywhere)
            zone = self._read.get((SESSIONS.name, over_everywhere), {}).get("time_zone")
        last = max(over_everywhere, _last_day(received_at, zone))
        reread = {last - _DAY * number for number in range(round(settings.number("reread_days", 3)))}
        days = [last - _DAY * number for number in range(max(0, (last - first).days + 1))]
        due = [
            (report, day)
            for day in days
            for report in REPORTS
            if (report.name, day) not in self._read and (day in reread or (report.name, day) not in self._known)
        ]
        jobs: list[Callable[[], None]] = [lambda report=report, day=day: self._ask(report, day) for report, day in due]  # type: ignore[misc]
        total = len(jobs) + len(self._read)
        for begin in range(0, len(jobs), 8 * _AT_ONCE):
            run_all(self._api.client, jobs[begin : begin + 8 * _AT_ONCE], _AT_ONCE)
            self._reporter.advance(SOURCE, len(self._read), total, "reports of a day")
        self._left = sum(
            (report.name, day) not in self._read for report, day in due if report.name not in self._refused
        )

    def land(self) -> str | None:
        """Land what was read; what went wrong, in words. The error where nothing was read."""
        if self._error is not None and not self._read:
            raise self._error
        if self._refused and not self._read:
            raise ConfigurationError(next(iter(self._refused.values())))
        tables = {report.name: report.table for report in REPORTS} | {DAYS.name: DAYS}
        for name, spool in self._spools.items():
            spool.close()
            if spool.count or self._same[name]:
                self._landing.records(tables[name], [spool.path], duplicates=self._same[name])
        self._landing.cursor(
            _AGAIN, [(name, day.isoformat()) for name, day in sorted(self._again - self._read.keys())] or None
        )
        for note in _flaws(self._read.values()):
            self._landing.note(note)
        if self._api.quota.ended and self._left:
            self._landing.note(f"{self._api.quota.ended}: {self._left:,} reports of a day are still to be read; the next run goes on there.")  # fmt: skip
        if self._api.quota.tokens_left is not None:
            _LOG.info("%s: %d tokens are left for the day", SOURCE, self._api.quota.tokens_left)
        problems = [*self._refused.values()]
        if self._error is not None:
            problems.append(
                str(self._error).replace("Nothing of this load was kept.", "The days read before are kept.")
            )
        return "; ".join(problems) or None

    def _ask(self, report: Report, day: date) -> None:
        """Read one day and take it, unless reading has ended; an error ends it."""
        if self._api.quota.ended or self._error is not None or report.name in self._refused:
            return
        try:
            self._take(self._api.day(report, day))
        except Refused as error:
            with self._lock:
                if error.status == 400:  # this report can't be had; the others can
                    self._refused.setdefault(report.name, f"{report.name}: {error}")
                elif error.status != 429:  # a quota that has ended is no error
                    self._error = self._error or error
        except SalesgaugeError as error:
            with self._lock:
                self._error = self._error or error

    def _take(self, found: Day) -> None:
        record = found.record(self._api.property_id)
        key = (found.report.name, found.day)
        with self._lock:
            self._read[key] = record
            if self._known.get(key, {}).get("digest") == record["digest"]:
                self._same[found.report.name] += len(found.rows)
                self._same[DAYS.name] += 1
                return
            self._spools[found.report.name].write(found.rows)
            self._spools[DAYS.name].write([record])

    def _newest(self, company: Company) -> dict[Key, Mapping[str, Any]]:
        """What is known of each report and day of the property."""
        rows = self._landing.con.execute(
            f"select report, date, digest, time_zone from ({rawlog.relation(company, DAYS)}) where property_id = ? "
            "qualify row_number() over (partition by report, date order by _load_id desc, _row desc) = 1",
            [self._api.property_id],
        ).fetchall()
        known = {(report, day): {"digest": digest, "time_zone": zone} for report, day, digest, zone in rows}
        noted = {(report, date.fromisoformat(day)) for report, day in rawlog.last_cursor(company, SOURCE, _AGAIN) or []}
        self._again = noted & known.keys()
        return {key: value for key, value in known.items() if key not in self._again}


def ask_again(company: Company, landing: Landing, records: Iterable[Waiting]) -> None:
    """Note for the next run which reports of which days ``records``, quarantined rows, belong to. What is noted already stays."""
    noted = {tuple(one) for one in rawlog.last_cursor(company, SOURCE, _AGAIN) or []}
    for one in records:
        day = _date(json.loads(one.record or "{}"))
        if day is not None:
            noted |= {(report.name, day.isoformat()) for report in REPORTS if one.table in (report.name, DAYS.name)}
    landing.cursor(_AGAIN, sorted(noted) or None)


def _date(record: Any) -> date | None:
    try:
        return datetime.strptime(record["date"], "%Y%m%d").date()
    except (KeyError, TypeError, ValueError):
        return None


def remark(con: Any) -> str:
    """What is to be known of the newest 30 days in the raw log (its views in ``con``); empty where their numbers are exact."""
    rows = con.execute(
        f"select report, date, {', '.join(_FLAWS)} from raw_{SOURCE}.days "
        "qualify row_number() over (partition by property_id, report, date order by _load_id desc, _row desc) = 1 "
        "and date > max(date) over () - 30"
    ).fetchall()
    days = [
        {"report": report, "date": f"{day:%Y%m%d}", **dict(zip(_FLAWS, flags, strict=True))}
        for report, day, *flags in rows
    ]
    return "; ".join(_flaws(days))


def _flaws(days: Iterable[Mapping[str, Any]]) -> list[str]:
    """Per report and flaw: on how many days it applies, and on which."""
    found: dict[tuple[str, str], list[str]] = {}
    counts: Counter[str] = Counter()
    for day in days:
        counts[day["report"]] += 1
        for flag in _FLAWS:
            if day[flag]:
                found.setdefault((day["report"], flag), []).append(day["date"])
    return [
        f"{report}: {_FLAWS[flag]} on {len(dates)} of {counts[report]} days, {_span(dates)}; not exact"
        for (report, flag), dates in sorted(found.items())
    ]


def _span(dates: list[str]) -> str:
    first, last = (f"{text[:4]}-{text[4:6]}-{text[6:]}" for text in (min(dates), max(dates)))
    return first if first == last else f"{first} to {last}"


def _start(settings: SourceSettings, received_at: datetime) -> date:
    """The first day to read: ``start_date``, else ``history_days`` before today."""
    given = settings.get("start_date")
    if given in (None, ""):
        return max(_FIRST, received_at.date() - timedelta(days=round(settings.number("history_days", 395))))
    try:
        return max(_FIRST, given if isinstance(given, date) else date.fromisoformat(str(given)))
    except ValueError:
        raise ConfigurationError(
            f".dlt/config.toml: [sources.{SOURCE}] start_date = {given!r}; expected a day like 2025-01-01."
        ) from None


def _last_day(received_at: datetime, zone: str | None) -> date:
    """The newest day that is over in ``zone``."""
    try:
        local = received_at.replace(tzinfo=ZoneInfo("UTC")).astimezone(ZoneInfo(zone)) if zone else received_at - _WEST
    except (ZoneInfoNotFoundError, ValueError):
        local = received_at - _WEST
    return local.date() - _DAY
