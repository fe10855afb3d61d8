"""Figures of a benchmark: printed as a table and written as flat JSON, with units in the names."""

from __future__ import annotations

import json
from pathlib import Path

import click

from salesgauge.settings import PROJECT_ROOT

BENCH_DIR = PROJECT_ROOT / "var" / "bench"


def publish(name: str, figures: dict[str, float]) -> Path:
    """Print ``figures`` under ``name`` and write them to ``var/bench/<name>.json``; the file."""
    BENCH_DIR.mkdir(parents=True, exist_ok=True)
    path = BENCH_DIR / f"{name}.json"
    path.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    click.echo(f"\n{name}")
    for key, value in figures.items():
        click.echo(f"  {key:<52}{value:>14,.2f}" if isinstance(value, float) else f"  {key:<52}{value:>14,}")
    return path
