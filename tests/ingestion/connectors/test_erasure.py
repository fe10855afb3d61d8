"""Who is erased: all of that person, in every way people write an address or a number, and nobody else."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import ingestion
from ingestion import quarantine, rawlog
from ingestion.accounting import TableCount
from ingestion.erasure import erase
from ingestion.landing import Landing
from ingestion.typeform.tables import RESPONSES
from salesgauge.process import Process
from salesgauge.settings import Company
from salesgauge.warehouse import connect

START = datetime(2026, 7, 1, 5)
JANE = "jane@example.com"
PROCESS = """
company: {name: Test, currency: USD, timezone: America/Chicago}
process:
  versions: [{key: baseline, effective_from: 2025-01-01}]
  stages:
    - {key: inquiry, object: lead}
    - {key: won, kind: won}
    - {key: lost, kind: lost}
"""


@pytest.fixture
def company(tmp_path: Path) -> Company:
    (tmp_path / "process.yml").write_text(PROCESS)
    (tmp_path / "data").mkdir()
    (tmp_path / "sources").mkdir()
    return Company.open(tmp_path, {})


@pytest.fixture
def typeform(tmp_path: Path) -> Company:
    (tmp_path / "process.yml").write_text("company: {}\n")
    (tmp_path / ".dlt").mkdir()
    (tmp_path / ".dlt" / "config.toml").write_text("[sources.typeform]\n")
    return Company.open(tmp_path, {})


def sync(company: Company, hour: int) -> ingestion.SourceResult:
    process = Process.load(company.root / "process.yml")
    (result,) = ingestion.extract(company, process, received_at=START + timedelta(hours=hour), names=["web"])
    return result


def land(company: Company, hour: int, *records: dict[str, Any]) -> TableCount:
    file = company.root / f"{hour}.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in records))
    with Landing(company, "typeform", received_at=START + timedelta(hours=hour)) as landing:
        landing.records(RESPONSES, [file])
        landing.commit()
        return landing.counts["responses"]


def rows(company: Company, sql: str) -> list[tuple[Any, ...]]:
    with connect(":memory:") as con:
        rawlog.create_views(con, company)
        return con.execute(sql).fetchall()


def response(number: int, **more: Any) -> dict[str, Any]:
    fixed = {"form_id": "F1", "response_id": f"r{number}", "response_type": "completed"}
    return {**fixed, "submitted_at": f"2026-06-{number:02d}T10:00:00Z", **more}


@pytest.mark.parametrize("bad", [False, True])
def test_who_moves_to_the_line_of_an_erased_person_stays(company: Company, bad: bool) -> None:
    (company.sources_dir / "web.yml").write_text(
        "files:\n  - path: forms.csv\n    entity: form_submissions\n    columns: {submitted_at: at, email: email}\n"
        "    dates: {format: iso8601, timezone: UTC}\n"
    )
    file = company.data_dir / "forms.csv"
    wrong = "2026-06-01,last@example.com\nnext week,bad@example.com\n" if bad else ""
    file.write_text(f"at,email\n2026-06-01,{JANE}\n2026-06-02,tom@example.com\n{wrong}")
    sync(company, 0)
    assert erase(company, emails=[JANE]).rows == {"web.form_submissions": 1}
    assert len(quarantine.waiting(company)) == bad
    file.write_text(f"at,email\n2026-06-02,tom@example.com\n2026-06-03,{JANE}\n{wrong}")
    total = sync(company, 1).total
    assert (total.received, total.quarantined, total.duplicates) == (2 + 2 * bad, bad, 1)
    found = {row[0] for row in rows(company, "select email from raw_files.form_submissions")}
    assert found == {"tom@example.com", *(["last@example.com"] if bad else [])}
