"""A preview of a mapping as people see it. What is in it belongs to ``ingestion.files.previewing``."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ingestion.files.looking import Bad, FilePreview
from ingestion.files.previewing import Preview, findings
from orchestration.words import unknown_words
from salesgauge.process import Process

_MOST_REASONS = 6
_MOST_FILES = 6
_WIDE = 110  # columns from which three rows are shown


def show(console: Console, found: Preview, process: Process, name: str, command: str) -> int:
    """Print ``found`` and what to do next. The exit code: 2 where something has to be corrected."""
    if found.mistakes:
        _title(console, f"Mistakes in sources/{name}.yml", "red")
        _lines(console, found.mistakes)
    for one in found.files[:_MOST_FILES]:
        _file(console, one)
    for one in found.files[_MOST_FILES:]:
        state = (
            f"would be refused: {one.refused}"
            if one.refused
            else f"{one.rows:,} rows, {one.bad_rows:,} would be quarantined"
        )
        console.print(f"{one.file} → {one.entry.entity}: {state}", highlight=False, markup=False, soft_wrap=True)
    to_know = [f"{text}\n    → {advice}" for text, advice in findings(found, process)]
    to_know += [
        f"{one.file}: {column} says what nobody knows: {', '.join(f'{word!r} ({rows:,})' for word, rows in list(words.items())[:8])}\n"
        f"    → say under `values: {{{column}: {{…}}}}` what is meant"
        for one in found.files
        for column, words in unknown_words(one, process).items()
    ]
    if to_know:
        _title(console, "To know", "yellow")
        _lines(console, [f"- {text}" for text in dict.fromkeys(to_know)])
    _lines(console, [f"({text})" for text in found.unread])
    is_wrong = (
        bool(found.mistakes) or any(one.is_mistaken for one in found.files) or (not found.files and bool(found.unread))
    )
    following = f"correct sources/{name}.yml, then: {command} sources preview {name}" if is_wrong else f"{command} run"
    console.print(f"Next: {following}", highlight=False, markup=False, soft_wrap=True)
    return 2 if is_wrong else 0


def _file(console: Console, one: FilePreview) -> None:
    _title(console, f"{one.file} → {one.entry.entity}" + ("" if one.refused else f", {one.size}"), "bold")
    if one.refused:
        console.print(f"  would be refused: {one.refused}", style="red", highlight=False, markup=False, soft_wrap=True)
        return
    if one.columns:
        shown = min(len(one.columns[0].values), 3 if console.width >= _WIDE else 2)
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 2))
        table.add_column("ours", no_wrap=True, min_width=max(len(column.name) for column in one.columns))
        for header in ("from the file", *(f"row {number + 1}" for number in range(shown))):
            table.add_column(header, overflow="ellipsis", no_wrap=True)
        table.add_column("empty", justify="right", min_width=5)
        good = max(0, one.rows - one.left_out - one.bad_rows)
        for column in one.columns:
            empty = "" if not column.empty else "all" if column.empty == good else f"{column.empty:,}"
            style = "yellow" if empty == "all" else ""
            table.add_row(
                *(Text(text, style=style) for text in (column.name, column.given_by, *column.values[:shown], empty))
            )
        console.print(table)
    if one.encoding:
        _lines(console, [f"  read as {one.encoding}"])
    if one.left_out:
        _lines(console, [f"  {one.left_out:,} rows are left out by `where`"])
    if one.bad:
        console.print(f"  {one.bad_rows:,} of {one.rows:,} rows would be quarantined:", style="red", highlight=False)
        _lines(console, [f"    {bad.rows:,} × {bad.reason}{_examples(bad)}" for bad in one.bad[:_MOST_REASONS]])
        if len(one.bad) > _MOST_REASONS:
            _lines(console, [f"    and {len(one.bad) - _MOST_REASONS} more reasons"])
    _lines(console, [f"  {note}" for note in one.notes])
    used = {name.casefold() for name in one.entry.sources}
    rest = [name for name in one.header if name.casefold() not in used]
    if rest and one.entry.kind not in ("jsonl", "xes"):
        _lines(
            console,
            [f"  not mapped: {', '.join(rest[:20])}{f' and {len(rest) - 20:,} more' if len(rest) > 20 else ''}"],
        )


def _examples(bad: Bad) -> str:
    shown = ", ".join(f"line {line:,}{f': {value[:40]!r}' if value else ''}" for line, value in bad.examples)
    return f" ({shown})" if shown else ""


def _title(console: Console, text: str, style: str) -> None:
    console.print(text, style=style, highlight=False, markup=False, soft_wrap=True)


def _lines(console: Console, lines: Iterable[str]) -> None:
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
