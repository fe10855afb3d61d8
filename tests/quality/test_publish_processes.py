"""Publishing beside other processes: killed at any moment, and read all the while."""

from __future__ import annotations

import multiprocessing
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType

import pytest

import quality
from quality.hashes import table_hash
from salesgauge.settings import Company
from salesgauge.warehouse import open_published
from tests.quality import publisher_process

ROOT = Path(__file__).parents[2]
KILLS = 15
READERS = 4
PUBLISHES = 30

pytestmark = pytest.mark.slow


def _start(script: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", f"tests.quality.{script}", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _served_mark(company: Company) -> int:
    """The mark of the version that is served, after checking that all of it is there."""
    version = quality.current(company)
    assert version is not None
    con = open_published(company.pointer)
    assert {name: table_hash(con, name)[0] for name in version.hashes} == version.hashes
    marks = con.execute("select distinct mark from marts.fct_deal union select mark from kpi.kpi_volume").fetchall()
    con.close()
    assert len(marks) == 1
    return int(marks[0][0])


def test_kill_at_any_moment(company: Company, small: ModuleType) -> None:
    dice = random.Random(20260701)
    mark = 1
    small.stamped(company, mark)
    _publish(company, small, mark)
    # The processes are forked from one that has imported everything and done nothing yet: a second for each of them goes by with imports.
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload([publisher_process.__name__])
    for _ in range(KILLS):
        hears, says = processes.Pipe(duplex=False)
        process = processes.Process(target=publisher_process.main, args=(says, company.root, mark + 1, mark + 50))
        process.start()
        says.close()
        published = [hears.recv()]  # it is at work: the next one is killed somewhere in it
        time.sleep(dice.uniform(0, 0.5))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        published += _rest(hears)
        served = _served_mark(company)
        # What it said was published is served, or the next one, whose link it moved before it could say so.
        assert served in (published[-1], published[-1] + 1)
        mark = served + 1
        small.stamped(company, mark)
        version = _publish(company, small, mark)
        assert not version.unchanged
        assert _served_mark(company) == mark
        assert not list(company.published_dir.rglob(".tmp-*"))
        numbers = [known.number for known in quality.versions(company)]
        assert numbers == sorted(set(numbers)) and numbers[-1] == version.number


def _rest(hears: Connection) -> list[int]:
    """What was said before the end, which comes in the middle of a word where that was killed."""
    found = []
    with hears, suppress(EOFError, OSError):
        while True:
            found.append(hears.recv())
    return found


def test_readers_never_see_an_error_or_a_mixture(company: Company, small: ModuleType, tmp_path: Path) -> None:
    small.stamped(company, 0)
    _publish(company, small, 0)
    stop = tmp_path / "stop"
    readers = [_start("reader_process", company.pointer, stop) for _ in range(READERS)]
    try:
        for mark in range(1, PUBLISHES + 1):
            small.stamped(company, mark)
            assert not _publish(company, small, mark).unchanged
    finally:
        stop.touch()
        answers = [reader.communicate(timeout=60) for reader in readers]
    seen = set()
    for reader, (output, errors) in zip(readers, answers, strict=True):
        assert reader.returncode == 0, errors
        polls, *marks = (int(word) for word in output.split())
        assert polls >= 10
        assert marks == sorted(marks)
        seen |= set(marks)
    assert len(seen) > PUBLISHES / 3, "the readers hardly ran while versions were published"
    assert len(quality.versions(company)) == 10


def _publish(company: Company, small: ModuleType, mark: int) -> quality.Version:
    return quality.publish(
        company,
        as_of=small.AS_OF,
        audit=small.PASSED,
        semantic_manifest=small.semantic_manifest(company),
        created_at=small.AS_OF + timedelta(hours=mark),
    )
