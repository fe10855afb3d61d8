"""JSON lines, and event logs in XES, which become such (``xes``). What fields mean does not belong here."""

from __future__ import annotations

import uuid
from dataclasses import replace
from pathlib import Path

import duckdb

from ingestion.files.readers.relation import RefusedError, Relation
from ingestion.files.readers.text import lines_with_text
from ingestion.files.readers.xes import NoLogError, to_json_lines
from ingestion.sql.lines import UNSAFE, read_lines, sanitise
from ingestion.sql.text import identifier, json_path, quote


def xes_relation(con: duckdb.DuckDBPyConnection, path: Path, folder: Path, wanted: list[str]) -> Relation:
    """An event log in XES as a relation; ``wanted``: the attributes that are used. RefusedError."""
    lines = folder / f"{uuid.uuid4().hex}.jsonl"
    try:
        names = to_json_lines(path, lines)
    except NoLogError as error:
        raise RefusedError(f"it is no XES event log: {error}.") from error
    return replace(json_relation(con, lines, folder, wanted), columns=dict.fromkeys(names, "varchar"))


def json_relation(con: duckdb.DuckDBPyConnection, path: Path, folder: Path, wanted: list[str]) -> Relation:
    """JSON lines (UTF-8) as a relation; ``wanted``: the paths that are used. RefusedError."""
    source = read_lines([path])
    if lines_with_text(path, UNSAFE) < 0 or not _is_readable(con, source):
        safe = sanitise(path, folder)
        source = read_lines([safe.path], safe.longest)
    row = con.execute(f"select count(line) from {source}").fetchone()
    received = row[0] if row else 0
    if received and not _is_object(con, source):
        raise RefusedError("its first lines are no JSON objects. Expected one JSON object a line.")
    return Relation(parsed(source, wanted, "row_number() over ()"), dict.fromkeys(wanted, "varchar"), lambda: received)


def parsed(source: str, wanted: list[str], line: str) -> str:
    """The query for JSON lines: ``line`` is its expression for ``_line``."""
    paths = ", ".join(quote(json_path(name)) for name in wanted)
    values = "".join(f", v[{position}] as {identifier(f's:{name}')}" for position, name in enumerate(wanted, 1))
    parsed = f"select line, try(json_extract_string(line, [{paths}])) as v, {line} as _line from {source}"
    return (
        f"select line as _record, _line{values}, case when v is null then 'it is no valid JSON' end as _reject "
        f"from ({parsed}) where line is not null"
    )


def _is_readable(con: duckdb.DuckDBPyConnection, source: str) -> bool:
    try:
        con.execute(f"select count(line) from {source}")
    except duckdb.Error:
        return False
    return True


def _is_object(con: duckdb.DuckDBPyConnection, source: str) -> bool:
    """Whether one of the first lines is a JSON object: a broken line is a bad record, a file without any object is another kind of file."""
    sample = f"(select line from {source} where line is not null limit 20)"
    row = con.execute(f"select count(*) from {sample} where try(json_type(line)) = 'OBJECT'").fetchone()
    return bool(row and row[0])
