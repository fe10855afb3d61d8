"""A Postgres server of its own for the tests that need one, from the system's package."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


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
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    before, data = _unprivileged(), folder / "data"
    options = {"cwd": "/", "check": True, "capture_output": True}
    subprocess.run(
        [*before, str(binaries / "initdb"), "-D", str(data), "-U", "salesgauge", "-A", "scram-sha-256", f"--pwfile={folder}/password", "-N"],
        **options,
    )  # fmt: skip
    settings = f"-h 127.0.0.1 -p {port} -k {folder} -F"
    start = [*before, str(binaries / "pg_ctl"), "-D", str(data), "-w", "-l", f"{folder}/log", "-o", settings, "start"]
    subprocess.run(start, cwd="/", check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield f"postgresql://salesgauge:pg-secret-1234@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*before, str(binaries / "pg_ctl"), "-D", str(data), "-m", "immediate", "stop"], **options)
        shutil.rmtree(folder, ignore_errors=True)
