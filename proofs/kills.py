"""``make torture``: kill a run at random moments, run once more, compare the published tables with those of an undisturbed run.

Meanwhile readers poll the published version. Everything is real: loopback APIs, the command as a process of its own, SIGKILL.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from multiprocessing.synchronize import Event
from pathlib import Path

import click
import duckdb

from benchmarks.figures import BENCH_DIR
from demo.company import write
from demo.serve import DemoServers
from demo.simulation.simulate import simulate
from salesgauge.settings import PROJECT_ROOT


@dataclass
class Figures:
    """What the torture found. ``bad`` and ``reader_errors`` must be 0."""

    kills: int = 0
    ended_before_kill: int = 0
    bad: int = 0
    reader_errors: int = 0
    reader_polls: int = 0
    reasons: list[str] = field(default_factory=list)


def run_command(root: Path) -> subprocess.Popen[bytes]:
    """``salesgauge run`` for ``root`` as a process group of its own."""
    command = [sys.executable, "-m", "orchestration.cli", "--company", str(root), "run"]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True, cwd=PROJECT_ROOT
    )


def table_hashes(root: Path) -> dict[str, str]:
    """The content hash of every published table, as the manifest of the served version holds them."""
    pointer = root / "var" / "published" / "salesgauge.duckdb"
    manifest = json.loads((pointer.resolve().parent / "manifest.json").read_text(encoding="utf-8"))
    # The accounting of loads tells about the runs themselves: a killed run and its rerun are two.
    return {name: table["hash"] for name, table in manifest["tables"].items() if not name.startswith("quality.")}


def poll(pointer: str, stop: Event, errors: multiprocessing.SimpleQueue[str], polls: object) -> None:
    """Open the published file again and again, as a BI tool would; every error is reported."""
    while not stop.is_set():
        if not Path(pointer).exists():
            time.sleep(0.05)
            continue
        try:
            con = duckdb.connect(str(Path(pointer).resolve()), read_only=True)
            a, b = con.execute("select count(*), count(distinct as_of) from kpi.kpi_win_loss").fetchone() or (0, 0)
            con.close()
            if a == 0 or b != 1:
                errors.put(f"{a} rows with {b} moments")
        except Exception as error:
            errors.put(f"{type(error).__name__}: {error}")
        with polls.get_lock():  # type: ignore[attr-defined]
            polls.value += 1  # type: ignore[attr-defined]
        time.sleep(0.2)


def torture(work: Path, *, kills: int, seed: int, scale: float, readers: int = 4) -> Figures:
    """Kill ``kills`` runs of a company of ``scale`` at moments drawn from ``seed``; half of them on an empty company, half on a published one."""
    draw = random.Random(seed)
    figures = Figures()
    log = simulate(seed, scale=scale)
    with DemoServers(log) as servers:

        def fresh(name: str) -> Path:
            root = work / name
            shutil.rmtree(root, ignore_errors=True)
            write(root, log, crm_url=servers.crm_url, typeform_url=servers.typeform_url)
            return root

        reference = fresh("reference")
        began = time.monotonic()
        process = run_command(reference)
        output, _ = process.communicate()
        if process.returncode != 0:
            raise RuntimeError(f"the undisturbed run failed:\n{output.decode()}")
        duration = time.monotonic() - began
        expected = table_hashes(reference)

        victim = fresh("victim")
        stop, polls = multiprocessing.Event(), multiprocessing.Value("i", 0)
        errors: multiprocessing.SimpleQueue[str] = multiprocessing.SimpleQueue()
        pointer = str(victim / "var" / "published" / "salesgauge.duckdb")
        processes = [
            multiprocessing.Process(target=poll, args=(pointer, stop, errors, polls), daemon=True)
            for _ in range(readers)
        ]
        for reader in processes:
            reader.start()
        with click.progressbar(range(kills), label="kills", file=sys.stderr) as numbers:
            for number in numbers:
                # Raw log and warehouse begin anew every other time; what is published stays, so readers always have something.
                if number % 2 == 0:
                    shutil.rmtree(victim / "var" / "raw", ignore_errors=True)
                    shutil.rmtree(victim / "var" / "warehouse", ignore_errors=True)
                _kill_once(victim, draw.uniform(0.5, duration), figures)
                _compare(victim, expected, number, figures)
                # Kept after every kill: what was found so far survives when the torture itself is ended.
                write_figures(figures)
        stop.set()
        for reader in processes:
            reader.join(timeout=10)
        figures.reader_polls = polls.value
        while not errors.empty():
            figures.reader_errors += 1
            figures.reasons.append(f"reader: {errors.get()}")
    return figures


def _kill_once(root: Path, after: float, figures: Figures) -> None:
    process = run_command(root)
    try:
        process.communicate(timeout=after)
        figures.ended_before_kill += 1
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    figures.kills += 1


def _compare(root: Path, expected: dict[str, str], number: int, figures: Figures) -> None:
    process = run_command(root)
    output, _ = process.communicate()
    if process.returncode != 0:
        figures.bad += 1
        figures.reasons.append(f"kill {number}: the rerun ended with {process.returncode}: {output.decode()[-400:]}")
        return
    found = table_hashes(root)
    differing = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    if differing:
        figures.bad += 1
        figures.reasons.append(f"kill {number}: other content in {', '.join(differing[:5])}")


def write_figures(figures: Figures) -> dict[str, int]:
    """Write the counts to ``var/bench/torture_run.json``; the counts."""
    numbers = {
        "run_kills_tested": figures.kills,
        "run_kills_bad": figures.bad,
        "run_kills_ended_before": figures.ended_before_kill,
        "reader_polls": figures.reader_polls,
        "reader_errors": figures.reader_errors,
    }
    BENCH_DIR.mkdir(parents=True, exist_ok=True)
    (BENCH_DIR / "torture_run.json").write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
    return numbers


@click.command()
@click.option("--kills", default=40, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--scale", default=0.05, show_default=True, help="Size of the simulated company; 1 = two full years.")
@click.option("--work", type=click.Path(path_type=Path), default=PROJECT_ROOT / "var" / "torture")
def main(kills: int, seed: int, scale: float, work: Path) -> None:
    """Kill runs at random moments and prove that one rerun heals each."""
    figures = torture(work, kills=kills, seed=seed, scale=scale)
    numbers = write_figures(figures)
    for name, value in numbers.items():
        click.echo(f"{name:<28}{value:>8}")
    for reason in figures.reasons[:20]:
        click.echo(reason, err=True)
    sys.exit(1 if figures.bad or figures.reader_errors else 0)


if __name__ == "__main__":
    main()
