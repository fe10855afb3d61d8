"""Records that were refused are loaded again in their order, and never change what is known of the rest."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ingestion import quarantine, rawlog
from ingestion.catalogue import create_views
from ingestion.landing.load import Landing
from ingestion.landing.quarantine import Waiting
from ingestion.sources.typeform.tables import RESPONSES
from salesgauge.settings import Company
from salesgauge.warehouse import connect

START = datetime(2026, 7, 1)
# as if a column had been typed too strictly
STRICT = replace(
    RESPONSES,
    columns=tuple(
        replace(one, convert="null", expected="never") if one.name == "submitted_at" else one
        for one in RESPONSES.columns
    ),
)


@pytest.fixture
def company(tmp_path: Path) -> Company:
    (tmp_path / "process.yml").write_text("company: {}\n")
    (tmp_path / ".dlt").mkdir()
    (tmp_path / ".dlt" / "config.toml").write_text("[sources.typeform]\n")
    return Company.open(tmp_path, {})


def refuse(company: Company, hours: int, *records: dict[str, Any], is_part: bool = False) -> None:
    file = company.root / f"{hours}.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in records))
    with Landing(company, "typeform", received_at=START + timedelta(hours=hours)) as landing:
        landing.records(STRICT, [file])
        if is_part:
            landing.cursor("responses", {"part": hours})
            landing.keep()
        else:
            landing.commit()


def response(number: int, text: str = "") -> dict[str, Any]:
    return {
        "form_id": "F1", "response_id": f"r{number}", "response_type": "completed", "submitted_at": "2026-06-01T10:00:00Z",
        "text": text,
    }  # fmt: skip


def newest(company: Company) -> list[str]:
    with connect(":memory:") as con:
        create_views(con, company)
        rows = con.execute(
            "select record ->> '$.text' from raw_typeform.responses "
            "qualify row_number() over (partition by form_id, response_id order by _load_id desc, _row desc) = 1 order by response_id"
        ).fetchall()
    return [row[0] for row in rows]


def replay(company: Company, *records: Waiting) -> quarantine.Replay:
    return quarantine.replay(company, records, received_at=START + timedelta(days=2))


def test_of_two_versions_the_newer_one_stays_the_newest(company: Company) -> None:
    refuse(company, 1, response(1, "old"), response(2, "only"))
    refuse(company, 2, response(1, "new"))
    assert replay(company, *quarantine.waiting(company)).loaded == 3
    assert newest(company) == ["new", "only"] and quarantine.waiting(company) == []


def test_an_older_version_waits_for_the_newer_one(company: Company) -> None:
    refuse(company, 1, response(1, "old"))
    refuse(company, 2, response(1, "new"))
    old = next(one for one in quarantine.waiting(company) if '"old"' in (one.record or ""))
    assert replay(company, old) == quarantine.Replay(0, 1, 0, 0)
    assert newest(company) == [] and len(quarantine.waiting(company)) == 2


def test_a_replay_does_not_end_a_first_load_that_has_parts_only(company: Company) -> None:
    refuse(company, 1, response(1, "one"), is_part=True)
    assert not rawlog.has_loads(company, "typeform")
    assert replay(company, *quarantine.waiting(company)).loaded == 1
    assert not rawlog.has_loads(company, "typeform") and newest(company) == []
    refuse(company, 3, response(2, "two"))  # the end of the first load
    assert rawlog.has_loads(company, "typeform") and newest(company) == ["one"]
