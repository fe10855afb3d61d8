"""Where nothing is new, nothing is built; where anything is, all is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import quality
from orchestration import pipeline, standing, transform
from orchestration.pipeline import RunOutcome
from salesgauge.process import Process
from salesgauge.settings import Company

PROCESS = """
company: {name: Standing, currency: USD, timezone: America/Chicago}
process:
  versions: [{key: baseline, effective_from: 2026-01-01}]
  stages:
    - {key: inquiry, object: lead}
    - {key: proposal, object: deal}
    - {key: won, kind: won, object: deal}
    - {key: lost, kind: lost, object: deal}
    - {key: disqualified, kind: disqualified, object: lead}
"""
MAPPING = """
files:
  - path: deals.csv
    entity: deals
    key: [id]
    columns: {deal_id: id, created_at: made, amount: price}
    dates: {format: "%Y-%m-%d", timezone: America/Chicago}
"""
Change = Callable[[Path], object]


def write(root: Path) -> Company:
    for folder in (".dlt", "sources", "data"):
        (root / folder).mkdir(parents=True)
    (root / "process.yml").write_text(PROCESS, encoding="utf-8")
    (root / "sources" / "crm.yml").write_text(MAPPING, encoding="utf-8")
    (root / "data" / "deals.csv").write_text("id,made,price\n1,2026-05-04,100\n2,2026-05-05,200\n", encoding="utf-8")
    (root / ".dlt" / "config.toml").write_text("", encoding="utf-8")
    return Company.open(root)


def made_of(root: Path, as_of: datetime, *, is_fixed: bool = False) -> str:
    company = Company.open(root)
    return standing.made_of(company, Process.load(company.process_file), as_of=as_of, is_fixed=is_fixed)


NOON = datetime(2026, 6, 1, 17)  # in Chicago


def test_a_day_is_the_companys_and_a_moment_that_was_named_is_that_moment(tmp_path: Path) -> None:
    write(tmp_path)
    today = made_of(tmp_path, NOON)
    assert made_of(tmp_path, datetime(2026, 6, 2, 4, 59)) == today
    assert made_of(tmp_path, datetime(2026, 6, 2, 5)) != today
    named = made_of(tmp_path, NOON, is_fixed=True)
    assert named != today and named == made_of(tmp_path, NOON, is_fixed=True)
    assert named != made_of(tmp_path, datetime(2026, 6, 1, 17, 1), is_fixed=True)


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "process.yml").write_text(PROCESS.replace("Standing", "Other"), encoding="utf-8"),
        lambda root: (root / "sources" / "crm.yml").write_text(MAPPING + "\n# seen\n", encoding="utf-8"),
        lambda root: (root / "sources" / "more.yml").write_text(MAPPING.replace("deals.csv", "d.csv"), encoding="utf-8"),
        lambda root: (root / ".dlt" / "config.toml").write_text("[salesgauge]\nkeep_versions = 3\n", encoding="utf-8"),
        lambda root: (root / "var" / "locks").mkdir(parents=True) or (root / "var" / "locks" / "a.parquet").touch(),
    ],
    ids=["process file", "mapping", "another mapping", "setting", "recorded lock"],
)  # fmt: skip
def test_whatever_takes_part_makes_another_version(tmp_path: Path, change: Change) -> None:
    write(tmp_path)
    before = made_of(tmp_path, NOON)
    change(tmp_path)
    assert made_of(tmp_path, NOON) != before


def test_the_code_and_the_models_take_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "company")
    found = [made_of(tmp_path / "company", NOON)]
    module = tmp_path / "project" / "quality" / "one.py"
    model = tmp_path / "project" / "dbt_project" / "models" / "kpi" / "one.sql"
    for file in (module, model):
        file.parent.mkdir(parents=True)
        file.touch()
    (tmp_path / "project" / "dbt_project" / "dbt_project.yml").touch()
    monkeypatch.setattr(standing, "PROJECT_ROOT", tmp_path / "project")
    monkeypatch.setattr(transform, "DBT_PROJECT", tmp_path / "project" / "dbt_project")
    for file in (module, model):
        file.write_text("1", encoding="utf-8")
        standing._code.cache_clear()
        found.append(made_of(tmp_path / "company", NOON))
    monkeypatch.undo()
    standing._code.cache_clear()
    assert len({*found}) == 3
    assert made_of(tmp_path / "company", NOON) == found[0]


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "{}", '{"version": "a"}', '{"version": "a", "report": 3}'])
def test_a_torn_memory_is_none(tmp_path: Path, text: str) -> None:
    company = write(tmp_path)
    company.work_dir.mkdir(parents=True)
    (company.work_dir / "published.json").write_text(text, encoding="utf-8")
    assert standing.standing(company, "anything") is None


@pytest.mark.slow
def test_a_version_stands_until_anything_is_new(tmp_path: Path) -> None:
    company = write(tmp_path)

    def run(**options: Any) -> RunOutcome:
        outcome = pipeline.run(Company.open(tmp_path), as_of="2026-06-01T12:00:00Z", **options)
        assert outcome.exit_code == 0, outcome.error
        return outcome

    first = run()
    assert not first.stands and first.sources["crm"]["loaded"] == 2
    again = run()
    assert again.stands and again.unchanged
    assert (again.version, again.report, again.step_seconds) == (first.version, first.report, {})
    assert {name: again.sources["crm"][name] for name in ("state", "received", "loaded")} == {
        "state": "unchanged", "received": 0, "loaded": 0,
    }  # fmt: skip

    # Asked for, it is built all the same, and gives the same.
    full = run(is_full=True)
    assert (full.stands, full.unchanged, full.version) == (False, True, first.version)
    assert run().stands

    # A new row: what was loaded to know of it is not loaded twice, and all is built.
    with (tmp_path / "data" / "deals.csv").open("a", encoding="utf-8") as file:
        file.write("3,2026-05-06,300\n")
    newer = run()
    assert (newer.stands, newer.unchanged) == (False, False)
    assert newer.sources["crm"]["received"] == 3 and newer.version != first.version
    assert run().stands

    # What people look at has to be there, and to be that version; and nobody may wait to be erased.
    def stands() -> bool:
        moment = datetime(2026, 6, 1, 12)
        return standing.standing(company, made_of(tmp_path, moment, is_fixed=True)) == (newer.version, newer.report)

    assert stands() and newer.report is not None
    content = newer.report.read_bytes()
    newer.report.unlink()
    assert not stands()
    newer.report.write_bytes(content)
    quality.rollback(company, first.version)
    assert not stands()
    quality.rollback(company, newer.version)
    assert stands()
    quality.announce_erasure(company)
    assert not stands()


def test_a_moment_that_is_none_is_said(tmp_path: Path) -> None:
    outcome = pipeline.run(write(tmp_path), as_of="yesterday")
    assert (outcome.exit_code, outcome.error) == (
        2, "'yesterday' is no ISO 8601 time. Write it like 2026-07-01T05:00:00Z.",
    )  # fmt: skip
