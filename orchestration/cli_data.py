"""The commands about single records: where one comes from, those that wait in quarantine, persons who are to be erased. Added to ``salesgauge`` in ``cli``."""

from __future__ import annotations

import json
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import click

from salesgauge.settings import Company

_SHOWN = 25


@click.group()
def quarantine() -> None:
    """Records that could not be loaded: list them, look at one, load them again after a fix."""


@quarantine.command("list")
@click.option("--source", help="Only this source.")
@click.option("--table", help="Only this table.")
@click.option("--all", "is_all", is_flag=True, help=f"Every record, not the first {_SHOWN}.")
@click.option("--format", "style", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_obj
def quarantine_list(root: Path, source: str | None, table: str | None, is_all: bool, style: str) -> None:
    """Records that wait, the newest first. One that was loaded since, or whose file was read again, waits no longer."""
    from rich.console import Console
    from rich.table import Table

    from ingestion.quarantine import waiting

    records = waiting(Company.open(root), source=source, table=table)
    if style == "json":
        shown = [{**vars(one), "loaded_at": f"{one.loaded_at.isoformat()}Z"} for one in records]
        click.echo(json.dumps(shown, indent=1))
        return
    console = Console(markup=False)  # a reason may name [columns]
    if not records:
        console.print("Nothing waits in quarantine.")
        return
    result = Table(box=None)
    for header in ("id", "source", "table", "file, line or key", "reason"):
        result.add_column(header, overflow="fold")
    for one in records if is_all else records[:_SHOWN]:
        place = f"{one.file}:{one.line}" if one.file and one.line else one.file or one.key or ""
        result.add_row(one.id, one.source, one.table, place, one.reason)
    console.print(result)
    counts = Counter(f"{one.source}.{one.table}" for one in records)
    console.print(f"{len(records):,} wait: " + ", ".join(f"{name} {count:,}" for name, count in counts.most_common()))
    if len(records) > _SHOWN and not is_all:
        console.print(f"The first {_SHOWN} are shown; --all shows every one.")
    console.print("Next: salesgauge quarantine show ID; after a fix: salesgauge quarantine replay")


@quarantine.command("show")
@click.argument("record_id", metavar="ID")
@click.pass_obj
def quarantine_show(root: Path, record_id: str) -> None:
    """One record with everything that is known of it. The beginning of its id is enough."""
    from ingestion.quarantine import find

    one = find(Company.open(root), record_id)
    for name in ("source", "table", "load_id", "loaded_at", "file", "line", "key", "reason"):
        value = getattr(one, name)
        if value not in (None, ""):
            click.echo(f"{name:<10} {value}")
    click.echo("record")
    click.echo(_pretty(one.record))


@quarantine.command("replay")
@click.argument("record_ids", metavar="[ID]...", nargs=-1)
@click.option("--source", help="All records of this source.")
@click.option("--table", help="All records of this table.")
@click.pass_obj
def quarantine_replay(root: Path, record_ids: tuple[str, ...], source: str | None, table: str | None) -> None:
    """Load records again: those named, or all that wait. What still does not fit stays where it is.

    Records of files are loaded by the next run, once the file or its mapping in sources/NAME.yml has changed. Of Google Analytics the next run reads
    whole days again.
    """
    from ingestion.quarantine import find, replay, waiting
    from orchestration.locking import run_lock

    company = Company.open(root)
    records = [find(company, one) for one in record_ids] if record_ids else waiting(company, source=source, table=table)
    with run_lock(company):
        outcome = replay(company, records, received_at=datetime.now(UTC).replace(tzinfo=None))
    click.echo(f"{outcome.loaded:,} loaded, {outcome.waiting:,} still do not fit.")
    if outcome.by_file:
        click.echo(f"{outcome.by_file:,} are of files: correct the file or its mapping, then run again.")
    if outcome.by_day:
        click.echo(f"{outcome.by_day:,} belong to days that the next run reads again as a whole.")
    if outcome.loaded or outcome.by_day:
        click.echo(
            "Next: salesgauge run loads and publishes them."
            if outcome.by_day
            else "Next: salesgauge run publishes them."
        )


@click.command()
@click.argument("key")
@click.pass_obj
def show(root: Path, key: str) -> None:
    """Print the record that KEY names, with its source, file and line.

    KEY is written source:id; a masked one (source:…123), as logs and checks show it, finds every record whose id ends so.
    """
    from orchestration.records import MOST, find_records

    found = find_records(Company.open(root), key)
    for place, one in enumerate(found):
        if place:
            click.echo("")
        where = {"file": one.file, "line": one.line, "load_id": one.load_id, "loaded_at": one.loaded_at}
        click.echo(f"{'key':<10} {one.key}")
        click.echo(
            f"{'table':<10} {one.table}" + (f" ({one.versions} versions, the newest)" if one.versions > 1 else "")
        )
        for name, value in where.items():
            if value not in (None, ""):
                click.echo(f"{name:<10} {value}")
        for remark in one.remarks:
            click.echo(f"{'note':<10} {remark}")
        click.echo(f"record\n{_pretty(one.record)}")
    if len(found) == MOST:
        click.echo(f"\nThe first {MOST} are shown; the whole key names one.")


@click.command()
@click.option("--email", "emails", multiple=True, help="An e-mail address of the person (may be given several times).")
@click.option("--phone", "phones", multiple=True, help="A telephone number of theirs that nobody else has.")
@click.option("--dry-run", "is_trial", is_flag=True, help="Only say what would go.")
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask.")
@click.pass_obj
def erase(root: Path, emails: tuple[str, ...], phones: tuple[str, ...], is_trial: bool, is_sure: bool) -> None:
    """Erase a person from everything that Salesgauge keeps, for good.

    All versions of every record that mentions them go: raw log, quarantine, working folders, warehouse, published versions, reports. A keyed
    hash stays, so that a source that still sends the person is not believed. Erase them in the CRM too.
    """
    from orchestration.console import ConsoleReporter, make_console
    from orchestration.privacy import erase_person

    company = Company.open(root)
    if not is_trial and not is_sure:
        plan = erase_person(company, emails=emails, phones=phones, is_trial=True)
        click.echo(f"{plan.erasure.total:,} rows would go, and all older published versions.")
        click.confirm("Erase them? This can't be undone.", abort=True)
    console = make_console()
    with ConsoleReporter(console) as reporter:
        outcome = erase_person(company, emails=emails, phones=phones, is_trial=is_trial, reporter=reporter)
    word = "would go" if is_trial else "erased"
    for place, rows in sorted(outcome.erasure.rows.items()):
        console.print(f"  {place}: {rows:,} rows {word}", highlight=False)
    if not outcome.erasure.rows:
        console.print("  no row mentions the person", highlight=False)
    for path in outcome.erasure.own_files:
        console.print(f"  yours to change: {path} names the person", highlight=False, markup=False, soft_wrap=True)
    if is_trial:
        return
    console.print(f"  {outcome.erasure.suppressed:,} keyed hashes added to the suppression list", highlight=False)
    for path in outcome.left:
        console.print(f"  LEFT: {path} still names the person", style="red", markup=False, soft_wrap=True)
    if outcome.run is not None and outcome.run.error:
        console.print(f"  the run: {outcome.run.error}", style="yellow", markup=False, soft_wrap=True)
    sys.exit(outcome.exit_code)


def _pretty(record: str | None) -> str:
    try:
        return json.dumps(json.loads(record or ""), indent=2, ensure_ascii=False)
    except ValueError:
        return record or "(the record is not kept)"
