"""The pipeline's past: what every deal was at the end of every day on which it was open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, TypeVar
from weakref import WeakKeyDictionary
from zoneinfo import ZoneInfo

import pandas as pd

from demo.truth.clock import local_date, period_start
from demo.truth.facts import Facts
from demo.truth.journeys import Entry, outcome
from demo.truth.records import Book, Deal

T = TypeVar("T")
DAY = timedelta(days=1)
# several KPIs are of them
_EVENTS: WeakKeyDictionary[Facts, pd.DataFrame] = WeakKeyDictionary()


@dataclass(frozen=True)
class Closing:
    """``cents`` and ``owner``: of the close that stands today's amount and the owner then, else those of the day before; ``expected``: that of the day before."""

    day: date
    outcome: str
    cents: int | None
    expected: date | None
    owner: str | None


class Past:
    """A counted deal at the ends of days: its stage and whether that is open, its amount, expected close and owner then."""

    def __init__(self, facts: Facts, deal: Deal) -> None:
        self.deal, self.last_day = deal, last_day(facts.book, deal.zone)
        case = facts.journeys.of_deal[deal.id]
        self.closed = case.closed
        self._entries = _days([(entry.at, entry) for entry in case.entries], deal.zone)
        self._cents = _days(deal.amounts, deal.zone)
        self._expected = _days(deal.expected, deal.zone)
        self._owners = _days(deal.owners, deal.zone)

    def _entry(self, day: date) -> Entry | None:
        is_there = self.deal.created_date is not None and self.deal.created_date <= day <= self.last_day
        return _newest(self._entries, day) if is_there else None

    def state(self, day: date) -> str | None:
        """What it was at the end of ``day``: open, won, lost or disqualified; None where it was not there."""
        entry = self._entry(day)
        return None if entry is None else outcome(entry)

    def stage(self, day: date) -> str | None:
        """The open stage in which it stood at the end of ``day``; None where it was not there or not open."""
        entry = self._entry(day)
        return entry.stage if entry is not None and entry.stage_kind == "open" else None

    def cents(self, day: date) -> int | None:
        """The amount."""
        return _newest(self._cents, day)

    def expected(self, day: date) -> date | None:
        """The expected close."""
        return _newest(self._expected, day)

    def owner(self, day: date) -> str | None:
        """The owner; before the first one, that one."""
        if self._owners and day < self._owners[0][0]:
            return self._owners[0][1]
        return _newest(self._owners, day)

    def days(self) -> list[date]:
        """The days at whose end it was open."""
        first = self.deal.created_date
        if first is None:
            return []
        return [day for day in (first + DAY * n for n in range((self.last_day - first).days + 1)) if self.stage(day)]

    def closings(self) -> list[Closing]:
        """Each time that it became won, lost or disqualified, of what stood at the end of a day."""
        first = self.deal.created_date
        if first is None:
            return []
        found: list[Closing] = []
        for day in sorted({max(day, first) for day, _ in self._entries}):
            now, before = self.state(day), self.state(day - DAY)
            if now in (None, "open", before):
                continue
            was_open = before == "open"
            found.append(
                Closing(
                    day,
                    str(now),
                    self.cents(day - DAY) if was_open else None,
                    self.expected(day - DAY) if was_open else None,
                    self.owner(day - DAY) if was_open else None,
                )
            )
        if found and self.state(self.last_day) == found[-1].outcome:
            last = found[-1]
            found[-1] = Closing(last.day, last.outcome, self.deal.cents, last.expected, self.deal.owner_at(self.closed))
        return found


def last_day(book: Book, zone: ZoneInfo) -> date:
    """The day of ``as_of``, on the later of the company's and the branch's clock."""
    return max(local_date(book.as_of, book.settings.zone), local_date(book.as_of, zone))


def pasts(facts: Facts) -> list[Past]:
    """All counted deals."""
    return [Past(facts, deal) for deal in facts.book.counted_deals()]


def daily(facts: Facts) -> pd.DataFrame:
    """One row per deal and day at whose end it was open: stage, cents, expected; rep = owner then."""
    rows: list[dict[str, Any]] = []
    for past in pasts(facts):
        for day in past.days():
            rows.append(
                {
                    "day": day,
                    "stage": past.stage(day),
                    "cents": past.cents(day),
                    "expected": past.expected(day),
                    **facts.segments(past.deal, past.owner(day), day),
                }
            )
    return facts.frame(rows, ["day", "stage", "cents", "expected"])


