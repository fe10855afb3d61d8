"""What the raw log knows of HubSpot: newest version per record, known links. Nothing here talks to HubSpot or writes the raw log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import duckdb

from ingestion import rawlog
from ingestion.sources.hubspot.tables import TABLES, ObjectType
from ingestion.sql.text import path_literal, quote
from salesgauge.settings import Company
from salesgauge.warehouse import connect


class Version(NamedTuple):
    """The newest version of a record in the raw log."""

    updated_at: datetime | None
    is_archived: bool
    archived_at: datetime | None


class Known:
    """Look-ups in the committed loads. ``for_thread()`` gives each thread its own connection to the same tables."""

    def __init__(self, company: Company) -> None:
        self._con = connect(":memory:")
        rawlog.create_views(self._con, company, {"hubspot": TABLES}, with_parts=True)

    def __enter__(self) -> Known:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._con.close()

    def load(self, kinds: Sequence[ObjectType]) -> None:
        """Make the look-up tables; to be called once, before threads begin."""
        for kind in kinds:
            closed = "record ->> '$.properties.hs_is_closed' = 'true'" if kind.name == "deals" else "null"
            # ids alone; those of contacts come with the moment: 101:1767225600000
            merged = (
                "nullif(concat_ws(';', nullif(record ->> '$.properties.hs_merged_object_ids', ''), "
                "nullif(regexp_replace(record ->> '$.properties.hs_calculated_merged_vids', ':[0-9]+', '', 'g'), '')), '')"
                if kind.can_merge
                else "null"
            )
            self._con.execute(
                f"""
                create table known_{kind.name} as
                select id, updated_at, coalesce(is_archived, false) as is_archived, archived_at,
                    coalesce({closed}, false) as is_closed, {merged} as merged_ids
                from raw_hubspot.{kind.name}
                qualify row_number() over (partition by id order by _load_id desc, _row desc) = 1
                """
            )
        self._con.execute(
            """
            create table known_links as
            select from_type, to_type, from_id, to_ids from raw_hubspot.associations
            qualify row_number() over (partition by from_type, to_type, from_id order by _load_id desc, _row desc) = 1
            """
        )
        self._con.execute(
            """
            create table absent as
            select table_name, id from raw_hubspot.absences
            qualify row_number() over (partition by table_name, id order by _load_id desc, _row desc) = 1 and is_absent
            """
        )
        # A record in quarantine comes again with every overlap: it is new only if it was edited since.
        self._con.execute(
            """
            create table rejected as
            select distinct table_name, record_key as id, try(record ->> '$.updatedAt') as updated_text
            from raw_log.quarantine where source = 'hubspot' and record_key is not null
            """
        )

    def for_thread(self) -> Lookup:
        """Look-ups for the calling thread."""
        return Lookup(self._con.cursor())


# Live records as far as is known: not archived, not found gone, not merged into another.
_EXPECTED = """
    with ids as (
        select id from known_{kind} where not is_archived
        union
        select unnest($live::varchar[]) as id
        union
        select id from rejected where table_name = '{kind}' and id is not null
    ), claims as (
        select id as survivor, trim(unnest(string_split(merged_ids, ';'))) as id from known_{kind} where merged_ids is not null
    ), gone as (
        select id from claims where id <> survivor
        union all
        select unnest($merged::varchar[])
        union all
        select unnest($archived::varchar[])
        union all
        select id from absent where table_name = '{kind}' and id not in (select unnest($live::varchar[]))
    )
    select {columns} from ids
    where not exists (select 1 from gone where gone.id = ids.id) and coalesce(try_cast(ids.id as hugeint) <= $newest::hugeint, true)
