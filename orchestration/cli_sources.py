"""The commands about sources: which there are, whether their credentials work, what is not mapped yet. Added to ``salesgauge`` in ``cli``."""

from __future__ import annotations

import shlex
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from salesgauge.errors import ConfigurationError
from salesgauge.settings import Company

if TYPE_CHECKING:
    from rich.console import Console

    from orchestration.sources import Source

_MOST_POINTS = 8
_SECONDS = 1.2  # after which a preview looks into one file of each entry
_WIDE = 120  # columns from which a line says what a source is
_STYLES = {
    "loaded": "green",
    "failed": "red",
    "misconfigured": "red",
    "not configured": "yellow",
    "in parts": "yellow",
    "waiting": "yellow",
}
_LEGEND = """\
last load: UTC · synced: since the last sync that went well
newest: since the newest change of a record that was loaded
rows: of all loads · last, refused: loaded and quarantined by the last load"""


@click.group(invoke_without_command=True)
@click.pass_context
def sources(ctx: click.Context) -> None:
    """Where the data comes from: what is on, how fresh it is, what to configure.

    \b
    salesgauge sources                  the list
    salesgauge sources init FILE…       a mapping for exports, proposed from what is in them
    salesgauge sources help deals       what a mapping can say: entities, options, columns, with examples
    salesgauge sources preview crm      what a mapping makes of the first rows, in seconds
    salesgauge sources show hubspot     what it can tell, and what to configure
    salesgauge sources check hubspot    do the credentials work, and what may they read?
    salesgauge sources map              stages, owners and campaigns that nothing maps yet
    salesgauge sources kpis             which metrics the sources allow, and why not the others
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_sources)


@sources.command("list")
@click.pass_obj
def list_sources(root: Path) -> None:
    """Every source that is on, with its state; then what could be."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from orchestration.sources import sources as known

    console = Console()
    is_wide = console.width >= _WIDE
    table = Table(box=None, pad_edge=False, padding=(0, 2 if is_wide else 1, 0, 0))
    # 80 columns have no place for what a source is, nor for the year
    for header in ("source", *(("what it is", "kind") if is_wide else ()), "state", "last load"):
        table.add_column(header, no_wrap=header != "what it is")
    for header in ("synced", "newest", "rows", "last", "refused"):
        table.add_column(header, justify="right", no_wrap=True)
    found = known(Company.open(root), datetime.now(UTC).replace(tzinfo=None))
    on, off = [one for one in found if one.state != "off"], [one for one in found if one.state == "off"]
    for one in on:
        last = one.last_load.strftime("%Y-%m-%d %H:%M" if is_wide else "%m-%d %H:%M") if one.last_load else "–"
        counts = [
            _count(count, is_wide) if one.last_load else "–"
            for count in (one.rows, one.last_rows, one.last_quarantined)
        ]
        state = Text(one.state, style=_STYLES.get(one.state, ""))
        what = (one.label, one.kind) if is_wide else ()
        table.add_row(one.name, *what, state, last, _lag(one.lag), _lag(one.data_lag), *counts)
    if on:
        console.print(table)
        console.print(_LEGEND, style="dim", highlight=False)
    else:
        console.print(
            "No source is on yet. Add one of these to .dlt/config.toml, or put exports into the data directory: salesgauge sources init writes their mapping."
        )
    _print_notes(console, "what to do", [(one.name, _note(one)) for one in on if one.next_step])
    _print_notes(console, "could be on", [(one.name, f"{one.label}: {one.next_step}") for one in off])


def _note(one: Source) -> str:
    """Why a source is not as it should be, and what to do."""
    if one.failed_at is None:
        return one.next_step
    reason = " ".join(one.reason.split()).removeprefix(f"{one.name}: ")
    return f"failed {one.failed_at:%Y-%m-%d %H:%M} UTC: {reason}\n→ {one.next_step}"


