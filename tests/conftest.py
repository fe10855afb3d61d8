"""How the tests are shared out between processes (``make test`` has three), and a Postgres server for those that need one. What else tests use belongs
to the folders.
"""

from __future__ import annotations

import gc
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestration.cli import COLLECTING_RARELY

# As in the command: a process of tests holds several companies' graphs.
gc.set_threshold(*COLLECTING_RARELY)
# A run prints its report in some seconds; tests of the report, and the runs of tests/orchestration/test_secrets.py, print theirs.
os.environ.setdefault("SALESGAUGE__REPORT_PDF", "false")

# A worker that begins a long file last leaves the other one idle. By processor time, longest first.
LONGEST = (
    "tests/orchestration/test_pipeline.py",
    "tests/e2e/",
    "tests/dbt/",
    "tests/orchestration/",
    "tests/faults/",
    "tests/metrics/",
    "tests/quality/",
    "tests/ingestion/sources/",
)
# Their files share a fixture that takes long to make.
TOGETHER = ("tests/metrics/",)
# Each parameter of these has a company of its own: the first part of the id in brackets.
BY_PARAMETER = ("tests/e2e/test_truth.py", "tests/e2e/test_crms.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest groups first."""
    places: dict[str, tuple[int, int]] = {}
    for item in items:
        places.setdefault(group(item.nodeid), (_rank(item), len(places)))
    items.sort(key=lambda item: places[group(item.nodeid)])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Tests that share a company stay in one process: with ``--dist loadgroup`` those of a ``group``."""
    if config.getvalue("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class ByGroup(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
        """xdist's own groups are lost in pytest 9.2: it writes them into a field that is gone."""

        def _split_scope(self, nodeid: str) -> str:
            return group(nodeid)

    return ByGroup(config, log)


def group(nodeid: str) -> str:
    """The tests that share what takes long to make: those of a file, of a folder, or of a parameter."""
    path, _, test = nodeid.partition("::")
    if path in BY_PARAMETER and "[" in test:
        return f"{path}[{test.partition('[')[2].rstrip(']').partition('-')[0]}]"
    return next((folder for folder in TOGETHER if path.startswith(folder)), path)


def _rank(item: pytest.Item) -> int:
    return next((rank for rank, start in enumerate(LONGEST) if item.nodeid.startswith(start)), len(LONGEST))


def _binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    named = shutil.which("initdb")
    return found[-1].parent if found else Path(named).parent if named else None


def _unprivileged() -> list[str]:
    """What to put before a command: Postgres does not run as root."""
    if os.getuid() != 0:
        return []
    user = pwd.getpwnam("postgres" if any(one.pw_name == "postgres" for one in pwd.getpwall()) else "nobody")
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of an empty database on loopback, with a password."""
    binaries = _binaries()
    if binaries is None:
        pytest.skip("no Postgres is installed (Debian: apt install postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    folder.chmod(0o777)
    (folder / "password").write_text("pg-secret-1234")
    (folder / "password").chmod(0o644)
    before, data = _unprivileged(), folder / "data"
    options: dict[str, Any] = {"cwd": "/", "check": True, "capture_output": True}
    subprocess.run(
        [*before, str(binaries / "initdb"), "-D", str(data), "-U", "salesgauge", "-A", "scram-sha-256", f"--pwfile={folder}/password", "-N"],
        **options,
    )  # fmt: skip
    control = [*before, str(binaries / "pg_ctl"), "-D", str(data), "-w"]
    for attempts_left in reversed(range(5)):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        settings = f"-h 127.0.0.1 -p {port} -k {folder} -F"
        start = [*control, "-l", f"{folder}/log", "-o", settings, "start"]
        # Its output would keep a pipe open for as long as the server runs.
        done = subprocess.run(start, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if done.returncode == 0:
            break
        # Somebody else may have taken the port since it was found free.
        assert attempts_left, (folder / "log").read_text(errors="replace")[-2000:]
    try:
        yield f"postgresql://salesgauge:pg-secret-1234@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], **options)
        shutil.rmtree(folder, ignore_errors=True)
