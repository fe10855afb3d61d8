"""The views over the raw log: raw tables, canonical entities of files, the accounting of loads. Which loads count belongs to ``loads``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import duckdb

from ingestion.rawlog.declarations import RawTable, Tables
from ingestion.rawlog.loads import UNFINISHED, committed, cursors, files_of, shown, sources, table_files
from ingestion.rawlog.order import in_natural_order
from ingestion.rawlog.parquet import columns_of, recorded
from ingestion.sql.text import identifier, quote
from salesgauge.entities import DUCKDB_TYPES, ENTITIES
from salesgauge.settings import API_SOURCES, Company

_META = (("_load_id", "varchar"), ("_loaded_at", "timestamp"), ("_row", "bigint"), ("record", "varchar"))
_LOADS = (
    ("table_name", "varchar"),
    ("received", "bigint"),
    ("loaded", "bigint"),
    ("quarantined", "bigint"),
    ("duplicates", "bigint"),
    ("superseded", "bigint"),
    ("filtered", "bigint"),
    ("cursor", "json"),
)
_QUARANTINE = (
    ("table_name", "varchar"),
    ("file", "varchar"),
    ("line", "bigint"),
    ("record_key", "varchar"),
    ("reason", "varchar"),
    ("record", "varchar"),
)
_STAMP = (("_load_id", "varchar"), ("_loaded_at", "timestamp"))
_FILES = (
    ("source", "varchar"),
    ("table_name", "varchar"),
    ("file", "varchar"),
    ("bytes", "bigint"),
    ("rows", "bigint"),
    ("is_estimated", "boolean"),
    ("refused", "varchar"),
    ("load_id", "varchar"),
    ("received", "bigint"),
    ("duplicates", "bigint"),
    ("filtered", "bigint"),
    ("refused_rows", "bigint"),
    ("has_erasures", "boolean"),
)
_BYTES_A_ROW = 100  # where no file tells
FILE_COLUMNS = (("source", "varchar"), ("_file", "varchar"), ("_line", "bigint"))


def create_views(con: duckdb.DuckDBPyConnection, company: Company, tables: Tables, *, with_parts: bool = False) -> None:
    """(Re)create the schemas ``raw_<source>`` of every source with a connector, ``raw_files`` and ``raw_log`` with all views of ``docs/tables.md``.

    ``tables``: the raw tables that there shall be views of, by source.

    Each view names the committed files one by one, so it shows just these until it is created again; a table without files is an empty view.
    A first load of which only parts are kept yet is not shown (but for ``with_parts``), though accounted for in ``raw_log``.
    """
    accounted = {source: committed(company, source) for source in sources(company)}
    loads = accounted if with_parts else {source: shown(company, source) for source in accounted}
    for schema in (*(f"raw_{source}" for source in API_SOURCES), "raw_files", "raw_log"):
        con.execute(f"drop schema if exists {schema} cascade")
        con.execute(f"create schema {schema}")
    for source in API_SOURCES:
        for table in tables.get(source, ()):
            typed = [*((column.name, column.type) for column in table.columns), *_META]
            files = files_of(company, source, table.name, loads.get(source, []))
            _create(con, f"raw_{source}", table.name, _select(typed, files, recorded(files) if table.is_bulk else None))
    _create_file_views(con, company, {source: ids for source, ids in loads.items() if source not in API_SOURCES})
    for view, folder, columns in (("loads", "_accounting", _LOADS), ("quarantine", "_quarantine", _QUARANTINE)):
        parts = [
            f"select {quote(source)} as source, _load_id as load_id, _loaded_at as loaded_at, {_names(columns)} "
            f"from ({_select([*columns, *_STAMP], files)}) where table_name is distinct from {quote(UNFINISHED)}"
            for source in accounted
            if (files := files_of(company, source, folder, accounted[source]))
        ]
        empty = (
            "select cast(null as varchar) as source, cast(null as varchar) as load_id, cast(null as timestamp) as loaded_at, "
            f"{_names(columns)} from ({_select([*columns, *_STAMP], [])})"
        )
        con.execute(f"create view raw_log.{view} as {' union all '.join(parts) or empty}")
    _create_view_of_files(con, company, [source for source in loads if source not in API_SOURCES])


def _create_file_views(con: duckdb.DuckDBPyConnection, company: Company, loads: dict[str, list[str]]) -> None:
    """The views of ``raw_files``: of each file the rows of the load that the newest cursor names, so that a changed file, or mapping, replaces what
    came from it before. ``_file_order``: the place of the file in the natural order of names, by which one export is newer than another.
    """
    known = {source: cursors(company, source) for source in loads}
    for entity in ENTITIES.values():
        columns = [*((column.name, DUCKDB_TYPES[column.type]) for column in entity.columns), *FILE_COLUMNS, *_META]
        live = [
            (source, file, state["load_id"])
            for source, by_entity in known.items()
            for file, state in by_entity.get(entity.name, {"files": {}})["files"].items()
            if state.get("load_id")
        ]
        files = [
            file
            for source, ids in loads.items()
            for file in files_of(
                company, source, entity.name, sorted({load for name, _, load in live if name == source} & set(ids))
            )
        ]
        query = _select(columns, files, recorded(files))
        if files:
            order = {file: place for place, file in enumerate(in_natural_order({file for _, file, _ in live}))}
            listed = ", ".join(
                f"({quote(source)}, {quote(file)}, {quote(load)}, {order[file]})" for source, file, load in live
            )
            query = (
                f"select rows.*, live._file_order from ({query}) as rows join (values {listed}) as live(source, _file, _load_id, _file_order) "
                "using (source, _file, _load_id)"
            )
        else:
            query = f"select *, cast(null as integer) as _file_order from ({query})"
        con.execute(f"create view raw_files.{identifier(entity.name)} as {query}")


def _create_view_of_files(con: duckdb.DuckDBPyConnection, company: Company, sources: Iterable[str]) -> None:
    """``raw_log.files``: the files of file sources as the newest run saw them, also those that were refused.

    Of a file that can't be read nobody knows its rows: they are judged by its size, as those of the other files are. ``received``, ``duplicates`` and
    ``filtered`` are of the load whose rows count, ``refused_rows`` of what was refused; with ``has_erasures`` rows may be gone since.
    """
    has_erasures = company.suppressed_file.is_file()
    states = [
        (source, entity, file, state, max(0, state["size"]))
        for source in sources
        for entity, cursor in cursors(company, source).items()
        for file, state in cursor["files"].items()
    ]
    known = [(size, state["rows"]) for *_, state, size in states if state.get("rows") and size > 0]
    bytes_a_row = sum(size for size, _ in known) / sum(rows for _, rows in known) if known else _BYTES_A_ROW
    rows = [
        ", ".join(
            "null" if value is None else quote(value) if isinstance(value, str) else str(value).lower()
            for value in (
                source, entity, file, size, *_rows_of(state, size, bytes_a_row), state.get("refused"), state.get("load_id"),
                *(state.get(name) for name in ("received", "duplicates", "filtered")), _refused_rows(state, size, bytes_a_row), has_erasures,
            )
        )
        for source, entity, file, state, size in states
    ]  # fmt: skip
    names = _names(_FILES)
    typed = ", ".join(f"cast({identifier(name)} as {kind}) as {identifier(name)}" for name, kind in _FILES)
    values = ", ".join(f"({row})" for row in rows) or f"({', '.join('null' for _ in _FILES)})"
    query = f"select {typed} from (values {values}) as files({names})" + ("" if rows else " where false")
    con.execute(f"create view raw_log.files as {query}")


def _rows_of(state: dict[str, Any], size: int, bytes_a_row: float) -> tuple[int, bool]:
    """The rows of a file, and whether that is a guess."""
    rows = state.get("rows")
    return (max(1, round(size / bytes_a_row)), True) if rows is None else (rows, False)


def _refused_rows(state: dict[str, Any], size: int, bytes_a_row: float) -> int:
    """The rows of a file that was refused: none where there is nothing to read, or where they are another entity's."""
    if not state.get("refused") or state.get("is_derived") or (state.get("rows") is None and size <= 0):
        return 0
    return _rows_of(state, size, bytes_a_row)[0]


