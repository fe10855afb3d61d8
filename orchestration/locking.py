"""One run of a company at a time, however it was started."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from salesgauge.errors import ConfigurationError
from salesgauge.settings import Company


@contextmanager
def run_lock(company: Company) -> Iterator[None]:
    """Hold ``var/run.lock``. The operating system frees the lock of a process that dies, so none is left behind.

    ConfigurationError: somebody else has it; it says who, and since when.
    """
    company.var.mkdir(parents=True, exist_ok=True)
    lock = FileLock(company.var / "run.lock", timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise ConfigurationError(
            f"another run is active in {company.root}{_holder(company)}; wait for it to end."
        ) from error
    try:
        _holder_file(company).write_text(
            json.dumps(
                {
                    "pid": os.getpid(),
                    "since": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S"),
                    "command": Path(sys.argv[0]).name,
                }
            ),
            encoding="utf-8",
        )
        yield
    finally:
        _holder_file(company).unlink(missing_ok=True)
        lock.release()


def is_held(company: Company) -> bool:
    """Whether a run holds the lock now."""
    lock = FileLock(company.var / "run.lock", timeout=0, thread_local=False)
    try:
        with lock:
            return False
    except Timeout:
        return True


def _holder(company: Company) -> str:
    """Who holds the lock, in words; empty where that was not written yet."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        found = json.loads(_holder_file(company).read_text(encoding="utf-8"))
        return f" (process {found['pid']}, {found['command']}, since {found['since']} UTC)"
    return ""


def _holder_file(company: Company) -> Path:
    return company.var / "run.holder.json"