def events(facts: Facts) -> pd.DataFrame:
    """Expected closes that were moved or passed while the deal was open, and closings: on, event, outcome, cents, days, is_slipped, is_pushed."""
    if facts not in _EVENTS:
        _EVENTS[facts] = _events(facts)
    return _EVENTS[facts]


def _events(facts: Facts) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for past in pasts(facts):

        def add(day: date, event: str, cents: int | None, owner: str | None, past: Past = past, **values: Any) -> None:
            empty = dict.fromkeys(("outcome", "days", "is_slipped", "is_pushed"))
            segments = facts.segments(past.deal, owner, day)
            rows.append({"on": day, "event": event, "cents": cents, **empty, **values, **segments})

        days = past.days()
        pushed: list[date] = []
        for day, before in zip(days, [None, *days][:-1], strict=True):
            promise, earlier = past.expected(day), past.expected(day - DAY) if before == day - DAY else None
            if promise and earlier and promise != earlier:
                add(day, "moved", past.cents(day), past.owner(day), days=(promise - earlier).days)
                if promise > earlier:
                    pushed.append(day)
            if promise == day and day < past.last_day:
                add(day, "passed", past.cents(day), past.owner(day), is_slipped=True)
        promised = [day for day in days if past.expected(day)]
        for one in past.closings():
            is_pushed = any(day < one.day for day in pushed) if any(day < one.day for day in promised) else None
            is_kept = one.expected is not None and one.expected >= one.day
            add(
                one.day, "closed", one.cents, one.owner, outcome=one.outcome, is_slipped=False if is_kept else None,
                is_pushed=is_pushed,
            )  # fmt: skip
    return facts.frame(rows, ["on", "event", "outcome", "cents", "days", "is_slipped", "is_pushed"])


def changes(facts: Facts) -> pd.DataFrame:
    """One row per deal and month or quarter in whose pipeline it was at the begin or the end, or in which it closed for the time being:
    grain, period, came, went, cents_in, cents_out; rep = owner at the end or at the close.
    """
    rows: list[dict[str, Any]] = []
    today = local_date(facts.book.as_of, facts.book.settings.zone)
    for past in pasts(facts):
        closings, first = past.closings(), past.deal.created_date
        for grain in ("month", "quarter"):
            start = period_start(first, grain)
            while start is not None and start <= today:  # a period begins on the company's clock
                after = period_start(start + DAY * (40 if grain == "month" else 100), grain)
                assert after is not None
                row = _change(past, closings, start, after)
                if row is not None:
                    owner = row.pop("owner")
                    rows.append({"grain": grain, "period": start, **row, **facts.segments(past.deal, owner, start)})
                start = after
    return facts.frame(rows, ["grain", "period", "came", "went", "cents_in", "cents_out"])


def _change(past: Past, closings: list[Closing], start: date, after: date) -> dict[str, Any] | None:
    before, end = start - DAY, min(after - DAY, past.last_day)
    was_open, is_open = past.stage(before) is not None, past.stage(end) is not None
    was_in = was_open and start <= (past.expected(before) or date.min) < after
    is_in = is_open and start <= (past.expected(end) or date.min) < after
    closing = next((one for one in reversed(closings) if start <= one.day <= end), None) if not is_open else None
    if not (was_in or is_in or closing):
        return None
    created = past.deal.created_date
    came = "start" if was_in else "pulled_in" if was_open else "new" if created and created >= start else "reopened"
    went = (
        "end" if is_in
        else "pushed_out" if is_open
        else closing.outcome if closing and closing.outcome in ("won", "lost")
        else "removed"
    )  # fmt: skip
    inside = [start + DAY * n for n in range((end - start).days + 1)]
    first = next((past.cents(day) for day in inside if past.stage(day)), closing.cents if closing else None)
    cents_in = past.cents(before) if was_open else first
    cents_out = past.cents(end) if is_open else closing.cents if closing else cents_in
    owner = past.owner(end) if is_open else closing.owner if closing else past.owner(before)
    return {"came": came, "went": went, "cents_in": cents_in or 0, "cents_out": cents_out or 0, "owner": owner}


def _days(history: Sequence[tuple[datetime | None, T]], zone: ZoneInfo) -> list[tuple[date, T]]:
    return [(local_date(at, zone), value) for at, value in history if at is not None]


def _newest(history: Sequence[tuple[date, T]], day: date) -> T | None:
    return next((value for since, value in reversed(history) if since <= day), None)
