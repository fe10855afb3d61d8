"""Brings the simulated company up for the commands ``salesgauge demo …``. What it simulates belongs in ``demo``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from salesgauge.settings import PROJECT_ROOT, Company


@contextmanager
def demo_company(directory: Path, *, seed: int, crm: str = "hubspot") -> Iterator[Company]:
    """The company of ``seed`` in ``directory``, running ``crm``, with its APIs on loopback for as long as the context lasts."""
    from demo.company import write
    from demo.serve import DemoServers
    from demo.simulation.simulate import simulate

    log = simulate(seed)
    with DemoServers(log, crm) as servers:
        write(directory, log, crm_url=servers.crm_url, typeform_url=servers.typeform_url, crm_name=crm)
        yield Company.open(directory)


def wait() -> None:
    """Until Ctrl-C or a polite request to end."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    ended.wait()


def dagster_dev(company: Company, *, port: int) -> int:
    """Dagster's page and daemon on 127.0.0.1 for ``company``, until Ctrl-C; its exit code."""
    from orchestration.pipeline import dagster_home

    environ = {
        **os.environ,
        "DAGSTER_HOME": str(dagster_home(company)),
        "SALESGAUGE_COMPANY": str(company.root),
        "DAGSTER_DISABLE_TELEMETRY": "true",
        "PYTHONWARNINGS": "ignore",
    }
    command = [
        str(Path(sys.executable).parent / "dagster"),
        "dev",
        "-w",
        "workspace.yaml",
        "-h",
        "127.0.0.1",
        "-p",
        str(port),
    ]
    process = subprocess.Popen(command, cwd=PROJECT_ROOT, env=environ)

    def end(*_: object) -> None:
        process.send_signal(signal.SIGINT)

    # Dagster ends its own children when it is interrupted; they would stay behind if only this process ended.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    return process.wait()
