"""Where a record comes from: the rows of the raw log that a key, or a masked one, names. Printing belongs to ``cli_data``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

import duckdb

from ingestion import rawlog
from ingestion.catalogue import create_views, raw_tables
from ingestion.sql.text import identifier
from salesgauge.entities import ENTITIES
from salesgauge.errors import ConfigurationError
from salesgauge.settings import API_SOURCES, Company
from salesgauge.warehouse import connect, open_published

MOST = 20


@dataclass(frozen=True)
class Found:
    """The newest version of a record. ``file`` and ``line`` say where it came from, where it came from a file."""

    key: str
    table: str
    versions: int
    load_id: str
    loaded_at: datetime
    file: str | None
    line: int | None
    record: str | None
    remarks: tuple[str, ...] = ()


def find_records(company: Company, wanted: str) -> list[Found]:
    """The records that ``wanted`` names, at most ``MOST``: ``source:id``, or masked ``source:…123`` as logs and checks show it.

    ConfigurationError where the source is unknown, or no record has such a key.
    """
    source, key, is_masked = _parts(company, wanted)
    with connect(":memory:") as con:
        create_views(con, company)
        found = [
            one
            for schema, table, columns, condition in _tables(source)
            for one in _matching(con, source, schema, table, columns, condition, key, is_masked)
        ]
    if not found:
        raise ConfigurationError(
            f"no record of {source} has a key that {'ends with' if is_masked else 'is'} '{key}'. "
            "A key is written source:id, as in quality.checks and kpi.kpi_left_out; what was refused is in: salesgauge quarantine list"
        )
    said = _said(company)
    return [Found(**{**vars(one), "remarks": tuple(said.get(one.key, ()))}) for one in found[:MOST]]


def _parts(company: Company, wanted: str) -> tuple[str, str, bool]:
    known = rawlog.sources(company)
    source, _, key = wanted.strip().removeprefix("lead/").removeprefix("deal/").partition(":")
    if source not in known:
        raise ConfigurationError(
            f"'{wanted}' names no record: a key is written source:id; the sources are: {', '.join(known) or 'none'}."
        )
    masked = re.match(r"(…|\.\.\.)", key)
    return source, key[masked.end() :] if masked else key, masked is not None


def _tables(source: str) -> list[tuple[str, str, list[str], str]]:
    """Schema, table, key columns and condition of every raw table of ``source``."""
    if source not in API_SOURCES:
        return [("raw_files", entity.name, [entity.key], "source = $source") for entity in ENTITIES.values()]
    return [(f"raw_{source}", table.name, list(table.key), "$source is not null") for table in raw_tables()[source]]


def _matching(
    con: duckdb.DuckDBPyConnection,
    source: str,
    schema: str,
    table: str,
    columns: list[str],
    condition: str,
    key: str,
    is_masked: bool,
) -> list[Found]:
    last = f"cast({identifier(columns[-1])} as varchar)"
    whole = " || ':' || ".join(f"cast({identifier(column)} as varchar)" for column in columns)
    test = f"ends_with({last}, $key) and length({last}) > length($key)" if is_masked else f"$key in ({last}, {whole})"
    place = "_file, _line" if schema == "raw_files" else "cast(null as varchar) as _file, cast(null as bigint) as _line"
    rows = con.execute(
        f"""
        select {last}, count(*) over (partition by {whole}), _load_id, _loaded_at, {place}, record
        from {schema}.{identifier(table)} where {condition} and {test}
        qualify row_number() over (partition by {whole} order by _load_id desc, _row desc) = 1
        order by 1 limit {MOST}
        """,
        {"source": source, "key": key},
    ).fetchall()
    return [Found(f"{source}:{found}", f"{schema}.{table}", *rest) for found, *rest in rows]


def _said(company: Company) -> dict[str, list[str]]:
    """What the published version says of single records."""
    if not company.pointer.exists():
        return {}
    con = open_published(company.pointer)
    try:
        rows = con.execute(
            "select record_id, reason || ' (' || field || '): left out of ' || left_out_of from kpi.kpi_left_out"
        ).fetchall()
    except duckdb.CatalogException:
        return {}
    finally:
        con.close()
    said: dict[str, list[str]] = {}
    for key, text in rows:
        said.setdefault(key, []).append(text)
    return said
