"""What a file of any format becomes: a query whose columns are text or typed, with the record as it was. How a format is read belongs to its module."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from ingestion.sql.text import identifier, path_literal
from salesgauge.errors import SourceError

_BATCH = 20_000


class RefusedError(SourceError):
    """A file that can't be read as what its mapping says it is. The message says why and what to do."""


@dataclass(frozen=True)
class Dialect:
    """How the text of a file is to be read. ``encoding``: None to find out. Of Excel cells: ``decimal`` is the mark that numbers are written with,
    ``money`` are the columns of which it is told which cells are numbers, ``nulls`` the words that mean nothing.
    """

    format: str
    encoding: str | None = None
    delimiter: str = ","
    quote: str = '"'
    sheet: str | int = 0
    skip: int = 0
    decimal: str = "."
    money: frozenset[str] = frozenset()
    nulls: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Relation:
    """A file as a query. ``sql`` yields ``s:<column>`` for each column in ``columns`` (name → DuckDB type), ``_line``, ``_record`` (JSON), and
    ``_reject``: why the row can't be used at all (then ``_record`` is the row's text). ``received`` counts its rows, where they were not counted yet.

    ``first_line``: the rows follow each other from there on, and ``_line`` may be empty. ``numeric``: the columns x with ``n:x``, true where the value was
    a number and no text. ``encoding``: what the text is written in, where nobody said so and it is no UTF-8; ``line`` is the first that shows it.
    """

    sql: str
    columns: dict[str, str]
    received: Callable[[], int]
    first_line: int | None = None
    numeric: frozenset[str] = frozenset()
    encoding: str | None = None
    line: int | None = None


def column_names(cells: list[Any], encoding: str = "utf-8") -> list[str]:
    """Usable, distinct column names. Empty ones are numbered: exports often end in a stray delimiter."""
    names: list[str] = []
    for position, cell in enumerate(cells, 1):
        name = str(cell).strip() if cell is not None else ""
        if any("\udc80" <= character <= "\udcff" for character in name):
            raise RefusedError(f"its header is no {encoding} text. Set `encoding`, for example cp1252.")
        if name and name in names:
            raise RefusedError(f"its header names the column '{name}' twice.")
        # DuckDB's names know no case
        folded = {known.casefold() for known in names}
        names.append(name if name and name.casefold() not in folded else f"{name or 'column'}_{position}")
    if not names:
        raise RefusedError("it has no header: the file is empty. Expected a first line with the column names.")
    return names


def kept(
    con: duckdb.DuckDBPyConnection,
    folder: Path,
    header: list[str],
    records: Iterable[tuple[int, list[str] | None, str | None, str | None]],
    more: Sequence[str] = (),
) -> Relation:
    """Records read in Python as a Parquet file that DuckDB reads on. Written in batches: memory stays flat. ``more``: columns after those of the header."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = [*(f"s:{name}" for name in header), *more]
    schema = pa.schema(
        [
            *((name, pa.string()) for name in names),
            ("_line", pa.int64()),
            ("_reject", pa.string()),
            ("_raw", pa.string()),
        ]
    )
    target = folder / f"{uuid.uuid4().hex}.parquet"
    received = 0
    empty: list[str | None] = [None] * len(names)
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        batch: list[tuple[Any, ...]] = []

        def flush() -> None:
            columns = list(zip(*batch, strict=True)) if batch else []
            if columns:
                arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
                writer.write_batch(pa.record_batch(arrays, schema=schema))
            batch.clear()

        for line, cells, reject, raw in records:
            received += 1
            batch.append((*(cells if cells is not None else empty), line, reject, raw))
            if len(batch) >= _BATCH:
                flush()
        flush()
    inner = f"read_parquet({path_literal(target)}, hive_partitioning = false)"
    record = f"case when _reject is not null then _raw else cast({record_value(header)} as varchar) end as _record"
    return Relation(
        f"select * exclude (_raw), {record} from {inner}", dict.fromkeys(header, "varchar"), lambda: received
    )


def record_value(columns: Iterable[str]) -> str:
    """The row as JSON under the names that the source gives."""
    fields = ", ".join(f"{identifier(name)} := {identifier(f's:{name}')}" for name in columns)
    return f"to_json(struct_pack({fields}))"
