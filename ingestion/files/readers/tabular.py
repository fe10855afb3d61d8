"""Files as DuckDB relations, each by the reader of its format: CSV, Excel, Parquet, JSON lines and XES in one shape (``relation``).

What their columns mean does not belong here (``ingestion.files.mapping``).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import duckdb

from ingestion.files.readers.csv import csv_relation, header_of, numbered, reader_of
from ingestion.files.readers.encodings import is_utf8, mark_of
from ingestion.files.readers.excel import excel_relation
from ingestion.files.readers.json_lines import json_relation, parsed, xes_relation
from ingestion.files.readers.parquet import parquet_relation
from ingestion.files.readers.relation import Dialect, RefusedError, Relation
from ingestion.files.readers.text import BLOCK, as_utf8, detected, lines_with_text
from ingestion.sql.lines import UNSAFE, read_lines

# What the first bytes of a file say that it is: the mark, the format of a mapping, and words for it.
_KINDS = (
    (b"\xd0\xcf\x11\xe0", "", "an old Excel file (.xls), or one with a password. Save it as .xlsx without a password"),
    (b"PK\x03\x04", "excel", "an Excel file, whatever its name says. Set `format: excel`"),
    (b"PAR1", "parquet", "a Parquet file, whatever its name says. Set `format: parquet`"),
    (b"%PDF", "", "a PDF. Export the data as CSV or Excel"),
    (b"<!doctype html", "", "a web page. Export the data as CSV or Excel: perhaps a login page was saved"),
    (b"<html", "", "a web page. Export the data as CSV or Excel: perhaps a login page was saved"),
)


def read(
    con: duckdb.DuckDBPyConnection, path: Path, dialect: Dialect, folder: Path, wanted: Iterable[str] = ()
) -> Relation:
    """The file ``path`` as a relation; working files go to ``folder``. ``wanted``: its columns that are used (of JSON lines their paths).

    RefusedError if it can't be.
    """
    try:
        if other := _other_kind(path, dialect.format):
            raise RefusedError(f"it is {other}.")
        if dialect.format == "parquet":
            return parquet_relation(con, path)
        if dialect.format == "excel":
            return excel_relation(con, path, dialect, folder, set(wanted))
        if dialect.format == "xes":
            return xes_relation(con, path, folder, list(wanted))
        encoding, line = (dialect.encoding, None) if dialect.encoding else detected(path)
        text = as_utf8(path, encoding, folder)
        if dialect.format == "jsonl":
            relation = json_relation(con, text, folder, list(wanted))
        else:
            relation = csv_relation(con, text, replace(dialect, encoding=encoding), folder)
        return replace(relation, encoding=None if dialect.encoding or is_utf8(encoding) else encoding, line=line)
    except OSError as error:
        raise RefusedError(f"it can't be read: {error.strerror or error}") from error


def read_plain(path: Path, dialect: Dialect, wanted: Iterable[str] = ()) -> Relation | None:
    """A CSV or JSON-lines file as a relation, taken to be well-formed: a row a line, one after the other. None where it is seen not to be.

    Nothing is parsed to find out, and rows are not numbered, which would take the use of more than one core: line breaks are counted. If as many rows
    turn out to be good, the file is what it was taken for; if not, ``read`` it. RefusedError for a header that can't be used.
    """
    if dialect.format not in ("csv", "jsonl") or not is_utf8(dialect.encoding or "utf-8"):
        return None
    try:
        # before DuckDB sees the file: bytes that are no UTF-8 may end its reader, and all that was open with it
        lines = lines_with_text(path, (b"\x00",) if dialect.format == "csv" else UNSAFE)
        if lines <= 0 or mark_of(path) not in (None, "utf-8"):
            return None
        header, above = header_of(path, dialect) if dialect.format == "csv" else ([], 0)
    except OSError:
        return None
    if len(header) == 1 or lines == above:
        return None
    if header:
        sql = numbered(reader_of(path, dialect, header, above), header, "cast(null as bigint)")
        return Relation(sql, dict.fromkeys(header, "varchar"), lambda: lines - above, above + 1)
    names = list(wanted)
    return Relation(
        parsed(read_lines([path]), names, "cast(null as bigint)"), dict.fromkeys(names, "varchar"), lambda: lines, 1
    )


def rows_of(path: Path, dialect: Dialect) -> int | None:
    """How many rows a file that can't be used has, by its line breaks; None where that can't be told. OSError."""
    if dialect.format not in ("csv", "jsonl"):
        return None
    if _other_kind(path, dialect.format):
        return None
    with path.open("rb") as file:
        if file.read(2) == b"\x1f\x8b":  # compressed: its line breaks are none
            return None
        file.seek(0)
        lines = sum(block.count(b"\n") or block.count(b"\r") for block in iter(lambda: file.read(BLOCK), b""))
        is_open = bool(file.tell()) and file.seek(-1, os.SEEK_END) >= 0 and file.read(1) not in (b"\n", b"\r", b"\x00")
    return max(0, lines + is_open - (dialect.skip + 1 if dialect.format == "csv" else 0))


def _other_kind(path: Path, expected: str) -> str | None:
    """What a file is by its first bytes, where that is not what is expected. OSError."""
    with path.open("rb") as file:
        start = file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    found = next(((kind, words) for mark, kind, words in _KINDS if start.startswith(mark.lower())), None)
    return found[1] if found and found[0] != expected else None
