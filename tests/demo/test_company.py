"""The demo's company directory: valid, the same as the simulated world, written twice without a change; GA4's files."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from datetime import UTC
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from demo.company import write
from demo.ga4 import REWRITTEN_DAYS, write_events
from demo.log import CompanyLog
from demo.servers.hubspot.server import TOKEN
from demo.servers.hubspot.shape import CUSTOM
from demo.servers.hubspot.state import DEAL_STAGES, LEAD_STATUS
from demo.simulation.world import BRANCHES, HOLIDAYS, LOSS_REASONS, REPS
from salesgauge.process import Process
from salesgauge.settings import Company
from salesgauge.yaml_file import load_yaml


@pytest.fixture(scope="module")
def root(small: CompanyLog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("demo")
    write(path, small, crm_url="http://127.0.0.1:1", typeform_url="http://127.0.0.1:2")
    return path


def test_it_is_a_company_with_all_three_sources(root: Path, small: CompanyLog) -> None:
    company = Company.open(root, environ={})
    assert company.configured_sources() == ["hubspot", "ga4", "typeform"]
    assert company.as_of == small.as_of
    assert company.source("hubspot").require("base_url") == "http://127.0.0.1:1"
    assert company.source("hubspot").secret("access_token") == TOKEN
    assert company.source("typeform").secret("access_token")


def test_the_process_file_states_the_simulated_world(root: Path, small: CompanyLog) -> None:
    process = Process.load(root / "process.yml")
    assert process.company.timezone == small.timezone
    assert set(process.company.holidays) == HOLIDAYS
    for key, branch in BRANCHES.items():
        stated = process.company.branches[key]
        assert stated.timezone == branch.timezone
        assert {row.iso_weekday: (row.opens_minute, row.closes_minute) for row in stated.hours} == branch.week
    changed = small.change_at.replace(tzinfo=UTC).astimezone(ZoneInfo(small.timezone))
    assert process.process.versions[-1].effective_from == changed.date()
    assert (changed.hour, changed.minute) == (0, 0)
    mapping = process.stage_mapping["hubspot"]
    assert mapping["lead"] == {status: stage for stage, status in LEAD_STATUS.items()}
    assert mapping["default"] == {row[0]: stage for stage, row in DEAL_STAGES.items()}
    assert set(process.stage("lost").reasons) == set(LOSS_REASONS.values)


def test_sources_name_what_hubspot_holds(root: Path) -> None:
    source = load_yaml(root / "sources" / "hubspot.yml")
    for kind, fields in source["fields"].items():
        assert set(fields.values()) <= CUSTOM[kind]
    assert dict(source["teams"]) == {rep.team: rep.branch for rep in REPS.values()}


def test_written_twice_it_is_the_same_and_var_is_left_alone(root: Path, small: CompanyLog) -> None:
    (root / "var").mkdir(exist_ok=True)
    (root / "var" / "kept.txt").write_text("kept")
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()}
    write(root, small, crm_url="http://127.0.0.1:1", typeform_url="http://127.0.0.1:2")
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()} == before


def rows_of(path: Path) -> list[dict]:
    """The rows of one file of the export."""
    content = path.read_bytes()
    return [json.loads(line) for line in (gzip.decompress(content) if path.suffix == ".gz" else content).splitlines()]


def read(folder: Path) -> list[dict]:
    """All rows of the export."""
    return [row for path in sorted(folder.glob("events_*")) for row in rows_of(path)]


def test_export_files_hold_the_web_events(root: Path, small: CompanyLog) -> None:
    rows = read(root / "data" / "ga4")
    unique = {json.dumps(row, sort_keys=True) for row in rows}
    assert len(unique) == len(small.web_events)
    assert len(rows) > len(unique)  # exact duplicates do occur
    assert Counter(json.loads(row)["event_name"] for row in unique) == Counter(small.web_events["event_name"])
    names = set(small.web_events["event_name"])
    assert names >= {"session_start", "page_view", "form_start", "form_submit", "generate_lead"}
    lead = next(row for row in rows if row["event_name"] == "generate_lead" and "user_pseudo_id" in row)
    params = {param["key"]: param["value"] for param in lead["event_params"]}
    assert isinstance(lead["event_timestamp"], str)
    assert params["form_id"] == {"string_value": "quote"}
    assert params["ga_session_id"]["int_value"].isdigit()
    assert all(len(value) == 1 for value in params.values())
    assert "cross_channel_campaign" in lead["session_traffic_source_last_click"]


def test_each_day_is_a_file_of_the_companys_zone(root: Path, small: CompanyLog) -> None:
    for path in sorted((root / "data" / "ga4").glob("events_*"))[::97]:
        day = path.name[len("events_") :][:8]
        for row in rows_of(path):
            at = pd.Timestamp(int(row["event_timestamp"]), unit="us", tz="UTC").tz_convert(small.timezone)
            assert row["event_date"] == at.strftime("%Y%m%d") == day
    assert len(list((root / "data" / "ga4").iterdir())) == small.web_events["event_date"].nunique()


def test_late_events_rewrite_the_last_days_only(small: CompanyLog, tmp_path: Path) -> None:
    early = write_events(tmp_path, small, with_late=False, compress=False)
    without = len(read(tmp_path))
    rewritten = write_events(tmp_path, small, with_late=True, compress=False)
    assert len(early) > 600
    assert 1 <= len(rewritten) <= REWRITTEN_DAYS
    assert {path.name for path in rewritten} <= {path.name for path in sorted(early)[-REWRITTEN_DAYS:]}
    assert len(read(tmp_path)) > without
    assert not write_events(tmp_path, small, compress=False)


def test_forms_on_the_web_are_the_leads_that_came_by_form(full: CompanyLog) -> None:
    created = full.events[full.events["kind"] == "lead_created"]
    forms = created["data"].map(lambda data: data["created_by"] == "form").sum()
    sent = (full.web_events["event_name"] == "generate_lead").sum()
    assert 0.93 * forms < sent <= forms + 5
