"""Parquet files, whose columns have types of their own. What columns mean does not belong here."""

from __future__ import annotations

from pathlib import Path

import duckdb

from ingestion.files.readers.relation import RefusedError, Relation, record_value
from ingestion.sql.text import identifier, path_literal


def parquet_relation(con: duckdb.DuckDBPyConnection, path: Path) -> Relation:
    """A Parquet file as a relation. RefusedError."""
    reader = f"read_parquet({path_literal(path)}, file_row_number = true, hive_partitioning = false)"
    try:
        described = con.execute(f"describe select * exclude (file_row_number) from {reader}").fetchall()
        row = con.execute(f"select count(*) from {reader}").fetchone()
    except duckdb.Error as error:
        raise RefusedError(f"it is no Parquet file that can be read: {str(error).splitlines()[0][:200]}") from error
    columns = {name: str(kind).lower() for name, kind, *_ in described}
    values = ", ".join(f"{identifier(name)} as {identifier(f's:{name}')}" for name in columns)
    inner = f"select {values}, file_row_number + 1 as _line from {reader}"
    sql = f"select *, cast(null as varchar) as _reject, {record_value(columns)} as _record from ({inner})"
    rows = row[0] if row else 0
    return Relation(sql, columns, lambda: rows, 1)