"""


def _ids_of(file: Path) -> str:
    return (
        f"read_json({path_literal(file)}, format = 'newline_delimited', "
        "columns = {id: 'varchar', updated_text: 'varchar', archived_text: 'varchar', merged_ids: 'varchar'})"
    )


class Lookup:
    """Look-ups over one connection."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self._con = con

    def changed(self, kind: ObjectType, hits: Path) -> list[str]:
        """Ids of ``hits`` (live records: ``id, updatedAt``) whose modified date is not that of the newest version known."""
        is_back = f"found.id in (select absent.id from absent where absent.table_name = {quote(kind.name)})"
        return self._ids(kind, hits, f"known.is_archived or {is_back}")

    def newly_archived(self, kind: ObjectType, listed: Path) -> list[str]:
        """Ids of ``listed`` (archived records) that are not known as archived, or were archived or edited anew."""
        return self._ids(kind, listed, "not known.is_archived or known.archived_at is distinct from found.archived_at")

    def _ids(self, kind: ObjectType, file: Path, differs: str) -> list[str]:
        rows = self._con.execute(
            f"""
            with found as (
                select distinct id, updated_text, timezone('UTC', try_cast(updated_text as timestamptz)) as updated_at,
                    timezone('UTC', try_cast(archived_text as timestamptz)) as archived_at
                from {_ids_of(file)}
            )
            select distinct found.id from found
            left join known_{kind.name} as known on known.id = found.id
            where (known.id is null or known.updated_at is distinct from found.updated_at or {differs})
                and not exists (
                    select 1 from rejected
                    where rejected.table_name = {quote(kind.name)} and rejected.id = found.id
                        and rejected.updated_text = found.updated_text
                )
            order by found.id
            """
        ).fetchall()
        return [row[0] for row in rows]

    def absent(self, kind: ObjectType) -> set[str]:
        """Ids that the last counting found gone and that did not come back since."""
        return {
            row[0] for row in self._con.execute("select id from absent where table_name = ?", [kind.name]).fetchall()
        }

    def newest_id(self, kind: ObjectType, live: Sequence[str]) -> int | None:
        """The largest id of a live record that is known or in ``live``; None where there is none, or ids are no numbers."""
        sql = (
            "select max(try_cast(id as hugeint)) from "
            f"(select id from known_{kind.name} where not is_archived union all select unnest($live::varchar[]))"
        )
        row = self._con.execute(sql, {"live": list(live)}).fetchone()
        return None if row is None or row[0] is None else int(row[0])

    def live_count(
        self,
        kind: ObjectType,
        live: Sequence[str],
        archived: Sequence[str],
        merged: Iterable[str],
        newest: int | None = None,
    ) -> int:
        """How many live records there should be, by what is known and what this run found (``live``, ``archived``, ``merged`` away), with ids up to
        ``newest``.
        """
        (count,) = self._con.execute(
            _EXPECTED.format(kind=kind.name, columns="count(*)"), self._found(live, archived, merged, newest)
        ).fetchall()[0]
        return int(count)

    def missing(
        self, kind: ObjectType, live: Sequence[str], archived: Sequence[str], merged: Iterable[str], listed: Path
    ) -> list[str]:
        """Ids that should be there and are not in ``listed`` (``id`` per line)."""
        rows = self._con.execute(
            f"""
            select id from ({_EXPECTED.format(kind=kind.name, columns="id")})
            where id not in (select id from {_ids_of(listed)})
                and id not in (select id from rejected where table_name = {quote(kind.name)} and id is not null)
            order by id
            """,
            self._found(live, archived, merged),
        ).fetchall()
        return [row[0] for row in rows]

    def newly_merged(self, kind: ObjectType, listed: Path) -> list[str]:
        """Ids of ``listed`` (live records with ``merged_ids``) that have taken in others since they were read."""
        rows = self._con.execute(
            f"""
            select distinct found.id from {_ids_of(listed)} as found
            inner join known_{kind.name} as known on known.id = found.id
            where coalesce(found.merged_ids, '') <> coalesce(known.merged_ids, '')
            order by found.id
            """
        ).fetchall()
        return [row[0] for row in rows]

    @staticmethod
    def _found(
        live: Sequence[str], archived: Sequence[str], merged: Iterable[str], newest: int | None = None
    ) -> dict[str, Any]:
        return {"live": list(live), "archived": list(archived), "merged": list(merged), "newest": newest}

    def archived(self, kind: ObjectType) -> set[str]:
        """Ids whose newest version is archived."""
        return {row[0] for row in self._con.execute(f"select id from known_{kind.name} where is_archived").fetchall()}

    def versions(self, kind: ObjectType, ids: Sequence[str]) -> dict[str, Version]:
        """The newest version of each of ``ids`` that is known."""
        rows = self._con.execute(
            f"select id, updated_at, is_archived, archived_at from known_{kind.name} where id in (select unnest(?::varchar[]))",
            [list(ids)],
        ).fetchall()
        return {row[0]: Version(*row[1:]) for row in rows}

    def open_deals(self, most: int) -> list[str]:
        """Ids of the deals that are neither closed nor archived, the last edited ones first, at most ``most``."""
        rows = self._con.execute(
            f"select id from known_deals where not is_closed and not is_archived order by updated_at desc, id limit {int(most)}"
        ).fetchall()
        return [row[0] for row in rows]

    def links(self, from_type: str, to_type: str, ids: Sequence[str]) -> dict[str, list[str]]:
        """Known links of ``ids``, sorted; ids without any are left out."""
        rows = self._con.execute(
            "select from_id, to_ids from known_links where from_type = ? and to_type = ? and from_id in (select unnest(?::varchar[]))",
            [from_type, to_type, list(ids)],
        ).fetchall()
        return {row[0]: row[1] for row in rows if row[1]}

    def audited(self) -> set[tuple[str, str, str]]:
        """(object type, pipeline, stage) whose audit was read."""
        rows = self._con.execute("select distinct object_type, pipeline_id, stage_id from raw_hubspot.pipeline_audits")
        return {(row[0], row[1], row[2]) for row in rows.fetchall()}

    def listed_stages(self, object_type: str) -> set[tuple[str, str]]:
        """(pipeline, stage) of every snapshot of the pipelines that was ever loaded."""
        rows = self._con.execute(
            "select distinct id, unnest(json_extract_string(record, '$.stages[*].id')) from raw_hubspot.pipelines where object_type = ?",
            [object_type],
        ).fetchall()
        return {(row[0], row[1]) for row in rows}
