"""A sample of the fault scripts on every source, and of the crash points; ``make faults`` and ``make torture-ingest`` play them all."""

from __future__ import annotations

from pathlib import Path

import pytest

from proofs.faults.play import SOURCES, play
from proofs.faults.scripts import LARGE, SCRIPTS, Script
from proofs.torture_ingest import torture

# Each source plays three: one of each row, in turn, so that the sample is quick and every script in it meets several systems.
ROWS = (
    ("connection cut in the body", "truncated JSON", "401 midway, once", "null for the records"),
    ("pages that go in a circle", "the same page under ever new cursors", "a cursor on the last page"),
    ("people work while a later sync runs", "commits below the watermark", "300 records of one moment in a later sync"),
)


def named(name: str) -> Script:
    (script,) = (one for one in (*SCRIPTS, *LARGE) if one.name == name)
    return script


def sample(place: int) -> tuple[Script, ...]:
    """The scripts of the source at ``place``."""
    return tuple(named(row[place % len(row)]) for row in ROWS)


def test_every_script_says_something_and_is_called_by_one_name() -> None:
    assert len({script.name for script in SCRIPTS}) == len(SCRIPTS) >= 40
    for script in SCRIPTS:
        assert script.faults or script.before or script.between, script.name
        assert any(script.is_for(source) for source in SOURCES), script.name
    plays = sum(script.is_for(source) for script in SCRIPTS for source in SOURCES)
    assert plays >= 400


@pytest.mark.slow
def test_nothing_is_lost_whatever_the_server_does(tmp_path: Path) -> None:
    outcomes = [
        play(source, script, tmp_path / f"{source.name}-{row}")
        for place, source in enumerate(SOURCES)
        for row, script in enumerate(sample(place))
    ]
    assert len(outcomes) == len(SOURCES) * len(ROWS)
    assert [one for one in outcomes if one.is_bad] == []
    failed = {one.script for one in outcomes if one.failed}
    assert "the same page under ever new cursors" in failed and "commits below the watermark" not in failed


@pytest.mark.slow
def test_a_load_that_is_killed_counts_whole_or_not_at_all(tmp_path: Path) -> None:
    figures = torture(tmp_path, step=90)
    assert figures["crash_points_tested"] >= 50
    assert figures["crash_points_bad"] == 0
