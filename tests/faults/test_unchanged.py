"""A sync that finds nothing new loads nothing, and sends no more requests than the source's page says, for every API source."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ingestion.catalogue import connector
from ingestion.connector.moments import moment
from proofs.faults.play import SOURCES, Stage, company_log
from proofs.faults.source import Source
from salesgauge.settings import API_SOURCES

LATER = timedelta(hours=1)


def test_every_api_source_is_proved() -> None:
    # GA4 has no records that change: days are read again and replaced as a whole. Its tests say the same of days.
    assert {source.name for source in SOURCES} == set(API_SOURCES) - {"ga4", "ga4_data"}


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_a_sync_without_changes_loads_nothing_in_the_stated_number_of_requests(source: Source, tmp_path: Path) -> None:
    stated = source.stated
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
