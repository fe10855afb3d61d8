"""Rows of one file that share a key: which are the same row again, which are versions of a record, and when a key is none.

Which of a record's versions counts is decided by the models (``dbt_project/macros/versions.sql``), as they also stand in different files.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import duckdb

from ingestion.files.mapping.model import FileMapping
from ingestion.files.mapping.sql import Mapped
from ingestion.files.readers.relation import RefusedError
from ingestion.sql.text import identifier

_MOST = 0.01  # the share of rows that may be older versions of others
_TINY = 100  # rows: of fewer some may be, whatever their share
_SOME = 5
_SHOWN = 40
# Records that other records name: a file of deals may be their list too, and repeat each. Rows are the same that say the same of them.
_REPEATED = {"users", "accounts", "products", "campaigns", "contacts"}
_PERSONAL = {"first_name", "last_name", "name", "email", "phone"}


@dataclass(frozen=True)
class Shared:
    """``sql``: the rows of a file without those that stand in it twice. ``duplicates``: how many these are; ``superseded``: older versions."""

    sql: str
    duplicates: int = 0
    superseded: int = 0
    example: tuple[int, int] | None = None


def without_doubled(con: duckdb.DuckDBPyConnection, entry: FileMapping, rows: Mapped, good: str) -> Shared:
    """``rows`` without rows that stand in the file twice, the last one of each stays. ``good``: the query for those that can be loaded.

    RefusedError, with two rows as an example, where the key is plainly none: rows of different cases share it, or too many different rows do.
    """
    key = identifier(entry.definition.key)
    (collisions,) = con.execute(f"select count({key}) - count(distinct hash({key})) from ({rows.sql}) where _reason is null").fetchone() or (0,)  # fmt: skip
    if not collisions:
        return Shared(rows.sql)
    typed = identifier(f"t:{entry.definition.key}")
    names = {column.name for column in rows.table.columns}
    case = " || ':' || ".join(identifier(f"t:{name}") for name in ("subject_type", "subject_id")) if "subject_id" in names else "null"  # fmt: skip
    # a log tells of its case in every row: where all that is mapped is the same, nothing collides
    told = [
        name
        for name in (*names, *(column.name for column in rows.also))
        if name != "source_order" and not name.startswith("_")
    ]
    mapped = ", ".join(identifier(f"t:{name}") for name in told)
    version = identifier("t:updated_at") if "updated_at" in names else "null"
    con.execute(
        f"create or replace temp table shared_keys as select {typed} as key from ({good}) group by {typed} having count(*) > 1"
    )
    content = f"hash({mapped})" if entry.entity in _REPEATED else "md5(cast(record as varchar))"
    con.execute(
        "create or replace temp table shared_rows as "
        f"select {typed} as key, _line as line, {case} as of_case, {version} as version, hash({mapped}) as mapped, {content} as content "
        f"from ({good}) where {typed} in (select key from shared_keys)"
    )
    con.execute(
        "create or replace temp table doubled_lines as select line from shared_rows "
        "qualify row_number() over (partition by key, content order by line desc) > 1"
    )
    duplicates, total = con.execute(f"select (select count(*) from doubled_lines), (select count(*) from ({good}))").fetchall()[0]  # fmt: skip
    superseded, colliding, cases = con.execute(
        "select coalesce(sum(contents - 1), 0), coalesce(sum(greatest(told - versions, 0)), 0), coalesce(max(cases), 0) from (select count(distinct content) "
        "as contents, count(distinct mapped) as told, greatest(count(distinct version), 1) as versions, count(distinct of_case) as cases from shared_rows group by key)"
    ).fetchall()[0]
    example = (
        con.execute(
            "select min(line), max(line) from shared_rows group by key having count(distinct content) > 1 "
            "order by count(distinct of_case) > 1 desc, min(line) limit 1"
        ).fetchone()
        or con.execute("select min(line), max(line) from shared_rows group by key order by 1 limit 1").fetchone()
    )
    if cases > 1 or (colliding > _MOST * total and (total >= _TINY or colliding >= _SOME)):
        raise RefusedError(_no_key(con, entry, rows, int(colliding), int(total), across_cases=cases > 1))
    if duplicates:
        return Shared(
            f"select * from ({rows.sql}) where _line not in (select line from doubled_lines)",
            int(duplicates), int(superseded), example,
        )  # fmt: skip
    return Shared(rows.sql, 0, int(superseded), example)


def _no_key(
    con: duckdb.DuckDBPyConnection, entry: FileMapping, rows: Mapped, colliding: int, total: int, *, across_cases: bool
) -> str:
    """Why the file is refused, with two rows that share a key though they differ."""
    shared, difference = ("key", "of_case") if across_cases else ("key, version", "mapped")
    first, second = con.execute(
        f"select min(line), min(line) filter (where {difference} <> one) from "
        f"(select *, first_value({difference}) over (partition by {shared} order by line) as one from shared_rows) "
        f"group by {shared} having count(distinct {difference}) > 1 order by 1 limit 1"
    ).fetchall()[0]
    found = con.execute(f"select _line, cast(record as varchar) from ({rows.sql}) where _line in ({first}, {second}) order by 1").fetchall()  # fmt: skip
    records = [(line, _fields(record)) for line, record in found]
    names = [name for name in entry.key_sources if any(name in fields for _, fields in records)]
    differing = [name for name in _told(entry) if name not in names and len({fields.get(name) for _, fields in records}) > 1]  # fmt: skip
    shown = [*names, *differing[:3]]
    told = [
        f"line {line:,} ({', '.join(f'{name}: {fields.get(name, str())[:_SHOWN]}' for name in shown)})"
        for line, fields in records
    ]
    named = " + ".join(names) or entry.definition.key
    why = (
        f"rows of different cases share a value of '{named}'"
        if across_cases
        else f"{colliding:,} of {total:,} rows share their value of '{named}' with another row that says something else"
    )
    remedy = f"Name the columns that together are unique, for example `key: [{', '.join([*names, *differing[:1]])}]`"
    if entry.definition.key not in entry.definition.required:
        remedy += ", or leave `key` out: then each row is a record"
    elif entry.entity in ("leads", "deals"):
        remedy += ", map `updated_at` if the rows are versions of a record, or map the file as `stage_events` if it is an event log"
    return f"its key is none: {why}, such as {' and '.join(told)}. {remedy}."


def _fields(record: str) -> dict[str, str]:
    try:
        fields = json.loads(record)
    except ValueError:
        return {}
    return {name: "" if value is None else str(value) for name, value in fields.items()} if isinstance(fields, dict) else {}  # fmt: skip


def _told(entry: FileMapping) -> list[str]:
    """The columns of the file that an example may show: those that are mapped, but for what names a person."""
    personal = {source for name, rule in entry.rules.items() if name in _PERSONAL for source in rule.names}
    return [name for name in entry.sources if name not in personal]
