"""How rows are written: the good ones of a query to one Parquet file, the bad ones to another, the accounting to a third; and how they are judged.

What a load is, and when it is committed, belongs to ``load``; what a typed value is, to ``typing``.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from ingestion.landing.typing import TypedColumn
from ingestion.rawlog.accounting import TableCount
from ingestion.rawlog.declarations import AsReceived, RawColumn, RawTable
from ingestion.rawlog.parquet import Constant, labels_of_original, metadata
from ingestion.sql.text import identifier, path_literal, quote
from salesgauge.errors import SourceError

# Without the limit every record is hashed for a dictionary that is then given up.
_PARQUET = "format parquet, compression zstd, compression_level 1, string_dictionary_page_size_limit 1000"
# Texts are written faster in groups that stay in the processor's cache. What is read from Parquet comes in groups of the usual size.
_PARQUET_OF_RECORDS = f"{_PARQUET}, row_group_size 20480"
_PARQUET_OF_COLUMNS = f"{_PARQUET}, row_group_size 40960"
_SAMPLE = 2048  # rows that are looked at before a file is taken to hold no surprise


@dataclass(frozen=True)
class Writer:
    """Writes files of the load ``load_id`` into ``folder``, by queries on ``con``; memory stays flat, as nothing is collected."""

    con: duckdb.DuckDBPyConnection
    folder: Path
    load_id: str
    received_at: datetime

    def good(
        self,
        table: RawTable,
        checked: str,
        types: Mapping[str, str],
        as_received: Sequence[AsReceived] | None,
        base: int,
        *,
        is_lean: bool = False,
        original: Path | None = None,
    ) -> tuple[Path, int]:
        """Write the good rows of ``checked`` to a Parquet file; the file and the number of rows. ``base``: the rows of the table before them in this load.

        ``is_lean``: leave out columns that are the same as the typed ones, and rows where they are not. ``original``: leave out all that were received.
        """
        target = self.path(table.name)
        copied = [one for one in as_received or () if is_lean and one.is_copied]
        columns = {one.same_as: one.column for one in copied}
        constants = self._constants(table, base) if table.is_bulk else []
        values = [
            f"{identifier(columns.get(column.name, f't:{column.name}'))} as {identifier(column.name)}"
            for column in table.columns
            if column.name not in {one.name for one in constants}
        ]
        if not table.is_bulk:
            values += [self._stamp(), f"cast({base} as bigint) as _base"]
        conditions = ["not _bad", *(one.is_same for one in copied)]
        if as_received is None:
            values.append("cast(record as varchar) as record")
            conditions.append("record is not null")
            options = [_PARQUET_OF_RECORDS, *metadata([], constants)]
        elif original:
            options = [_PARQUET, *metadata(labels_of_original(original), constants, self.name_of(original))]
        else:
            fields = ", ".join(one.field(types[one.column].lower()) for one in as_received if one not in copied)
            values += [f"struct_pack({fields}) as received"] if fields else []
            options = [_PARQUET_OF_COLUMNS, *metadata([one.label for one in as_received], constants)]
        loaded = self._written(
            f"copy (select {', '.join(values)} from ({checked}) where {' and '.join(conditions)}) "
            f"to {quote(str(target))} ({', '.join(options)})"
        )
        return target, loaded

    def quarantine(
        self, table: RawTable, columns: list[TypedColumn], checked: str, types: Mapping[str, str]
    ) -> tuple[Path, int]:
        """Write the bad rows of ``checked`` with what is wrong with them; the file and the number of rows."""
        if (
            "_line" not in types
        ):  # numbering the rows costs the use of more than one core: only where there are bad ones
            checked = f"select *, row_number() over () as _line from ({checked})"
        key = " || '|' || ".join(f"coalesce(cast({identifier(name)} as varchar), '')" for name in table.key) or "null"
        reasons = ", ".join(column.reason for column in columns)
        target = self.path("_quarantine")
        count = self._written(
            f"copy (select {quote(table.name)} as table_name, _file as file, cast(_line as bigint) as line, {key} as record_key, "
            # where the record as a whole is unusable, what its columns lack says nothing more
            f"coalesce(_reason, concat_ws('; ', {reasons})) as reason, cast(record as varchar) as record, {self._stamp()} "
            f"from ({checked}) where _bad and record is not null) to {quote(str(target))} ({_PARQUET})"
        )
        return target, count

    def refused(self, table: str, file: str, reason_text: str) -> Path:
        """Write the row of the quarantine for ``file``, which was refused as a whole."""
        target = self.path("_quarantine")
        self.con.execute(
            f"copy (select {quote(table)} as table_name, {quote(file)} as file, cast(null as bigint) as line, cast(null as varchar) as record_key, "
            f"{quote(reason_text)} as reason, cast(null as varchar) as record, {self._stamp()}) to {quote(str(target))} ({_PARQUET})"
        )
        return target

    def accounting(self, counts: Mapping[str, TableCount], cursors: Mapping[str, Any]) -> Path:
        """Write the accounting of the load: a row per table with counts or a cursor (null for none)."""
        cursors = {table: cursor for table, cursor in cursors.items() if cursor is not None}
        rows = []
        for table in sorted({*counts, *cursors}):
            count = counts.get(table, TableCount())
            cursor = json.dumps(cursors[table], sort_keys=True) if table in cursors else None
            rows.append((
                table, count.received, count.loaded, count.quarantined, count.duplicates, count.superseded, count.filtered, cursor,
            ))  # fmt: skip
        self.con.execute(
            "create or replace temp table accounting (table_name varchar, received bigint, loaded bigint, quarantined bigint, "
            "duplicates bigint, superseded bigint, filtered bigint, cursor json)"
        )
        if rows:
            self.con.executemany("insert into accounting values (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        target = self.path("_accounting")
        self.con.execute(
            f"copy (select *, {self._stamp()} from accounting order by table_name) to {quote(str(target))} ({_PARQUET})"
        )
        return target

    def is_same(self, checked: str, as_received: Sequence[AsReceived]) -> bool:
        """Whether the first rows hold just what their typed columns say, where that is to be expected."""
        conditions = " and ".join(one.is_same for one in as_received if one.is_copied)
        return bool(conditions) and not scalar(
            self.con,
            f"select count(*) from (select * from ({checked}) limit {_SAMPLE}) where not ({conditions})",
        )

    def shares_a_key(self, table: RawTable, file: Path) -> bool:
        """Whether two rows of a file that was written have the same key."""
        keys = ", ".join(identifier(name) for name in table.key)
        # of hashes the distinct ones are counted far more quickly than of texts
        return bool(
            scalar(self.con, f"select count(*) - count(distinct hash({keys})) from read_parquet({path_literal(file)})")
        )

    def name_of(self, original: Path) -> str:
        """What an original that is kept as it came is called in the raw log."""
        return f"{self.load_id}.{original.name.removeprefix('original.')}"

    def path(self, table: str) -> Path:
        """A new file for rows of ``table``."""
        return self.folder / f"{table}.{uuid.uuid4().hex[:8]}.parquet"

    def _stamp(self) -> str:
        return f"{quote(self.load_id)} as _load_id, cast({quote(self.received_at.isoformat(sep=' '))} as timestamp) as _loaded_at"

    def _constants(self, table: RawTable, base: int) -> list[Constant]:
        """What is the same in all rows of a file."""
        return [
            Constant("_load_id", "varchar", self.load_id),
            Constant("_loaded_at", "timestamp", self.received_at.isoformat(sep=" ")),
            Constant("_base", "bigint", str(base)),
            *(Constant(one.name, one.type, one.constant) for one in table.columns if one.constant is not None),
        ]

    def _written(self, copy: str) -> int:
        """Run the ``copy`` of a query that ends in a condition on computed values; the number of rows.

        DuckDB would move the condition before the steps that compute them, and then compute them twice.
        """
        self.con.execute("set disabled_optimizers = 'filter_pushdown'")
        try:
            return scalar(self.con, copy)
        finally:
            self.con.execute("reset disabled_optimizers")


def judged(
    con: duckdb.DuckDBPyConnection, table: RawTable, sql: str, also: Sequence[RawColumn] = ()
) -> tuple[str, list[TypedColumn]]:
    """A query for the rows of ``sql`` with the typed value of column ``x`` as ``t:x`` and ``_bad``, whether the row is quarantined; and the columns that judge."""
    query, types = completed(con, table, sql, also)
    columns = typed_columns(table, types, also)
    return with_verdict(columns, query), columns


def completed(
    con: duckdb.DuckDBPyConnection, table: RawTable, sql: str, also: Sequence[RawColumn]
) -> tuple[str, dict[str, str]]:
    """``sql`` with the columns that it may leave out, and the types of its columns. SourceError where it lacks one of the table's."""
    described = con.execute(f"describe {sql}").fetchall()
    types = {name: kind for name, kind, *_ in described}
    missing = [name for name in [*(column.name for column in (*table.columns, *also)), "record"] if name not in types]
    if missing:
        raise SourceError(f"{table.source}.{table.name}: the query lacks the columns {', '.join(missing)}")
    extras = ""
    if "_file" not in types:
        extras += ", cast(null as varchar) as _file"
    if "_reason" not in types:
        extras += ", cast(null as varchar) as _reason"
    return f"select *{extras} from ({sql})", types


def typed_columns(table: RawTable, types: Mapping[str, str], also: Sequence[RawColumn]) -> list[TypedColumn]:
    """The columns of ``table``, and ``also`` others, as they are typed; ``types``: those of the query."""
    return [
        TypedColumn(
            column.name,
            types[column.name].lower(),
            column.type.lower(),
            table.is_required(column),
            column.convert,
            column.expected,
            column.never,
        )
        for column in (*table.columns, *also)
    ]


def with_verdict(columns: list[TypedColumn], sql: str) -> str:
    """``sql`` with the typed values and ``_bad``, each step a projection of its own: then nothing is computed twice."""
    casts = ", ".join(f"{column.cast} as {column.typed_name}" for column in columns)
    problems = ["_reason is not null", *(column.problem for column in columns if column.problem)]
    bad = f"case {' '.join(f'when {problem} then true' for problem in problems)} else false end"
    return f"select *, {bad} as _bad from (select *, {casts} from ({sql}))"


def scalar(con: duckdb.DuckDBPyConnection, sql: str) -> int:
    """The number that ``sql`` gives; 0 where it gives no row."""
    row = con.execute(sql).fetchone()
    return int(row[0]) if row else 0
