"""A file as its mapping reads it: with which dialect, whether its columns are there, which rows ``where`` leaves out, which moments are days."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from dataclasses import replace

import duckdb

from ingestion.files.mapping.model import FileMapping
from ingestion.files.mapping.moments import midnights
from ingestion.files.mapping.where import left_out
from ingestion.files.readers.relation import Dialect, RefusedError, Relation

_DELIMITERS = {";": '";"', "\t": "tab", "|": '"|"', ",": '","'}


def days_in_utc(con: duckdb.DuckDBPyConnection, entry: FileMapping, relation: Relation) -> list[str]:
    """The columns of a file all of whose moments are midnight in UTC: days, as many programs write them. The day before it is in America."""
    asked = midnights(entry, relation.columns)
    # most files are asked for a few rows only
    for sample in (" limit 500", ""):
        if asked:
            listed = ", ".join(f"coalesce(bool_and({sql}), false)" for sql in asked.values())
            try:
                (answers,) = con.execute(f"select {listed} from (select * from ({relation.sql}){sample})").fetchall()
            except duckdb.Error:
                return []  # it can't be read as it is taken to be written: whoever reads it says so
            asked = {name: sql for (name, sql), is_day in zip(asked.items(), answers, strict=True) if is_day}
    return list(asked)


def filtered(con: duckdb.DuckDBPyConnection, entry: FileMapping, relation: Relation) -> tuple[Relation, int]:
    """The rows of a file that ``where`` reads, and how many it leaves out."""
    if entry.where is None:
        return relation, 0
    left = left_out(entry, relation.columns)
    # a line is that of the file: it is counted before rows go
    (count,) = con.execute(f"select count(*) from ({relation.sql}) where {left}").fetchone() or (0,)
    kept = relation.received() - count
    return replace(relation, sql=f"select * from ({relation.sql}) where not {left}", received=lambda: kept), count


def check_columns(entry: FileMapping, relation: Relation) -> None:
    """RefusedError where the file lacks a column that the mapping needs, with the one that was probably meant."""
    missing = entry.missing(relation.columns)
    if not missing:
        return
    names = ", ".join(f"'{name}'" for name in missing)
    hint = "".join(_near(name, relation.columns) for name in missing)
    if not any(name in relation.columns for name in entry.sources):
        hint += _other_delimiter(entry, relation) or " Is its first line a header, and is `delimiter` right?"
    raise RefusedError(
        f"it lacks the column{'s' * (len(missing) > 1)} {names}; it has{_shown(list(relation.columns))}.{hint}"
    )


def _near(name: str, columns: Collection[str]) -> str:
    """What of the file's columns was probably meant."""
    cut = next((column for column in columns if column.startswith(f"{name} #")), None)
    if cut:
        return f" Write '{cut}' in quotes: in YAML a # after a blank begins a comment."
    near = difflib.get_close_matches(name, list(columns), n=1, cutoff=0.75)
    return f" Is '{near[0]}' meant by '{name}'?" if near else ""


def _other_delimiter(entry: FileMapping, relation: Relation) -> str:
    """What parts the fields of a CSV file whose header was read as one column."""
    header = next(iter(relation.columns), "")
    marks = {mark: name for mark, name in _DELIMITERS.items() if mark in header}
    if entry.kind != "csv" or len(relation.columns) > 1 or not marks:
        return ""
    likely = max(marks, key=header.count)
    return f" Its fields seem to be parted by {likely!r}: set `delimiter: {marks[likely]}`. Is its first line a header?"


def _shown(columns: list[str]) -> str:
    """The columns that a file has; only how many where they look like data (a file without a header): the text is kept, and may be about a person."""
    if any("@" in name or sum(map(str.isdigit, name)) >= 7 for name in columns):
        return f" {len(columns):,} column{'s' * (len(columns) != 1)} whose names look like data"
    return f": {', '.join(columns)[:300]}"


def dialect_of(entry: FileMapping, file: str) -> Dialect:
    """How the text of ``file`` is to be read, as the mapping says."""
    sheet = entry.sheet if isinstance(entry.sheet, str) else entry.sheet - 1
    return Dialect(
        entry.kind,
        entry.encoding,
        entry.delimiter_of(file),
        entry.quote,
        sheet,
        entry.skip,
        entry.numbers.decimal,
        money=frozenset(entry.money),
        nulls=frozenset(entry.nulls),
    )
