"""A sample of the fault scripts and crash points; ``make faults`` and ``make torture-ingest`` play them all."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.faults import SCRIPTS, run_all
from benchmarks.torture_ingest import torture

QUICK = {
    "429, Retry-After a day", "connection cut in the body", "truncated JSON", "null for the records", "a page twice over",
    "the same cursor for ever", "401 midway, once", "people go on working meanwhile",
}  # fmt: skip


@pytest.mark.slow
def test_nothing_is_lost_whatever_the_server_does(tmp_path: Path) -> None:
    scripts = tuple(script for script in SCRIPTS if script.name in QUICK)
    outcomes = run_all(tmp_path, scripts, is_shown=False)
    assert len(scripts) == len(QUICK) and len(outcomes) > 18
    assert [one for one in outcomes if one.is_bad] == []
    failed = {(one.source, one.script) for one in outcomes if one.failed}
    assert {("salesforce", "the same cursor for ever"), ("hubspot", "null for the records")} <= failed
    assert ("salesforce", "401 midway, once") not in failed  # its session is renewed


@pytest.mark.slow
def test_a_load_that_is_killed_counts_whole_or_not_at_all(tmp_path: Path) -> None:
    figures = torture(tmp_path, step=40)
    assert figures["crash_points_tested"] >= 50
    assert figures["crash_points_bad"] == 0
