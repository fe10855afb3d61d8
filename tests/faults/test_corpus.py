"""The whole corpus of bad records and files: all of it accounted for, nothing crashes, every record can be had back."""

from __future__ import annotations

from pathlib import Path

from proofs.corpus import play


def test_everything_is_accounted_for(tmp_path: Path) -> None:
    figures = play(tmp_path)
    assert figures.records + figures.files > 500
    assert figures.loaded > 100 and figures.quarantined > 300 and figures.refused > 10
    assert (figures.unaccounted, figures.lost, figures.crashes, figures.without_reason) == (0, 0, 0, 0)
