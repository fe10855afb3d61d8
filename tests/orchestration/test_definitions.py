"""The code location loads exactly as Dagster loads it, without a secret and without a company directory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from salesgauge.settings import PROJECT_ROOT


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    from orchestration.definitions import defs

    return defs


def test_the_workspace_loads_without_secrets(tmp_path: Path) -> None:
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("SOURCES__", "SALESGAUGE"))}
    environ |= {"DAGSTER_HOME": str(tmp_path), "SALESGAUGE_COMPANY": str(tmp_path / "nowhere")}
    command = [str(Path(sys.executable).parent / "dagster"), "definitions", "validate", "-w", "workspace.yaml"]
    result = subprocess.run(command, cwd=PROJECT_ROOT, env=environ, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr[-2000:]


def test_every_layer_is_in_the_graph(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    groups = {node.group_name for node in graph.asset_nodes}
    assert {
        "sources",
        "raw",
        "process",
        "staging",
        "intermediate",
        "marts",
        "statistics",
        "kpi",
        "analysis",
        "quality",
        "published",
        "reports",
    } <= groups


def test_the_report_comes_after_the_sources(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    seen: set[dg.AssetKey] = set()
    frontier = {dg.AssetKey("leadership_report")}
    while frontier:
        seen |= frontier
        frontier = {parent for key in frontier for parent in graph.get(key).parent_keys} - seen
    from orchestration.location import (
        SOURCE_NAMES,  # of the company that this process ran first, else the demo's; the CRM comes first
    )

    assert dg.AssetKey(["source", SOURCE_NAMES[0]]) in seen
    assert dg.AssetKey(["kpi", "kpi_win_loss"]) in seen
    assert dg.AssetKey(["analysis", "forecast_locks"]) in seen


def test_dbt_tests_and_suites_are_asset_checks(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    names = [key.name for key in graph.asset_check_keys]
    assert sum(name.startswith("gx_") for name in names) >= 5
    assert sum(not name.startswith("gx_") for name in names) >= 100


def test_schedules_and_the_alert_are_on(definitions: dg.Definitions) -> None:
    schedules = {schedule.name: schedule for schedule in definitions.schedules or []}
    assert set(schedules) == {"hourly_refresh", "daily_refresh", "weekly_lock"}
    assert all(schedule.default_status == dg.DefaultScheduleStatus.RUNNING for schedule in schedules.values())
    sensors = {sensor.name: sensor for sensor in definitions.sensors or []}
    assert set(sensors) == {"failure_alert", "source_alert"}
    assert all(sensor.default_status == dg.DefaultSensorStatus.RUNNING for sensor in sensors.values())
