"""A load that is killed at any moment counts whole or not at all, and one rerun gives what an undisturbed run gives."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import ingestion
from salesgauge.process import Process
from salesgauge.settings import Company

POINTS = 16
PROCESS = """
company: {name: Test, currency: USD, timezone: UTC}
process:
  versions: [{key: baseline, effective_from: 2025-01-01}]
  stages: [{key: proposal}, {key: won, kind: won}]
"""
MAPPING = """files:
  - path: "*.csv"
    entity: deals
    key: id
    columns: {created_at: begun}
    dates: {format: "%Y-%m-%d", timezone: UTC}
    stages: {current: {column: stage}, entered: {proposal: begun}}
"""


def _company(root: Path) -> Company:
    """One committed load, and new data: a changed file and a new one, each with a bad row."""
    for folder in ("sources", "data"):
        (root / folder).mkdir(parents=True)
    (root / "process.yml").write_text(PROCESS)
    (root / "sources" / "crm.yml").write_text(MAPPING)
    (root / "data" / "a.csv").write_text("id,begun,stage\n1,2026-01-01,won\n2,2026-01-02,proposal\n")
    company = Company.open(root, {})
    ingestion.extract(company, Process.load(company.process_file), received_at=datetime(2026, 7, 1))
    (root / "data" / "a.csv").write_text("id,begun,stage\n1,2026-01-01,won\n2,2026-01-05,won\n3,bad,won\n")
    (root / "data" / "b.csv").write_text("id,begun,stage\n4,2026-01-01,won\n5\n")
    return company


def test_a_killed_load_counts_whole_or_not_at_all(tmp_path: Path) -> None:
    before = _company(tmp_path / "company")
    script = Path(__file__).with_name("killed_load.py")
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path), str(POINTS)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
        check=False,
    )
    assert done.returncode == 0, done.stderr
    whole, *killed = (json.loads(line) for line in done.stdout.splitlines())

    assert whole["said"][0] == "loaded"
    assert len(whole["said"]) == 2, "a load connects to nothing"
    assert (whole["rerun"], whole["after"]) == ("unchanged", whole["between"])
    assert len(whole["after"]["deals"]) == 3
    assert len(whole["after"]["quarantine"]) == 2

    assert len(killed) >= POINTS
    untouched = {"deals": 2, "stage_events": 2, "quarantine": 0, "loads": 2}
    halves = unreached = 0
    for attempt in killed:
        if attempt[
            "said"
        ]:  # dlt looks a few times more or less whether its jobs are done: then the load ends before its last points
            assert attempt["said"][0] == "loaded" and attempt["between"] == whole["after"], attempt["point"]
            unreached += 1
        sizes = {name: len(rows) for name, rows in attempt["between"].items()}
        assert sizes == untouched or attempt["between"] == whole["after"], attempt["point"]
        halves += sizes == untouched
        assert attempt["rerun"] == ("loaded" if sizes == untouched else "unchanged"), attempt["point"]
        assert attempt["after"] == whole["after"], attempt["point"]
        assert attempt["left"] == [], attempt["point"]
    assert halves > 0 and unreached <= 2
    assert before.raw_dir.is_dir()
