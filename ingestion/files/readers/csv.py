"""CSV files. What their columns mean does not belong here.

Well-formed files are read by DuckDB itself. Its readers skip or refuse what is malformed, and can't say on which line a row stands once a quoted
field holds a line break; so a CSV file whose rows don't add up to its lines is read record by record in Python and handed on as Parquet, with the
line of each record, and with the records that don't fit kept as they are.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb

from ingestion.files.readers.relation import Dialect, RefusedError, Relation, column_names, kept, record_value
from ingestion.files.readers.text import lines_with_text
from ingestion.sql.lines import read_csv


def csv_relation(con: duckdb.DuckDBPyConnection, path: Path, dialect: Dialect, folder: Path) -> Relation:
    """A CSV file (UTF-8) as a relation. RefusedError."""
    header, header_lines = header_of(path, dialect)
    if len(header) > 1:
        reader = reader_of(path, dialect, header, header_lines)
        try:
            lines = lines_with_text(path)
            row = con.execute(f"select count(*) from {reader}").fetchone() if lines >= 0 else None
            rows = row[0] if row else 0
            if row and rows == lines - header_lines:
                sql = numbered(reader, header, f"{header_lines} + row_number() over ()")
                return Relation(sql, dict.fromkeys(header, "varchar"), lambda: rows)
        except duckdb.Error:
            pass  # a malformed row: find out which
    return kept(con, folder, header, _records(path, dialect, len(header)))


def reader_of(path: Path, dialect: Dialect, header: list[str], header_lines: int) -> str:
    """SQL of DuckDB's reader for a well-formed file with this header."""
    names = [f"s:{name}" for name in header]
    return read_csv(path, names, delimiter=dialect.delimiter, quoting=dialect.quote, skip=header_lines)


def numbered(reader: str, header: list[str], line: str) -> str:
    """SQL of what a reader gives, as a relation; ``line``: the expression of the line of a row."""
    return (
        f"select *, {line} as _line, cast(null as varchar) as _reject, {record_value(header)} as _record from {reader}"
    )


def header_of(path: Path, dialect: Dialect) -> tuple[list[str], int]:
    """The column names, and the number of lines up to the first record."""
    with path.open("r", encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        for _ in range(dialect.skip):
            file.readline()
        reader = csv.reader(file, delimiter=dialect.delimiter, quotechar=dialect.quote)
        try:
            header = next((cells for cells in reader if any(cell.strip() for cell in cells)), [])
        except csv.Error as error:
            raise RefusedError(f"its header can't be read: {error}. Check `delimiter` and `quote`.") from error
        lines = dialect.skip + reader.line_num
    return column_names([cell.strip() for cell in header], dialect.encoding or "utf-8"), lines


def _records(
    path: Path, dialect: Dialect, width: int
) -> Iterator[tuple[int, list[str] | None, str | None, str | None]]:
    """Each record as (line, cells, None, None), or (line, None, why, text) where it can't be used."""
    csv.field_size_limit(sys.maxsize)
    with path.open("r", encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        pending: list[str] = []

        def lines() -> Iterator[str]:
            for line in file:
                pending.append(line)
                yield line

        for _ in range(dialect.skip):
            file.readline()
        reader = csv.reader(lines(), delimiter=dialect.delimiter, quotechar=dialect.quote, strict=True)
        number, header = dialect.skip, True
        while True:
            try:
                cells = next(reader)
                problem = None
            except StopIteration:
                return
            except csv.Error as error:
                cells, problem = [], _problem(str(error), number + 1)
            text, begin = "".join(pending), number + 1
            number += len(pending)
            pending.clear()
            if header:
                header = not any(cell.strip() for cell in cells)
                continue
            if not text.strip("\r\n"):
                continue
            shown = text.rstrip("\r\n").encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
            problem = problem or _unusable(cells, width, text, dialect)
            yield (begin, None, problem, shown.replace("\x00", "\\x00")) if problem else (begin, cells, None, None)


def _problem(error: str, line: int) -> str:
    if "unexpected end of data" in error:
        raise RefusedError(
            f"a quoted field that begins in line {line} or later is never closed. Check the file, or `quote`."
        )
    return f"malformed CSV ({error}); expected a quote inside a quoted field to be doubled"


def _unusable(cells: list[str], width: int, text: str, dialect: Dialect) -> str | None:
    if len(cells) != width:
        return f"it has {len(cells)} columns; the header has {width}"
    if any("\udc80" <= character <= "\udcff" for character in text):
        return f"it holds bytes that are no {dialect.encoding or 'utf-8'} text; set `encoding`, for example cp1252"
    if "\x00" in text:
        return "it holds a NUL character"
    return None
