"""The fault scripts: what goes wrong while a source is read. How they are played is in ``play``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from proofs.faults.source import BEYOND, STEP, Row, Source
from proofs.faults.wrapper import (
    Answer,
    Change,
    Fault,
    badly_packed,
    html,
    of_json,
    says,
    truncated,
    with_records,
    without_records,
)

if TYPE_CHECKING:
    from proofs.faults.play import Stage

Faulty = Callable[["Stage"], tuple[Fault, ...]]
Happening = Callable[["Stage"], int]  # what people do, or the vendor's machines; how many records it is about


@dataclass(frozen=True)
class Script:
    """What is played during one sync.

    ``before``: what happens before anything was loaded; ``between``: what happens after a sync without faults, which then goes before;
    ``after``: what happens afterwards, and one more sync follows. ``options`` are those of the server. A script without ``faults`` is about what
    happens. ``only`` and ``but``: of which sources. From ``most_requests`` on the sync counts as endless.
    """

    name: str
    faults: Faulty | None = None
    before: Happening | None = None
    between: Happening | None = None
    after: Happening | None = None
    only: tuple[str, ...] = ()
    but: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    most_requests: int = 800

    def is_for(self, source: Source) -> bool:
        """Whether it says something of ``source``."""
        return (not self.only or source.name in self.only) and source.name not in self.but


def _fault(stage: Stage, first: int, times: int | None = 1, **what: Any) -> Fault:
    return Fault(stage.source.path, first + stage.source.skip, times, **what)


def _answers(answer: Answer, times: int | None = 1, first: int = 2) -> Faulty:
    return lambda stage: (_fault(stage, first, times, answer=answer),)


def _changes(change: Change, times: int | None = 1, first: int = 1) -> Faulty:
    return lambda stage: (_fault(stage, first, times, change=change),)


def _retry_after(value: str, times: int = 1) -> Faulty:
    return _answers(says(429, {"errorType": "RATE_LIMIT"}, Retry_After=value), times)


def _does(happening: Happening, first: int = 2) -> Faulty:
    return lambda stage: (_fault(stage, first, act=lambda: happening(stage)),)


def _same_page(cursor: Callable[[int], int]) -> Faulty:
    """The first page again and again, each naming ``cursor(number of the request)`` as the next."""

    def faults(stage: Stage) -> tuple[Fault, ...]:
        first: dict[str, Row] = {}

        def change(answer: Answer, number: int) -> Answer:
            page = first.setdefault("page", json.loads(answer[2]) if answer[0] < 300 else {})
            return says(200, stage.source.more(page, cursor(number)))

        return (_fault(stage, 1, None, change=change),)

    return faults


def _circle(stage: Stage) -> tuple[Fault, ...]:
    """The first two pages in turn."""
    pages: dict[int, Answer] = {}

    def change(answer: Answer, number: int) -> Answer:
        return pages.setdefault(number % 2, answer)

    return (_fault(stage, 1, None, change=change),)


def _beyond(stage: Stage) -> tuple[Fault, ...]:
    """The last page names a next one all the same."""
    return (_fault(stage, 1, None, change=of_json(lambda body, _: stage.source.more(body, BEYOND))),)


def _busy(stage: Stage) -> int:
    return stage.work() + stage.add(stage.log.as_of - STEP / 3, 4)


def _work(stage: Stage) -> int:
    return stage.work()


def _gone(stage: Stage) -> int:
    return stage.drop()


def _late(stage: Stage) -> int:
    """A record whose transaction ended late: its time is before that of what was read already."""
    return stage.add(stage.log.as_of - 2 * STEP - timedelta(minutes=2))


def _equal(count: int) -> Happening:
    return lambda stage: stage.add(stage.log.as_of - STEP, count)


_DATE = format_datetime(datetime(2015, 10, 21, 7, 28, tzinfo=UTC), usegmt=True)
_THROTTLED = {"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}], "data": None}
_PRICE = {"maximumAvailable": 10_000, "currentlyAvailable": 0, "restoreRate": 500}
_COST = {"extensions": {"cost": {"requestedQueryCost": 100, "actualQueryCost": 0, "throttleStatus": _PRICE}}}
_FAILED = [{"message": "Something went wrong", "extensions": {"code": "INTERNAL_SERVER_ERROR"}}]


def _soon(stage: Stage) -> tuple[Fault, ...]:
    """The date is by the server's clock, which is the company's."""
    date = format_datetime(stage.log.as_of.replace(tzinfo=UTC) + timedelta(seconds=1), usegmt=True)
    return _retry_after(date)(stage)


SCRIPTS = (
    Script("429 without Retry-After", _answers(says(429, {"errorType": "RATE_LIMIT", "policyName": "SECONDLY"}))),
    Script("429, Retry-After 0", _retry_after("0")),
    Script("429, Retry-After -1", _retry_after("-1")),
    Script("429, Retry-After 0.5", _retry_after("0.5")),
    Script("429, Retry-After a date in the past", _retry_after(_DATE)),
    Script("429, Retry-After a date to come", _soon),
    Script("429, Retry-After words", _retry_after("soon")),
    Script("429, Retry-After a day", _retry_after("86400")),
    Script("429 three times", _retry_after("0", 3)),
    Script("500 once", _answers(says(500, {"message": "Internal"}))),
    Script("502 with a page of a gateway", _answers(html(502))),
    Script("503 three times", _answers(says(503), 3)),
    Script("500 for ever", _answers(says(500), None)),
    Script("connection cut before the answer", lambda stage: (_fault(stage, 2, 2, is_cut=True),)),
    Script("connection cut in the body", lambda stage: (_fault(stage, 2, 2, cut_after=40),)),
    Script("truncated JSON", _changes(truncated, 2, 2)),
    Script("an HTML page with 200", _answers(html())),
    Script("an empty body with 200", _answers((200, {"content-type": "application/json"}, b""))),
    Script("broken gzip", _changes(badly_packed, 1, 2)),
    Script("JSON of another kind", _answers((200, {"content-type": "application/json"}, b"[1, 2]"))),
    Script("null for the records", _changes(with_records(lambda records: None), 1, 2)),
    Script("no records at all", _changes(without_records(), 1, 2)),
    Script("a record twice over", _changes(with_records(lambda records: [*records, *records]), None)),
    Script("a page in reverse", _changes(with_records(lambda records: records[::-1]), None), but=("typeform",)),
    Script("the same page for ever", _same_page(lambda number: 1)),
    Script("pages that go in a circle", _circle, after=lambda stage: 1),
    Script("the same page under ever new cursors", _same_page(lambda number: number)),
    Script("a cursor on the last page", _beyond),
    Script("401 midway, once", _answers(says(401, {"message": "expired"}), 1, 3)),
    Script("401 midway, for ever", _answers(says(401, {"message": "expired"}), None, 3)),
    Script("403 midway", _answers(says(403, {"message": "forbidden"}), 1, 3)),
    Script("slow answers", lambda stage: (_fault(stage, 2, 3, wait=0.7),)),
    Script("errors beside data", _changes(of_json(lambda body, _: {**body, "errors": _FAILED}), 1, 2), only=("jobber",)),
    Script("THROTTLED three times", _answers(says(200, {**_THROTTLED, **_COST}), 3), only=("jobber",)),
    Script("THROTTLED without a price", _answers(says(200, _THROTTLED), 2), only=("jobber",)),
    Script("THROTTLED for ever", _answers(says(200, {**_THROTTLED, **_COST}), None), only=("jobber",)),
    Script("people work while the first load runs", _does(_work), after=lambda stage: 1),
    Script("a record is deleted while the first load runs", _does(_gone), after=lambda stage: stage.after_a_week(), but=(
        "hubspot", "salesforce", "servicetitan", "calendly", "typeform",  # deleted ones are listed, or never deleted, or pages hang on cursors
    )),
    Script("people work while a later sync runs", _does(_work, 1), between=_work, after=lambda stage: 1),
    Script("500 for ever in a later sync", _answers(says(500), None, 1), between=_work),
    Script("truncated JSON in a later sync", _changes(truncated, 2, 1), between=_work),
    Script("commits below the watermark", between=_late),
    Script("300 records of one moment", before=_equal(300), after=lambda stage: stage.add(stage.log.as_of - STEP, 30)),
    Script("300 records of one moment in a later sync", between=_equal(300)),
    Script("10,100 changes of one moment, and a search that shows 10,000", between=_equal(10_100), only=("hubspot",)),
    Script("an index that lags", between=_busy, after=lambda stage: stage.catch_up(), options={"search_lag": 540.0}, only=("hubspot",)),
)  # fmt: skip
LARGE = (
    Script(
        "50,000 records of one moment",
        before=_equal(50_000),
        after=lambda stage: stage.add(stage.log.as_of - STEP, 30),
        but=("calendly",),  # one request for each
        most_requests=6_000,
    ),
)
