"""Runs a load that is killed at its n-th file operation, for many n, each in a process of its own. A script for ``test_crash``.

Usage: killed_load.py FOLDER POINTS. FOLDER holds the company directory ``company`` with one committed load and new data; a copy of it is made for
each point. Prints a JSON line per point: the views after the killed run, and after one rerun. Forking keeps it quick: the imports happen once.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import ingestion
from ingestion.catalogue import create_views
from salesgauge.process import Process
from salesgauge.settings import Company
from salesgauge.warehouse import connect

_OPERATIONS = {
    "open",
    "os.rename",
    "os.remove",
    "os.mkdir",
    "os.rmdir",
    "os.link",
    "shutil.copyfile",
    "shutil.move",
    "shutil.rmtree",
}
_KEPT = "* exclude (_load_id, _loaded_at)"
_QUERIES = {
    "deals": f"select {_KEPT} from raw_files.deals",
    "stage_events": f"select {_KEPT} from raw_files.stage_events",
    "loads": "select source, table_name, received, loaded, quarantined, duplicates from raw_log.loads",
    "quarantine": "select table_name, file, line, reason, record from raw_log.quarantine",
}


def views(company: Company) -> dict[str, list[str]]:
    with connect(":memory:") as con:
        create_views(con, company, ())
        return {name: sorted(map(str, con.execute(sql).fetchall())) for name, sql in _QUERIES.items()}


def run(company: Company) -> str:
    process = Process.load(company.process_file)
    (result,) = ingestion.extract(company, process, received_at=datetime(2026, 7, 2))
    return result.state if result.error is None else result.error


def kill_at(point: int, folder: Path, ends: Callable[[str], None]) -> None:
    """Kill this process before its operation number ``point`` on a file below ``folder``. 0: only count, and tell a socket."""
    count = 0
    prefix = str(folder)

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count
        if event == "socket.connect":
            ends(f"it connects to {arguments[1]}")
        if event in _OPERATIONS and str(arguments[0]).startswith(prefix):
            count += 1
            if count == point:
                os.kill(os.getpid(), signal.SIGKILL)
        if event == "test.ends":
            ends(str(count))

    sys.addaudithook(hook)


def in_child(work: Callable[[Callable[[str], None]], None]) -> list[str]:
    """What ``work`` says, one line each, from a forked process; nothing of this process changes."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            work(lambda line: os.write(writer, f"{line}\n".encode()) and None)  # type: ignore[arg-type]
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        said = pipe.read().splitlines()
    os.waitpid(child, 0)
    return said


def attempt(company: Company, point: int) -> dict[str, object]:
    def killed(say: Callable[[str], None]) -> None:
        kill_at(point, company.var, say)
        say(run(company))
        sys.audit("test.ends")

    def afterwards(say: Callable[[str], None]) -> None:
        between = views(company)
        rerun = run(company)
        say(json.dumps({"between": between, "rerun": rerun, "after": views(company)}))

    said = in_child(killed)
    (seen,) = in_child(afterwards)
    left = [str(path) for path in company.work_dir.rglob("*") if path.is_file()]
    return {"point": point, "said": said, "left": left, **json.loads(seen)}


def main(folder: Path, points: int) -> None:
    def fresh(name: str) -> Company:
        return Company.open(shutil.copytree(folder / "company", folder / name), {})

    run(warm := fresh("warm"))  # what is imported late is imported once
    views(warm)
    whole = attempt(fresh("whole"), 0)
    sys.stdout.write(json.dumps(whole) + "\n")
    sys.stdout.flush()  # else the children that are forked would write it again
    total = int(whole["said"][-1])  # type: ignore[index]
    step = max(1, total // points)
    for point in range(1, total + 1, step):
        sys.stdout.write(json.dumps(attempt(fresh(f"killed-{point}"), point)) + "\n")
        sys.stdout.flush()
        shutil.rmtree(folder / f"killed-{point}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
