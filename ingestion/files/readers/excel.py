"""A sheet of an Excel file (.xlsx), cell by cell, with what formulas left there. What columns mean does not belong here."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from zipfile import BadZipFile, ZipFile

import duckdb

from ingestion.files.readers.relation import Dialect, RefusedError, Relation, column_names, kept
from ingestion.files.readers.text import BLOCK

_EXCEL_ERRORS = {"#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A"}


def excel_relation(
    con: duckdb.DuckDBPyConnection, path: Path, dialect: Dialect, folder: Path, wanted: set[str]
) -> Relation:
    """A sheet as a relation; ``wanted``: the columns that are used, whose errors and formulas without a value matter. RefusedError."""
    from openpyxl import load_workbook

    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except Exception as error:  # openpyxl raises whatever its zip and XML readers do
        raise RefusedError(
            f"it is no Excel file (.xlsx): {type(error).__name__}. Save it as .xlsx, or set `format` to what it is."
        ) from error
    try:
        names = book.sheetnames
        if isinstance(dialect.sheet, int) and dialect.sheet >= len(names):
            raise RefusedError(f"it has no sheet number {dialect.sheet + 1}; it has: {', '.join(names)}.")
        if isinstance(dialect.sheet, str) and dialect.sheet not in names:
            raise RefusedError(f"it has no sheet '{dialect.sheet}'; it has: {', '.join(names)}.")
        sheet = book[dialect.sheet if isinstance(dialect.sheet, str) else names[dialect.sheet]]
        rows = enumerate(sheet.iter_rows(min_row=dialect.skip + 1, values_only=True), dialect.skip + 1)
        cells = next((list(row) for _, row in rows if any(cell is not None for cell in row)), [])
        while cells and cells[-1] is None:
            cells.pop()
        header = column_names(cells)
        unknown = _never_calculated(path, sheet._worksheet_path)
        money = [name for name in header if name in dialect.money]
        records = _records(rows, header, dialect, wanted, unknown)
        relation = kept(con, folder, header, records, [f"n:{name}" for name in money])
        return replace(relation, numeric=frozenset(money))
    except (BadZipFile, ElementTree.ParseError, zlib.error, EOFError, KeyError, ValueError) as error:
        raise RefusedError(
            f"it is damaged: {type(error).__name__}. Open it in a spreadsheet program, and save it."
        ) from error
    finally:
        book.close()


def _never_calculated(path: Path, sheet: str) -> dict[int, set[int]]:
    """The cells of a sheet, as row → columns from 0, with a formula whose value was never worked out: programs that write files can't do that.

    The value of a formula may be an empty text: that is one.
    """
    with ZipFile(path) as book, book.open(sheet) as text:
        before, found = b"", False
        while not found and (block := text.read(BLOCK)):
            found = b"<f" in before + block or b":f>" in before + block
            before = block[-2:]
    if not found:
        return {}
    unknown: dict[int, set[int]] = {}
    with ZipFile(path) as book, book.open(sheet) as text:
        line, rows = 0, None
        for event, row in ElementTree.iterparse(text, events=("start", "end")):
            if event == "start":
                rows = row if _tag(row) == "sheetData" else rows
                continue
            if _tag(row) != "row" or rows is None:
                continue
            line = int(row.get("r") or line + 1)
            column = -1
            for cell in row:
                reference = re.match("[A-Z]+", cell.get("r") or "")
                column = _column_number(reference.group()) if reference else column + 1
                parts = {_tag(part): part.text for part in cell}
                if "f" in parts and not parts.get("v") and cell.get("t") != "str":
                    unknown.setdefault(line, set()).add(column)
            rows.clear()  # what was read, so that memory stays flat
    return unknown


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _column_number(letters: str) -> int:
    """0 for A, 26 for AA."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def _column_letters(number: int) -> str:
    letters = ""
    while number >= 0:
        number, rest = number // 26 - 1, number % 26
        letters = chr(ord("A") + rest) + letters
    return letters


def _records(
    rows: Iterable[tuple[int, tuple[Any, ...]]],
    header: list[str],
    dialect: Dialect,
    wanted: set[str],
    unknown: dict[int, set[int]],
) -> Iterator[tuple[int, list[str] | None, str | None, str | None]]:
    width = len(header)
    used = {position: name for position, name in enumerate(header) if name in wanted}
    money = [position for position, name in enumerate(header) if name in dialect.money]
    for line, row in rows:
        cells = [_cell(value, dialect.decimal) for value in row]
        problems = [
            f"cell {_column_letters(position)}{line}: a formula that was never calculated; open the file in a spreadsheet program, and save it"
            for position in sorted(unknown.get(line, set()) & set(used))
        ]
        problems += [
            f"cell {_column_letters(position)}{line}: the error {cells[position]}"
            for position in used
            if position < len(cells) and cells[position] in _EXCEL_ERRORS - dialect.nulls
        ]
        if problems:
            yield (
                line,
                None,
                "; ".join(problems),
                json.dumps(dict(zip(header, cells, strict=False)), ensure_ascii=False),
            )
            continue
        if not any(cells):
            continue
        beyond = [cell for cell in cells[width:] if cell]
        if beyond:
            text = json.dumps(cells, ensure_ascii=False)
            yield line, None, f"it has {width + len(beyond)} cells; the header has {width}", text
        else:
            numbers = [
                "true" if position < len(row) and isinstance(row[position], int | float) else "" for position in money
            ]
            yield line, [*(cells + [""] * width)[:width], *numbers], None, None


def _cell(value: Any, decimal: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
    if isinstance(value, float):
        text = str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
        return text.replace(".", decimal)
    return str(value).replace("\x00", "")