def relation(company: Company, table: RawTable) -> str:
    """SQL of all committed versions of a raw table, as its view shows them."""
    columns = [*((column.name, column.type) for column in table.columns), *_META]
    files = table_files(company, table.source, table.name)
    return _select(columns, files, recorded(files) if table.is_bulk else None)


def quarantined(company: Company, source: str) -> str:
    """SQL of the quarantined records of ``source``, of its committed loads."""
    return _select([*_QUARANTINE, *_STAMP], table_files(company, source, "_quarantine"))


def _create(con: duckdb.DuckDBPyConnection, schema: str, table: str, query: str) -> None:
    con.execute(f"create view {schema}.{identifier(table)} as {query}")


def _select(columns: Sequence[tuple[str, str]], files: list[Path], rows: str | None = None) -> str:
    """A query with exactly ``columns``, whatever columns the files have: older ones may lack some. ``rows``: a query for the rows of the files."""
    empty = ", ".join(f"cast(null as {kind}) as {identifier(name)}" for name, kind in columns)
    if not files:
        return f"select {empty} where false"
    places = {
        # a row's place in its load: what was received before its file, and its place in the file
        "_row": "coalesce(_row, _base + file_row_number + 1)",
        # of a file whose rows all are good only the first line is kept
        "_line": "coalesce(_line, _first_line + file_row_number)",
        # JSON as text: a cast to JSON would parse every record once more, at each reading
        "record": "cast(record as varchar)",
    }
    counted = "".join(f", cast(null as bigint) as {name}" for name in ("_base", "_first_line", "file_row_number"))
    rows = f"select {empty}{counted} where false union all by name {rows or f'select * from {columns_of(files)}'}"
    values = ", ".join(f"{places[name]} as {name}" if name in places else identifier(name) for name, _ in columns)
    return f"select {values} from ({rows})"


def _names(columns: Iterable[tuple[str, str]]) -> str:
    return ", ".join(identifier(name) for name, _ in columns)
