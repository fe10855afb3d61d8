"""A run opens no connection but to the configured sources: none of the libraries asks for a newer version or tells how it is used."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.orchestration.whole_path import CONTROL

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
# Settings that would switch telemetry off from outside: a user does not have them.
_SWITCHES = ("DO_NOT_TRACK", "DBT_", "DAGSTER_", "GX_", "RUNTIME__", "DLT", "SALESGAUGE", "SOURCES__")

pytestmark = pytest.mark.slow


@dataclass
class Walk:
    """What the whole path came to, and the addresses that it asked for."""

    report: dict[str, Any]
    asked: list[tuple[str, list[Any]]]

    @property
    def strays(self) -> list[tuple[str, list[Any]]]:
        """What is neither one of the company's servers nor a local socket."""
        return [(event, address) for event, address in self.asked if not self._is_ours(event, address)]

    def _is_ours(self, event: str, address: list[Any]) -> bool:
        if address == ["local socket"]:
            return True
        if event in ("socket.gethostbyname", "socket.gethostbyaddr"):
            return False
        return address[0] == "127.0.0.1" and address[1] in self.report["ports"]


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    """The whole path, in a network namespace of its own where one may be made."""
    folder = tmp_path_factory.mktemp("walk")
    (folder / "site").mkdir()
    shutil.copyfile(HERE / "network_watch.py", folder / "site" / "sitecustomize.py")
    env = {name: value for name, value in os.environ.items() if not name.startswith(_SWITCHES)}
    env |= {
        "NETWORK_WATCH": str(folder / "asked.jsonl"),
        "PYTHONPATH": f"{folder / 'site'}{os.pathsep}{PROJECT}",
        "HOME": str(folder),
    }
    command = [sys.executable, str(HERE / "whole_path.py"), str(folder / "company")]
    if _may_be_alone():
        command = ["unshare", "-n", *command, "--empty-network"]
    done = subprocess.run(command, env=env, cwd=PROJECT, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    asked = [tuple(json.loads(line)) for line in (folder / "asked.jsonl").read_text().splitlines()]
    return Walk(json.loads(done.stdout.splitlines()[-1]), asked)


def _may_be_alone() -> bool:
    return (
        bool(shutil.which("unshare")) and not subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode
    )


def test_the_whole_path_was_walked(walked: Walk) -> None:
    report = walked.report
    assert (report["exit_code"], report["error"]) == (0, None)
    assert report["rows"] > 0 and len(report["findings"]) > 5 and all(report["findings"])
    assert report["loaded"] == ["dlt", "dbt", "dagster", "great_expectations", "metricflow"]
    ports = {address[1] for event, address in walked.asked if event == "socket.connect" and len(address) == 2}
    assert set(report["ports"]) <= ports  # the watch sees the connections that there have to be


def test_only_the_configured_hosts_are_asked(walked: Walk) -> None:
    asked_first = [address for _, address in walked.strays if address[0] in CONTROL]
    assert {address[0] for address in asked_first} == set(CONTROL)  # the watch notices what should not be
    assert [stray for stray in walked.strays if stray[1][0] not in CONTROL] == []


def test_nothing_looks_for_a_network(walked: Walk) -> None:
    """In a namespace with loopback only the kernel sees each attempt, also those of libraries that do not use Python's sockets."""
    if walked.report["without_route"] is None:
        pytest.skip("no network namespace may be made here: it needs Linux and the right to 'unshare -n'")
    assert walked.report["without_route"] == 0
    assert walked.report["without_route_at_the_end"] >= 1  # the control
