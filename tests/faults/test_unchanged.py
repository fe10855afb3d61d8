"""A sync that finds nothing new loads nothing, and sends no more requests than the source's page says, for every API source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ingestion.catalogue import connector
from ingestion.connector.moments import moment
from ingestion.sources.salesforce.tables import SOBJECTS
from ingestion.sources.servicetitan.tables import FEEDS
from proofs.faults.play import SOURCES, Stage, company_log
from proofs.faults.source import Source
from salesgauge.settings import API_SOURCES

LATER = timedelta(hours=1)


@dataclass(frozen=True)
class Stated:
    """``words``: what the connector says of itself; ``number``: what that makes for what the server holds (``within(rows, field, days)`` counts)."""

    words: str
    number: Callable[[Any, Callable[..., int]], int]
    settings: tuple[tuple[str, Any], ...] = ()


STATED = {
    "hubspot": Stated(
        "22 with up to 1,000 open deals; 3 more for leads, 2 for each of quotes, invoices and payments, 1 for forms and 1 per form",
        lambda server, within: 22,
    ),
    "salesforce": Stated("2 for every object that the user can see, and 1 for the token", lambda server, within: 2 * len(SOBJECTS) + 1),
    "servicetitan": Stated("21, one for each feed and list, and one for the token; one more where the last changes of a feed lie on two pages", lambda server, within: len(FEEDS) + 1),
    "housecall_pro": Stated(
        "7, and 1 per 200 leads, per 200 employees and per 200 invoices that are open or of the last 60 days; once a week all records",
        lambda server, within: 7 + sum(len(server.state.rows[name]) // 200 for name in ("leads", "employees", "invoices")),
    ),
    "jobber": Stated(
        "11, and 1 per 50 visits from 30 days back to 90 days ahead and per 50 payments of 60 days; once a week all records",
        lambda server, within: 11 + within(server.state.rows["visits"], "startAt", 30) // 50 + within(server.state.rows["paymentRecords"], "entryDate", 60) // 50,
        (("page_size", 50),),
    ),
    "callrail": Stated(
        "6, 1 per 250 calls and forms of the last 30 days, and 1 for each month without any",
        lambda server, within: 6 + (within(server.state.calls, "start_time", 61) + within(server.state.forms, "submitted_at", 61)) // 250 + 2,
    ),
    "twilio": Stated("2, and one more per 1,000 calls of the last 2 days", lambda server, within: 2),
    "calendly": Stated(
        "6, 1 per 100 appointments of the window, and 1 for each appointment of the last 14 days",
        lambda server, within: 6 + within(server.state.events.values(), "start_time", 30) // 100 + within(server.state.events.values(), "start_time", 14, ahead=False),
    ),
    "typeform": Stated("1 per 200 forms and 2 per form", lambda server, within: 1 + 2 * 2),
    "surveymonkey": Stated("1 per 1,000 surveys and 1 per survey; once a week 1 per 1,000 responses", lambda server, within: 1 + 2),
}  # fmt: skip


def test_every_api_source_is_proved() -> None:
    # GA4 has no records that change: days are read again and replaced as a whole. Its tests say the same of days.
    assert {source.name for source in SOURCES} == set(API_SOURCES) - {"ga4", "ga4_data"} == set(STATED)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_a_sync_without_changes_loads_nothing_in_the_stated_number_of_requests(source: Source, tmp_path: Path) -> None:
    stated = STATED[source.name]
    assert connector(source.name).ABOUT.requests_when_unchanged == stated.words
    log = company_log()

    def within(rows: Any, field: str, days: int, *, ahead: bool = True) -> int:
        begins, ends = log.as_of + LATER - timedelta(days=days), log.as_of + LATER
        moments = [at for row in rows if (at := moment(row[field])) is not None]
        return sum(begins <= at and (ahead or at <= ends) for at in moments)

    small = replace(source, grown=0)
    with Stage(small, log, tmp_path, **({"page": 500} if source.name == "servicetitan" else {})).up() as stage:
        stage.configure(stated.settings)
        first = stage.sync()
        assert (first.state, first.error) == ("loaded", None)
        stage.faults.play()  # begins to count
        stage.later = LATER
        again = stage.sync()
        asked = stage.faults.asked
        assert again.error is None and again.total.loaded == again.total.quarantined == 0, again
        assert again.total.received == again.total.duplicates
        number = stated.number(stage.server, within)
        assert again.requests <= asked <= number, (asked, number)
        assert asked >= number // 3, "the stated number is far from what is sent: say what is true"
        with stage.raw_log() as con:
            assert (stage.lost(con), stage.doubled(con)) == (0, 0)
