"""``make bench``: all benchmarks, one after the other."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from benchmarks import ingest, whole_run
from benchmarks.figures import publish


@click.command()
@click.option("--rows", default=1_000_000, show_default=True, help="Rows of the files that are loaded.")
def main(rows: int) -> None:
    """Measure speed as ratios against peers on the same data."""
    with tempfile.TemporaryDirectory() as folder:
        publish("run", whole_run.measure(Path(folder) / "demo"))
        publish("ingest", ingest.measure(Path(folder) / "ingest", rows=rows))


if __name__ == "__main__":
    main()
