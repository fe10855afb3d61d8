"""The command: plays the scripts, prints what came of each, publishes the figures."""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path

import click

from benchmarks.figures import publish
from proofs.faults.play import SOURCES, Outcome, run_all
from proofs.faults.scripts import LARGE, SCRIPTS


def _show(one: Outcome) -> None:
    end = "failed loudly, rerun fine" if one.failed else "went through"
    bad = f"  BAD: {one}" if one.is_bad else ""
    click.echo(f"  {one.source:<14}{one.script:<64}{one.seconds:6.1f} s{one.requests:6} requests  {end}{bad}")


@click.command()
@click.option("--source", "names", multiple=True, help="Only this source (may be repeated).")
@click.option("--script", "words", default="", help="Only scripts whose name holds this.")
@click.option("--full", is_flag=True, help="Also the scripts with 50,000 records.")
@click.option("--processes", default=6, show_default=True)
def main(names: tuple[str, ...], words: str, full: bool, processes: int) -> None:
    """Play all fault scripts; none may lose a record."""
    scripts = [one for one in (*SCRIPTS, *(LARGE if full else ())) if words in one.name]
    sources = [one for one in SOURCES if not names or one.name in names]
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as folder:
        for outcome in run_all(Path(folder), scripts, sources, processes=processes):
            outcomes.append(outcome)
            _show(outcome)
    if not outcomes:
        raise click.ClickException("no script was played")
    per_source = Counter(one.source for one in outcomes)
    bad = Counter(one.source for one in outcomes if one.is_bad)
    figures: dict[str, float] = {
        "fault_scripts_run": len(outcomes),
        "fault_scripts_bad": sum(bad.values()),
        "fault_scripts_lost_rows": sum(one.lost for one in outcomes),
        "fault_scripts_doubled_rows": sum(one.doubled for one in outcomes),
        "fault_scripts_unbalanced_loads": sum(one.unbalanced for one in outcomes),
        "fault_scripts_failed_loudly": sum(one.failed is not None for one in outcomes),
        "fault_scripts_seconds_max": max(one.seconds for one in outcomes),
        "fault_scripts_requests_max": max(one.requests for one in outcomes),
    }
    for source in sources:
        figures[f"fault_scripts_run_{source.name}"] = per_source[source.name]
        figures[f"fault_scripts_bad_{source.name}"] = bad[source.name]
    publish("faults", figures)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
