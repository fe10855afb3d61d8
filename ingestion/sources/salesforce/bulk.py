"""Results of the Bulk API, CSV files, as rows of a raw table: read and kept column by column, as ``ingestion.files`` does, without a record in Python.

Which rows are asked for is ``run``'s business, how a job is followed ``api``'s.
"""

from __future__ import annotations

import csv
from datetime import datetime
from pathlib import Path

import duckdb

from ingestion.landing.load import Landing
from ingestion.rawlog.declarations import AsReceived, RawTable
from ingestion.sql.lines import read_csv
from ingestion.sql.text import identifier, path_literal
from salesgauge.errors import SourceError


def land(landing: Landing, table: RawTable, file: Path, booleans: set[str], announced: int) -> None:
    """Land the rows of a bulk result in the shape that REST gives: null for nothing, true and false as such. Numbers stay text: staging casts.

    ``announced``: the number of rows that the file has to hold. SourceError where it has others, or is no CSV.
    """
    with file.open(encoding="utf-8", newline="") as lines:
        header = next(csv.reader(lines), [])
    if not header:
        if announced:
            raise SourceError(
                f"{landing.source}.{table.name}: a bulk result of {announced:,} rows came empty. Nothing of this load was kept; run again."
            )
        return
    names = sorted(header)
    values = ", ".join(f"{_value(name, name in booleans)} as {identifier(f's:{name}')}" for name in names)
    record = ", ".join(f"{identifier(name)} := {identifier(f's:{name}')}" for name in names)
    fields = {column.name: column.path.removeprefix("$.") for column in table.columns}
    typed = ", ".join(
        f"cast({identifier(f's:{field}') if field in names else 'null'} as varchar) as {identifier(column)}"
        for column, field in fields.items()
    )

    def rows(*, is_parallel: bool) -> str:
        reader = read_csv(file, [f"r:{name}" for name in header], is_parallel=is_parallel)
        return f"select {typed}, *, to_json(struct_pack({record})) as record from (select {values} from {reader})"

    texts = {
        field: column.name
        for column, field in zip(table.columns, fields.values(), strict=True)
        if column.type == "varchar" and column.convert is None and field not in booleans
    }
    as_received = [AsReceived(name, f"s:{name}", texts.get(name)) for name in names]
    try:
        if not landing.relation_if_clean(table, rows(is_parallel=True), received=announced, as_received=as_received):
            landing.relation(table, rows(is_parallel=False), received=announced, as_received=as_received)
    except (duckdb.InvalidInputException, duckdb.NotImplementedException) as error:
        said = str(error).splitlines()[0][:200]
        raise SourceError(
            f"{landing.source}.{table.name}: a bulk result can't be read: {said}. Nothing of this load was kept; run again."
        ) from error


def newest(landing: Landing, table: RawTable, cursor: str) -> datetime | None:
    """The newest moment (UTC without zone) in the field ``cursor`` of what was landed for ``table``."""
    files = landing.written(table.name)
    if not files:
        return None
    column = next(identifier(one.name) for one in table.columns if one.path == f"$.{cursor}")
    listed = ", ".join(path_literal(file) for file in files)
    row = landing.con.execute(f"select max({column}) from read_parquet([{listed}], union_by_name = true)").fetchone()
    return row[0] if row else None


def _value(name: str, is_boolean: bool) -> str:
    value = f"nullif({identifier(f'r:{name}')}, '')"
    return f"{value} = 'true'" if is_boolean else value
