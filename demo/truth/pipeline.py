"""The pipeline's past: what every deal was at the end of every day on which it was open."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import pandas as pd

from demo.truth.clock import local_date
from demo.truth.facts import Facts
from demo.truth.records import Book, Deal

T = TypeVar("T")
DAY = timedelta(days=1)


class Past:
    """A counted deal at the ends of days: its stage and whether that is open, its amount, expected close and owner then."""

    def __init__(self, facts: Facts, deal: Deal) -> None:
        self.deal, self.last_day = deal, last_day(facts.book, deal.zone)
        self._entries = _days([(entry.at, entry) for entry in facts.journeys.of_deal[deal.id].entries], deal.zone)
        self._cents = _days(deal.amounts, deal.zone)
        self._expected = _days(deal.expected, deal.zone)
        self._owners = _days(deal.owners, deal.zone)

    def stage(self, day: date) -> str | None:
        """The open stage in which it stood at the end of ``day``; None where it was not there or not open."""
        entry = _newest(self._entries, day)
        is_there = self.deal.created_date is not None and self.deal.created_date <= day <= self.last_day
        return entry.stage if is_there and entry is not None and entry.stage_kind == "open" else None

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


def _days(history: Sequence[tuple[datetime | None, T]], zone: ZoneInfo) -> list[tuple[date, T]]:
    return [(local_date(at, zone), value) for at, value in history if at is not None]


def _newest(history: Sequence[tuple[date, T]], day: date) -> T | None:
    return next((value for since, value in reversed(history) if since <= day), None)
