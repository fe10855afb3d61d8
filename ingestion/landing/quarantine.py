"""Records that could not be loaded: which wait, why, and landing them again. Why a record goes there is ``load``'s matter, when they are landed again that
of ``ingestion.quarantine``.

A record waits until a later load holds it, or its key, or until its file, or its day, is read again. Nothing is ever removed from the quarantine but by erasure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from ingestion import rawlog
from ingestion.landing.load import Landing
from ingestion.landing.spool import spool_folder
from ingestion.rawlog.declarations import RawTable, Tables
from ingestion.sql.lines import read_lines
from ingestion.sql.text import identifier, quote
from salesgauge.settings import API_SOURCES, Company
from salesgauge.warehouse import connect

_ID = "left(md5(concat_ws('|', source, table_name, load_id, file, cast(line as varchar), record_key, record)), 10)"


@dataclass(frozen=True)
class Waiting:
    """A record in quarantine. ``file`` and ``line`` say where it came from, where it came from a file; ``record`` is as it was received."""

    id: str
    source: str
    table: str
    load_id: str
    loaded_at: datetime
    file: str | None
    line: int | None
    key: str | None
    reason: str
    record: str | None


def waiting(company: Company, tables: Tables) -> list[Waiting]:
    """The records that wait, the newest first; of all that were received twice only the last. ``tables``: the raw tables of all connectors."""
    with connect(":memory:") as con:
        rawlog.create_views(con, company, tables)
        return _waiting(con, company, tables)


def load_again(
    company: Company, source: str, declared: Sequence[RawTable], records: Sequence[Waiting], received_at: datetime
) -> int:
    """Land those of ``records`` of ``source`` that fit now, as one load; how many. ``declared``: the raw tables of the source."""
    tables = {table.name: table for table in declared}
    with (
        Landing(company, source, received_at=received_at) as landing,
        spool_folder(company.work_dir, source) as folder,
    ):
        for name in dict.fromkeys(one.table for one in records):
            if name in tables:
                lines = [one.record for one in records if one.table == name and one.record and "\n" not in one.record]
                good = _fitting(landing, tables[name], lines, folder)
                if good is not None:
                    landing.records(tables[name], [good])
        if rawlog.committed(company, source) and not rawlog.has_loads(company, source):
            landing.keep()  # the first load has parts only: these records are one more
        else:
            landing.commit()
        return sum(count.loaded for count in landing.total.values())


def _fitting(landing: Landing, table: RawTable, lines: Iterable[str], folder: Path) -> Path | None:
    """A file with those of ``lines`` that would be loaded; None where there is none."""
    kept = list(lines)
    if not kept:
        return None
    candidates = folder / f"{table.name}.candidates.jsonl"
    candidates.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
    paths = ", ".join(quote(column.path) for column in table.columns)
    values = ", ".join(f"v[{place}] as {identifier(column.name)}" for place, column in enumerate(table.columns, 1))
    longest = max(len(line.encode()) for line in kept)
    rows = f"(select line, row_number() over () as number from {read_lines([candidates], longest)})"
    sql = (
        f"select {values}, line as record, number as _line, case when v is null then 'no JSON' end as _reason "
        f"from (select line, number, try(json_extract_string(line, [{paths}])) as v from {rows})"
    )
    numbers = {row[0] for row in landing.con.execute(f"select _line from ({landing.good_rows(table, sql)})").fetchall()}
    if not numbers:
        return None
    good = folder / f"{table.name}.good.jsonl"
    good.write_text("".join(f"{line}\n" for place, line in enumerate(kept, 1) if place in numbers), encoding="utf-8")
    return good


def _waiting(con: duckdb.DuckDBPyConnection, company: Company, tables: Tables) -> list[Waiting]:
    """Newest quarantine row of each record, without those that were healed."""
    rows = con.execute(
        f"select {_ID} as id, source, table_name, load_id, loaded_at, file, line, record_key, reason, record "
        "from raw_log.quarantine "
        "qualify row_number() over (partition by source, table_name, file, line, record_key, md5(record) order by load_id desc) = 1 "
        "order by load_id desc, source, table_name, line, id"
    ).fetchall()
    found = [Waiting(*row) for row in rows]
    healed = _healed(con, company, tables, found)
    live = _live_files(company, {one.source for one in found} - set(API_SOURCES))
    return [
        one
        for one in found
        if (
            one.id not in healed
            if one.source in API_SOURCES
            else one.load_id in live.get((one.source, one.table, one.file or ""), ())
        )
    ]


def _healed(con: duckdb.DuckDBPyConnection, company: Company, tables: Tables, found: Sequence[Waiting]) -> set[str]:
    """Ids of API records whose key, whose day, or whose very text, was loaded after they were quarantined."""
    healed: set[str] = set()
    for source, name in {(one.source, one.table) for one in found if one.source in API_SOURCES}:
        table = next((table for table in tables.get(source, ()) if table.name == name), None)
        if table is None:
            continue
        mine = [
            (one.id, one.key, one.record, one.load_id, one.file)
            for one in found
            if (one.source, one.table) == (source, name)
        ]
        con.execute(
            "create or replace temp table mine (id varchar, key varchar, record varchar, load_id varchar, file varchar)"
        )
        con.executemany("insert into mine values (?, ?, ?, ?, ?)", mine)
        if table.day is not None:
            healed |= _healed_with_their_day(con, company, table)
            continue
        key = " || '|' || ".join(f"cast({identifier(column)} as varchar)" for column in table.key)
        rows = con.execute(
            f"select distinct mine.id from mine join ({rawlog.relation(company, table)}) as loaded "
            f"on loaded._load_id >= mine.load_id and (({key}) = mine.key and loaded._load_id > mine.load_id "
            "or md5(cast(loaded.record as varchar)) = md5(mine.record))"
        ).fetchall()
        healed |= {row[0] for row in rows}
    return healed


def _healed_with_their_day(con: duckdb.DuckDBPyConnection, company: Company, table: RawTable) -> set[str]:
    """Ids of the records in ``mine`` whose day is in a later load; the day is that of the record, else that in the name of its file."""
    column = next(one for one in table.columns if one.name == table.day)
    text = f"try(json_extract_string(mine.record, {quote(column.path)}))"
    day = f"try({column.convert.format(value=text)})" if column.convert else f"try_cast({text} as date)"
    of_file = "cast(try_strptime(regexp_extract(mine.file, '[0-9]{8}'), '%Y%m%d') as date)"
    loads = f"select distinct {identifier(column.name)} as day, _load_id from ({rawlog.relation(company, table)})"
    rows = con.execute(
        f"select distinct mine.id from mine join ({loads}) as loads on loads.day = coalesce({of_file}, {day}) and loads._load_id > mine.load_id"
    ).fetchall()
    return {row[0] for row in rows}


def _live_files(company: Company, sources: Iterable[str]) -> dict[tuple[str, str, str], set[str]]:
    """Of every file (source, entity, name) the loads whose rows in quarantine wait: the load whose rows count, and a later one that was refused.

    A file that no mapping names any more waits for nothing.
    """
    live: dict[tuple[str, str, str], set[str]] = {}
    for source in sources:
        with connect(":memory:") as con:
            rows = con.execute(
                f"select table_name, file, max(_load_id) from ({rawlog.quarantined(company, source)}) group by all"
            ).fetchall()
        cursors = rawlog.cursors(company, source)
        for table, file, newest in rows:
            state = cursors.get(table, {}).get("files", {}).get(file or "")
            if state is not None:
                counts = state.get("load_id")
                live[source, table, file or ""] = {load for load in (counts, newest) if load and load >= (counts or "")}
    return live
