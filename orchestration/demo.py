"""Brings the simulated company up for the commands ``salesgauge demo …``. What it simulates belongs in ``demo``."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from salesgauge.settings import Company


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
