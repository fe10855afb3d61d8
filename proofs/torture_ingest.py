"""``make torture-ingest``: kill a load at every file operation and every SQL statement, run again, compare with an undisturbed load.

Each point is a process of its own that is killed with SIGKILL; forking keeps it quick. Every point is tried twice: with the working folders as
the killed load left them, and with them wiped. What is compared are the newest versions of all records, the quarantine, and the accounting.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import click

from benchmarks.figures import publish
from ingestion.landing import load, quarantine
from ingestion.rawlog import loads
from proofs.crash_scenarios import SCENARIOS, SECOND, Scenario
from salesgauge.settings import Company

_UNREACHED = "unreached"
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_OPERATIONS = frozenset(
    {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "shutil.copyfile", "shutil.move", "shutil.rmtree"}
)  # fmt: skip
_CONNECTING: tuple[Any, ...] = (load, loads, quarantine)  # modules that run statements


class _Killer:
    """Kills this process before its event number ``point``: a change of a file below ``folder``, or an SQL statement. 0: only count."""

    def __init__(self, folder: Path, point: int) -> None:
        self.count, self._folder, self._point = 0, str(folder), point
        sys.addaudithook(self._on_audit)
        for module in _CONNECTING:
            module.connect = self._counted(module.connect)

    def _event(self) -> None:
        self.count += 1
        if self.count == self._point:
            os.kill(os.getpid(), signal.SIGKILL)

    def _on_audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        is_change = event in _OPERATIONS
        if event == "open":
            mode, flags = arguments[1], arguments[2]
            is_change = bool(isinstance(flags, int) and flags & _WRITES) or (
                mode is not None and bool(set(mode) & set("wax+"))
            )
        if is_change and str(arguments[0]).startswith(self._folder):
            self._event()

    def _counted(self, original: Callable[..., Any]) -> Callable[..., Any]:
        killer = self

        class Counted:
            """A connection that announces its statements."""

            def __init__(self, con: Any) -> None:
                self._con = con

            def execute(self, *arguments: Any) -> Any:
                killer._event()
                return self._con.execute(*arguments)

            def executemany(self, *arguments: Any) -> Any:
                killer._event()
                return self._con.executemany(*arguments)

            def __getattr__(self, name: str) -> Any:
                return getattr(self._con, name)

            def __enter__(self) -> Counted:
                return self

            def __exit__(self, *error: object) -> None:
                self._con.close()

        return lambda *arguments, **options: Counted(original(*arguments, **options))


def _in_child(work: Callable[[], Any]) -> tuple[Any, bool]:
    """What ``work`` gives, from a forked process, and whether that process was killed."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            text = json.dumps(work())
            with os.fdopen(writer, "w") as pipe:
                pipe.write(text)
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    return (json.loads(said) if said else None), os.WIFSIGNALED(status)


def _count(scenario: Scenario, base: Path, work: Path) -> tuple[int, dict[str, list[str]]]:
    """The number of events of an undisturbed load, and what readers see after it."""
    root = shutil.copytree(base, work / "whole")

    def load() -> int:
        killer = _Killer(root / "var", 0)
        scenario.load(Company.open(root, {}), SECOND)
        return killer.count

    total, _ = _in_child(load)
    seen, _ = _in_child(lambda: scenario.seen(Company.open(root, {})))
    if total is None or seen["unbalanced"]:
        raise RuntimeError(f"{scenario.name}: the undisturbed load did not end well: {seen}")
    return total, seen


def attempt(number: int, base: Path, work: Path, point: int, is_wiped: bool, expected: dict[str, list[str]]) -> str:
    """Kill a load at ``point``, run it again; what is wrong then, empty where all is well, ``_UNREACHED`` where the load ended before."""
    scenario = SCENARIOS[number]
    root = work / f"{scenario.name}-{point}-{is_wiped}"
    shutil.copytree(base, root)
    try:
        company = Company.open(root, {})

        def load() -> None:
            _Killer(root / "var", point)
            scenario.load(company, SECOND)

        _, was_killed = _in_child(load)
        if not was_killed:  # threads of dlt: the number of events is not always the same
            return _UNREACHED
        if is_wiped:
            shutil.rmtree(company.work_dir, ignore_errors=True)

        def afterwards() -> dict[str, list[str]]:
            scenario.load(company, SECOND)
            return scenario.seen(company)

        seen, _ = _in_child(afterwards)
        if seen is None:
            return "the rerun failed"
        different = [name for name in expected if seen[name] != expected[name]]
        left = [path.name for path in company.work_dir.rglob("*") if path.is_file()]
        return "; ".join([*(f"{name} differs" for name in different), *(f"{name} is left" for name in left)])
    finally:
        shutil.rmtree(root, ignore_errors=True)


def torture(folder: Path, *, step: int = 1, processes: int = 2) -> dict[str, float]:
    """Every ``step``-th point of every scenario. Figures with the number of points, of bad ones, and the time."""
    began, tested, bad = time.monotonic(), 0, 0
    figures: dict[str, float] = {}
    for number, scenario in enumerate(SCENARIOS):
        work = folder / scenario.name
        work.mkdir(parents=True)
        scenario.prepare(work / "base")
        # imports that happen late happen once, in this process, before others are forked from it
        warm = Company.open(shutil.copytree(work / "base", work / "warm"), {})
        scenario.load(warm, SECOND)
        scenario.seen(warm)
        total, expected = _count(scenario, work / "base", work)
        points = [(point, is_wiped) for point in range(1, total + 1, step) for is_wiped in (False, True)]
        with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("fork")) as pool:
            futures = [
                pool.submit(attempt, number, work / "base", work, point, is_wiped, expected)
                for point, is_wiped in points
            ]
            with click.progressbar(
                _in_order(futures), length=len(points), label=scenario.name, file=sys.stderr
            ) as outcomes:
                found = list(zip(points, outcomes, strict=True))
        reached = [(point, problem) for point, problem in found if problem != _UNREACHED]
        problems = [(point, problem) for point, problem in reached if problem]
        for (point, is_wiped), problem in problems[:20]:
            click.echo(f"  {scenario.name} point {point}{' (wiped)' if is_wiped else ''}: {problem}", err=True)
        tested, bad = tested + len(reached), bad + len(problems)
        figures[f"crash_points_{scenario.name.replace('-', '_')}"] = len(reached)
    return {
        "crash_points_tested": tested,
        "crash_points_bad": bad,
        "crash_reruns_max": 1,
        "crash_points_seconds": time.monotonic() - began,
        **figures,
    }


def _in_order(futures: list[Any]) -> Iterator[str]:
    for future in futures:
        yield future.result()


@click.command()
@click.option("--step", default=1, show_default=True, help="Every how many-th event a load is killed at.")
def main(step: int) -> None:
    """Kill loads at every file operation and SQL statement; 0 may be bad."""
    with tempfile.TemporaryDirectory() as folder:
        figures = torture(Path(folder), step=step)
    publish("torture_ingest", figures)
    sys.exit(1 if figures["crash_points_bad"] else 0)


if __name__ == "__main__":
    main()
