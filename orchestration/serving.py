"""Dagster's page and daemon for a company, until Ctrl-C. What they run belongs in ``definitions``; the demo's own APIs in ``demo``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from salesgauge.errors import ConfigurationError
from salesgauge.settings import PROJECT_ROOT, Company


def dev(company: Company, *, port: int) -> int:
    """The page on 127.0.0.1 and the daemon in one, which read changed code anew; the exit code."""
    return _until_one_ends(company, [["dagster", "dev", *_WORKSPACE, "-h", "127.0.0.1", "-p", str(port)]])


def serve(company: Company, *, host: str, port: int) -> int:
    """The page and the daemon as a service runs them, side by side; where one ends, the other is ended too. The exit code."""
    page = ["dagster-webserver", *_WORKSPACE, "-h", host, "-p", str(port)]
    return _until_one_ends(company, [page, ["dagster-daemon", "run", *_WORKSPACE]])


def environment(company: Company) -> dict[str, str]:
    """The environment in which Dagster's commands are about ``company``."""
    from orchestration.pipeline import dagster_home

    return {
        **os.environ,
        "DAGSTER_HOME": str(dagster_home(company)),
        "SALESGAUGE_COMPANY": str(company.root),
        "DAGSTER_DISABLE_TELEMETRY": "true",
        "PYTHONWARNINGS": "ignore",
    }


_WORKSPACE = ("-w", str(PROJECT_ROOT / "workspace.yaml"))


def _until_one_ends(company: Company, commands: list[list[str]]) -> int:
    environ, folder = environment(company), Path(sys.executable).parent
    missing = [command[0] for command in commands if not (folder / command[0]).is_file()]
    if missing:
        raise ConfigurationError(f"{missing[0]} is not installed beside {sys.executable}. Install the locked packages.")
    # The folder of the project: the workspace names the code by its module.
    running = [
        subprocess.Popen([str(folder / name), *arguments], cwd=PROJECT_ROOT, env=environ)
        for name, *arguments in commands
    ]

    def end(*_: object) -> None:
        for process in running:
            process.send_signal(signal.SIGINT)

    # Dagster ends its own children when it is interrupted; they would stay behind if only this process ended.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    while all(process.poll() is None for process in running):
        time.sleep(0.2)
    end()
    return max(process.wait() for process in running)
