"""One run of a company at a time, however it was started."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from salesgauge.errors import ConfigurationError
from salesgauge.settings import Company


@contextmanager
def run_lock(company: Company) -> Iterator[None]:
    """Hold ``var/run.lock``. The operating system frees the lock of a process that dies, so none is left behind.

    ConfigurationError: somebody else has it.
    """
    company.var.mkdir(parents=True, exist_ok=True)
    lock = FileLock(company.var / "run.lock", timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise ConfigurationError(f"another run is active in {company.root}; wait for it to end.") from error
    try:
        yield
    finally:
        lock.release()
