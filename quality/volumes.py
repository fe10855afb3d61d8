"""How many records each source gives, now and in the version that is served. Judging the difference belongs to the suites."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import duckdb

VOLUMES = "quality_volumes"
"""Temporary table: source, entity, records, records_before, newest_at, as_of, is_accepted."""

# Entity → table, key (its prefix is the source), time of the record, condition of what counts.
ENTITIES = {
    "leads": ("intermediate.int_leads", "lead_id", "created_at", "exclusion_reason is null"),
    "deals": ("intermediate.int_deals", "deal_id", "created_at", "exclusion_reason is null"),
    "activities": ("intermediate.int_activities", "activity_id", "created_at", "true"),
    "survey_answers": ("intermediate.int_survey_answers", "response_id", "submitted_at", "true"),
    "web_events": ("intermediate.int_web_events", "event_id", "at", "true"),
}


def measure_volumes(
    con: duckdb.DuckDBPyConnection, *, as_of: datetime, before: dict[str, Any] | None, accepted: frozenset[str]
) -> dict[str, dict[str, int]]:
    """Fill the temporary table ``quality_volumes`` of ``con``; counted records by source and entity.

    ``before``: the manifest of the version that is served; ``accepted``: sources whose volume may drop this time.
    """
    con.execute(
        f"""
        create or replace temp table {VOLUMES} (
            source varchar, entity varchar, records double, records_before double, newest_at timestamp, as_of timestamp, is_accepted boolean
        )
        """
    )
    now: dict[str, dict[str, int]] = {}
    newest: dict[tuple[str, str], datetime | None] = {}
    for entity, (table, key, at, condition) in ENTITIES.items():
        for source, records, latest in _measure(con, table, key, at, condition, as_of):
            now.setdefault(source, {})[entity] = records
            newest[source, entity] = latest
    earlier = {
        (source, entity): records
        for source, content in (before or {}).get("sources", {}).items()
        for entity, records in content.get("records", {}).items()
    }
    keys = sorted(set(newest) | set(earlier))
    rows = [
        (
            source,
            entity,
            now.get(source, {}).get(entity, 0),
            earlier.get((source, entity)),
            newest.get((source, entity)),
            as_of,
            source in accepted,
        )
        for source, entity in keys
    ]
    if rows:
        con.executemany(f"insert into {VOLUMES} values (?, ?, ?, ?, ?, ?, ?)", rows)
    return {source: now[source] for source in sorted(now)}


def _measure(
    con: duckdb.DuckDBPyConnection, table: str, key: str, at: str, condition: str, as_of: datetime
) -> list[tuple[str, int, datetime | None]]:
    query = f"""
        select split_part({key}, ':', 1) as source, count(*) as records, max("{at}") filter (where "{at}" <= ?) as newest_at
        from {table} where {condition} and {key} is not null group by all order by 1
    """
    try:
        return con.execute(query, [as_of]).fetchall()
    except (duckdb.CatalogException, duckdb.BinderException):
        return []  # the suite of that table says that it is missing
