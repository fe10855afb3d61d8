"""The commands about sources: which there are, whether their credentials work, what is not mapped yet. Added to ``salesgauge`` in ``cli``."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from salesgauge.settings import Company


@click.group(invoke_without_command=True)
@click.pass_context
def sources(ctx: click.Context) -> None:
    """Where the data comes from: what is on, how fresh it is, what to configure.

    \b
    salesgauge sources                  the list
    salesgauge sources check hubspot    do the credentials work, and what may they read?
    salesgauge sources map              stages, owners and campaigns that nothing maps yet
    salesgauge sources kpis             which metrics the sources allow, and why not the others
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_sources)


@sources.command("list")
@click.pass_obj
def list_sources(root: Path) -> None:
    """Every source: those that are on first."""
    from orchestration.sources import sources as known

    console, table = Console(), Table(box=None)
    for header in ("source", "what it is", "kind", "state", "last load (UTC)", "lag", "rows", "next"):
        table.add_column(header, justify="right" if header in ("lag", "rows") else "left", overflow="fold")
    for one in known(Company.open(root), datetime.now(UTC).replace(tzinfo=None)):
        last = f"{one.last_load:%Y-%m-%d %H:%M}" if one.last_load else "–"
        rows = f"{one.rows:,}" if one.rows else "–"
        table.add_row(one.name, one.label, one.kind, one.state, last, _lag(one.lag), rows, one.next_step)
    console.print(table)


@sources.command("check")
@click.argument("names", nargs=-1)
@click.pass_obj
def check_sources(root: Path, names: tuple[str, ...]) -> None:
    """Try the credentials of NAMES (default: all that are on), and what they may read.

    Exit code 2 where something is missing.
    """
    from orchestration.sources import check

    console, is_fine = Console(), True
    for name, findings in check(Company.open(root), list(names)).items():
        console.print(name, style="bold", highlight=False)
        for finding in findings:
            mark, style = ("ok  ", "green") if finding.is_ok else ("MISSING", "red")
            console.print(f"  {mark} {finding.what}", style=style, highlight=False, markup=False, soft_wrap=True)
            if finding.advice:
                console.print(f"       {finding.advice}", highlight=False, markup=False, soft_wrap=True)
            is_fine = is_fine and finding.is_ok
    sys.exit(0 if is_fine else 2)


@sources.command("map")
@click.pass_obj
def map_sources(root: Path) -> None:
    """Stages, owners and campaigns in the published data that nothing maps, with the entry to write."""
    from orchestration.sources import unmapped

    found, console = unmapped(Company.open(root)), Console()
    if not found:
        console.print("Everything that the data holds is mapped.")
        return
    table = Table(box=None)
    for header in ("what", "source", "value", "records", "proposed entry"):
        table.add_column(header, justify="right" if header == "records" else "left", overflow="fold")
    for one in found:
        table.add_row(one.kind, one.source, one.value, f"{one.records:,}", one.proposal)
    console.print(table)


@sources.command("kpis")
@click.pass_obj
def kpis(root: Path) -> None:
    """Which metrics the configured sources allow, and why not the others."""
    from metrics import MetricStore
    from orchestration.sources import metrics

    company = Company.open(root)
    with MetricStore(company.pointer) as store:
        names = [metric.name for metric in store.list()]
    console, table = Console(), Table(box=None)
    for header in ("metric", "", "what to know"):
        table.add_column(header, overflow="fold")
    for one in metrics(company, names):
        table.add_row(one.metric, "yes" if one.is_available else "no", one.reason)
    console.print(table)


def _lag(lag: timedelta | None) -> str:
    if lag is None:
        return "–"
    hours = lag.total_seconds() / 3600
    return f"{max(0, hours * 60):.0f} min" if hours < 1 else f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} d"