def _print_notes(console: Console, title: str, notes: list[tuple[str, str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    if not notes:
        return
    console.print(f"\n{title}", style="bold")
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, note in notes:
        grid.add_row(Text(f" {name}"), Text(note))
    console.print(grid)


@sources.command("show")
@click.argument("name")
@click.pass_obj
def show_source(root: Path, name: str) -> None:
    """What source NAME can tell, what it can't, and what to configure and to grant for it."""
    from rich.console import Console

    from ingestion.catalogue import about

    known, settings = about(name), Company.open(root).source(name)
    if known is None:
        raise ConfigurationError(f"'{name}' is no source with a connector. 'salesgauge sources' lists them.")
    console = Console()
    console.print(f"{known.label} ({known.kind.replace('_', ' ')}), {known.docs}", style="bold", highlight=False)
    missing = {setting.key for setting in known.missing(settings)}
    _print_notes(
        console,
        "settings",
        [
            (
                one.key,
                f"{one.meaning}{' · secret' if one.is_secret else ''}{' · MISSING' if one.key in missing else ''}",
            )
            for one in known.settings
        ],
    )
    _print_notes(console, "rights to grant", [("", scope) for scope in known.scopes])
    _print_notes(console, "provides", list(known.provides.items()))
    _print_notes(console, "does not allow, or not exactly", list(known.limits.items()))
    pages = list(known.pages(settings).items()) or [("", f"none is known; [sources.{name}.pages] can name some")]
    _print_notes(console, "pages of records, for the links of query --drill", pages)
    _print_notes(console, "requests of a sync that finds nothing new", [("", known.requests_when_unchanged)])


@sources.command("check")
@click.argument("names", nargs=-1)
@click.pass_obj
def check_sources(root: Path, names: tuple[str, ...]) -> None:
    """Try the credentials of NAMES (default: all that are on), and what they may read; of files open them and judge their rows.

    LOOK marks what the numbers are worth less for. Exit code 2 where something is missing or wrong.
    """
    from rich.console import Console

    from orchestration.sources import check

    console, is_fine = Console(), True
    for name, findings in check(Company.open(root), list(names)).items():
        console.print(name, style="bold", highlight=False)
        for finding in findings:
            mark, style = ("ok  ", "green") if finding.is_ok and not finding.advice else ("LOOK", "yellow")
            if not finding.is_ok:
                mark, style = "MISSING", "red"
            console.print(f"  {mark} {finding.what}", style=style, highlight=False, markup=False, soft_wrap=True)
            for line in finding.advice.splitlines():
                console.print(f"       {line}", highlight=False, markup=False, soft_wrap=True)
            is_fine = is_fine and finding.is_ok
    sys.exit(0 if is_fine else 2)


@sources.command("init")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--name", help="What the source is called (default: like the file).")
@click.option("--print", "show_only", is_flag=True, help="Show the mapping, and write nothing.")
@click.pass_obj
def init_source(root: Path, files: tuple[Path, ...], name: str | None, show_only: bool) -> None:
    """Write a commented mapping for FILES, proposed from their headers and values. You only correct it.

    CSV, Excel, JSON lines, Parquet and XES. Without FILES: all exports in the data directory that nothing reads yet. Several exports of one name
    (deals_2026-01.csv, deals_2026-02.csv) become one entry. A file that is there is never overwritten.
    """
    from rich.console import Console

    from orchestration.onboarding import propose

    company = Company.open(root)
    found = propose(company, files, name, write=not show_only)
    if show_only:
        click.echo(found.text, nl=False)
        return
    console = Console()
    command = f"salesgauge{'' if root == Path() else f' --company {shlex.quote(str(root))}'}"
    lines = [f"wrote {found.path}"]
    if open_points := [
        line.strip().lstrip("# ") for line in found.text.splitlines() if "???" in line or "CHECK:" in line
    ]:
        lines.append("To decide, in this file:")
        lines += [f"  - {point}" for point in open_points[:_MOST_POINTS]]
        lines += [f"  - and {len(open_points) - _MOST_POINTS} more"] if len(open_points) > _MOST_POINTS else []
    if found.outside:
        files_there = " ".join(shlex.quote(str(path)) for path in found.outside)
        lines.append(
            f"Next: cp {files_there} {shlex.quote(str(company.data_dir))}/, as paths begin there (or set SALESGAUGE_DATA)"
        )
        lines.append(f"Then: {command} sources preview {found.name}")
    else:
        lines.append(f"Next: {command} sources preview {found.name}")
    console.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)


@sources.command("preview")
@click.argument("name")
@click.pass_obj
def preview_source(root: Path, name: str) -> None:
    """What the mapping of files NAME makes of their first rows: rows as they would be loaded, what would be quarantined, words that nothing maps.

    Takes seconds whatever the size of the files, and loads nothing. Exit code 2 where the mapping has mistakes or a file would be refused.
    """
    from rich.console import Console

    from ingestion.files.previewing import preview
    from orchestration.preview import show
    from salesgauge.process import Process

    company = Company.open(root)
    process = Process.load(company.process_file)
    found = preview(company, process, name, seconds=_SECONDS)
    command = f"salesgauge{'' if root == Path() else f' --company {shlex.quote(str(root))}'}"
    sys.exit(show(Console(), found, process, name, command))


@sources.command("help")
@click.argument("name", required=False)
def help_sources(name: str | None) -> None:
    """What a mapping can say. NAME: an entity (deals), an option (dates) or a column (owner_id), each with an example."""
    from ingestion.files.mapping.reference import overview, topic

    for line in topic(name) if name else overview():
        click.echo(line)


@sources.command("map")
@click.pass_obj
def map_sources(root: Path) -> None:
    """Stages, owners and campaigns in the published data that nothing maps, with the entry to write."""
    from rich.console import Console
    from rich.table import Table

    from orchestration.sources import unmapped

    found, console = unmapped(Company.open(root)), Console(markup=False)  # a stage may be called [Won]
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
    """Which metrics the published data allow, and why not the others; where nothing is published, which the sources allow."""
    from rich.console import Console
    from rich.table import Table

    from orchestration.sources import metrics
    from salesgauge.kpis import kpis

    company = Company.open(root)
    console, table = Console(), Table(box=None)
    for header in ("metric", "", "what to know"):
        table.add_column(header, overflow="fold")
    for one in metrics(company, list(kpis())):
        table.add_row(one.metric, "yes" if one.is_available else "no", one.reason)
    console.print(table)


def _count(count: int, is_wide: bool) -> str:
    return f"{count:,}" if is_wide or count < 100_000 else f"{count / 1e6:.1f} M"


def _lag(lag: timedelta | None) -> str:
    if lag is None:
        return "–"
    hours = lag.total_seconds() / 3600
    return f"{max(0, hours * 60):.0f} min" if hours < 1 else f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} d"
