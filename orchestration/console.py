"""What people see of a run: progress while it goes on, a summary at its end. Deciding anything does not belong here."""

from __future__ import annotations

import shlex
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
from rich import box
from rich.console import Console
from rich.table import Table

from salesgauge.remarks import SHOWN, Remark, remarks, shortened
from salesgauge.settings import Company
from salesgauge.warehouse import connect, open_published

if TYPE_CHECKING:
    from orchestration.pipeline import RunOutcome

HEADLINE_KPIS = 14


def make_console() -> Console:
    """A console for people; wide enough for the tables where there is no terminal to ask."""
    console = Console()
    return console if console.is_terminal else Console(width=120)


class ConsoleReporter:
    """Progress on a terminal as live bars; elsewhere as one plain line per finished step."""

    def __init__(self, console: Console) -> None:
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._console = console
        self._lock = threading.Lock()
        self._tasks: dict[str, Any] = {}
        self._begun: dict[str, float] = {}
        self._progress = Progress(
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn("{task.description:<12}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[detail]}", markup=False),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> ConsoleReporter:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def step(self, name: str, detail: str = "") -> None:
        with self._lock:
            self._begun.setdefault(name, time.monotonic())
            if name not in self._tasks:
                self._tasks[name] = self._progress.add_task(name, total=None, detail=detail)

    def advance(self, name: str, done: int, total: int | None = None, unit: str = "rows") -> None:
        self.step(name)
        text = f"{done:,} of {total:,} {unit}" if total else f"{done:,} {unit}"
        with self._lock:
            self._progress.update(self._tasks[name], completed=done, total=total, detail=text)

    def done(self, name: str, detail: str = "") -> None:
        self.step(name)
        with self._lock:
            self._progress.update(self._tasks[name], completed=1, total=1, detail=detail)
            if not self._console.is_terminal:
                seconds = time.monotonic() - self._begun[name]
                self._console.print(f"{name:<12} {detail} ({seconds:.1f} s)", highlight=False, markup=False)


def print_summary(console: Console, company: Company, outcome: RunOutcome) -> None:
    """Rows per source, scores, the main KPIs against their targets, and where to look next."""
    if outcome.sources:
        console.print(_sources_table(outcome.sources))
        for name, source in outcome.sources.items():
            for note in source.get("notes") or ():
                console.print(f"{name}: {note}", style="yellow", highlight=False, markup=False, soft_wrap=True)
    if outcome.exit_code in (0, 3, 5) and company.pointer.exists():
        con = open_published(company.pointer)
        try:
            table = _scorecard_table(con)
            console.print(
                table if table.row_count else "process.yml names no targets: there is nothing to compare KPIs with."
            )
            for line in _score_lines(con):
                console.print(line, highlight=False)
            print_remarks(console, remarks(con))
        finally:
            con.close()
    _print_end(console, company, outcome)


def print_remarks(console: Console, found: list[Remark]) -> None:
    """What could not be judged, three lines of each kind."""
    for title, lines in shortened(found):
        console.print(f"{title}:", style="bold yellow", highlight=False)
        for line in lines:
            console.print(f"  - {line}", highlight=False, markup=False, soft_wrap=True)


def newest_remarks(company: Company, published: duckdb.DuckDBPyConnection | None = None) -> tuple[str, list[Remark]]:
    """What the newest run could not judge, and of which warehouse that is said: the one that was not published where its audit failed.

    ``published``: a connection to the served version, where the caller has one. ConfigurationError where there is neither.
    """
    if company.warehouse_file.exists():
        with (
            suppress(duckdb.Error),  # a run is writing it, or did not come to its audit
            connect(company.warehouse_file, read_only=True) as con,
        ):
            if con.execute("from quality.checks where not passed and severity = 'error' limit 1").fetchone():
                return "the newest run, which was not published", remarks(con)
    version = f"version {company.pointer.resolve().parent.name}"
    if published is not None:
        return version, remarks(published)
    with open_published(company.pointer) as con:
        return version, remarks(con)


def _sources_table(sources: dict[str, dict[str, Any]]) -> Table:
    table = Table(title="Sources", title_justify="left", box=box.SIMPLE_HEAD)
    for header in ("source", "state"):
        table.add_column(header)
    for header in ("received", "loaded", "quarantined", "duplicates", "requests", "seconds"):
        table.add_column(header, justify="right")
    for name, source in sources.items():
        counts = [f"{source[word]:,}" for word in ("received", "loaded", "quarantined", "duplicates")]
        table.add_row(name, source["state"], *counts, f"{source['requests'] or 0:,}", f"{source['seconds']:.1f}")
    return table


def _scorecard_table(con: Any) -> Table:
    table = Table(
        title="KPIs: the last 13 weeks against the baseline and the target", title_justify="left", box=box.SIMPLE_HEAD
    )
    for header in ("KPI", "baseline", "now", "target", "n", "status"):
        table.add_column(header, justify="left" if header in ("KPI", "status") else "right")
    from salesgauge.numbers import value_of

    (currency,) = con.execute("select currency from process.run").fetchone()
    rows = con.execute(
        "select kpi, from_stage, to_stage, unit, baseline, current_value, target, current_n, status from kpi.kpi_scorecard "
        "order by kpi, from_stage, to_stage, segment limit ?",
        [HEADLINE_KPIS],
    ).fetchall()
    for kpi, from_stage, to_stage, unit, baseline, current, target, n, status in rows:
        name = f"{kpi} {from_stage} → {to_stage}" if from_stage else kpi
        values = [value_of(value, unit, currency) for value in (baseline, current, target)]
        table.add_row(name, *values, f"{n:,}" if n is not None else "–", status or "–")
    return table


def _score_lines(con: Any) -> list[str]:
    from salesgauge.numbers import share

    row = con.execute(
        "select completeness, complete_record_rate, validity_rate, uniqueness_rate, timeliness_rate, n from kpi.kpi_crm_completeness "
        "where period_grain = 'all' and segment_type = 'total'"
    ).fetchone()
    if row is None:
        return []
    words = ("completeness", "complete records", "validity", "uniqueness", "timeliness")
    scores = [f"{word} {share(value)}" for word, value in zip(words, row[:5], strict=True)]
    return [f"CRM data ({row[5]:,} records): {' · '.join(scores)}"]


def _print_end(console: Console, company: Company, outcome: RunOutcome) -> None:
    if outcome.exit_code == 0:
        state = "is still the newest: nothing changed" if outcome.unchanged else "is published"
        if outcome.stands:
            state = (
                "stands: no source has anything new, and all that it was made of is as it was (--full builds it anew)"
            )
        console.print(f"[green]Version {outcome.version} {state}[/green] ({outcome.seconds:.0f} s)", highlight=False)
    else:
        console.print(f"[red]Exit {outcome.exit_code}[/red] after {outcome.seconds:.0f} s", highlight=False)
        console.print(outcome.error or "", style="red", highlight=False, markup=False, soft_wrap=True)
        if outcome.exit_code == 5:
            console.print(f"[green]Version {outcome.version} is served[/green]", highlight=False)
    if outcome.report_note:
        console.print(outcome.report_note, highlight=False, markup=False)
    for label, path in (("report", outcome.report), ("data", company.pointer), ("alerts and logs", company.logs_dir)):
        if path and Path(path).exists():
            console.print(f"  {label:<16}{path}", highlight=False, markup=False, soft_wrap=True)
    _print_next(console, company, outcome)


def _print_next(console: Console, company: Company, outcome: RunOutcome) -> None:
    """Where to look next, whatever became of the run."""
    from orchestration.exports import unread_exports
    from orchestration.pipeline import FOLLOWING

    command = f"salesgauge --company {company.root}"
    lines = [("next", f"{command} {one}") for one in FOLLOWING.get(outcome.exit_code, ())]
    unread = unread_exports(company)
    lines += [
        ("not read", f"{path}: {command} sources init {shlex.quote(str(path))} writes a mapping for it")
        for path in unread[:SHOWN]
    ]
    if len(unread) > SHOWN:
        lines.append(("not read", f"and {len(unread) - SHOWN} more files in {company.data_dir}"))
    if company.pointer.exists():
        lines.append(("ask", f"{command} query win_rate --by rep --grain quarter"))
    for label, text in lines:
        console.print(f"  {label:<16}{text}", highlight=False, markup=False, soft_wrap=True)


def status_table(con: duckdb.DuckDBPyConnection) -> Table:
    """Per source of the published version: the last load, what it holds, what is in quarantine."""
    table = Table(box=None)
    for header in ("source", "last load (UTC)", "loads", "received", "loaded", "quarantined", "duplicates"):
        table.add_column(header, justify="left" if header in ("source", "last load (UTC)") else "right")
    rows = con.execute(
        "select source, max(loaded_at), count(distinct load_id), sum(received), sum(loaded), sum(quarantined), sum(duplicates) "
        "from quality.loads group by source order by source"
    ).fetchall()
    for source, loaded_at, *counts in rows:
        table.add_row(source, f"{loaded_at:%Y-%m-%d %H:%M}", *(f"{int(count):,}" for count in counts))
    return table
