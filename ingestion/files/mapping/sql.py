"""The SQL that turns the rows of a file into rows of a canonical entity, as its mapping says.

It works in steps, one projection each, so that nothing is computed twice: the file's values (``values``: nulls, value maps) → moments as they are
written → moments in UTC (``moments``). Whether a value fits is decided by ``landing.typing``; the columns made here tell it how (``RawColumn.convert``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from ingestion.files.mapping.model import STAGE_COLUMN, FileMapping
from ingestion.files.mapping.moments import expected_form, with_moments
from ingestion.files.mapping.numbers import (
    AMOUNT_WORDS,
    amount_sql,
    currency_signs,
    currency_sql,
    duration_sql,
    duration_words,
    number_sql,
    number_words,
)
from ingestion.files.mapping.values import JSON_FORMATS, ids_of, is_as_it_is, texts_sql, values_sql
from ingestion.rawlog import FILE_COLUMNS
from ingestion.rawlog.declarations import AsReceived, RawColumn, RawTable
from ingestion.sql.text import identifier, quote
from salesgauge.entities import DUCKDB_TYPES, ENTITIES, Entity
from salesgauge.process import Process

# the last row of many reports; '{0}' is the text of the key
_IS_TOTAL = (
    "({0} >= ':' and regexp_full_match(lower(trim({0})), "
    "'((grand|report|overall|sub)[ -]?)?(totals?|totaux|totale|totaal|suma|summe|sum|gesamt|gesamtsumme|zwischensumme)( g[eé]n[eé]rale?)?( ?[(].*[)])?:?'))"
)
_CLOSING = ("won", "lost", "disqualified")


@dataclass(frozen=True)
class Mapped:
    """``sql`` yields the columns of ``table``, those in ``also`` (dates that become stage events) and what ``Landing.relation`` needs besides.

    ``as_received``: the columns of the file, which are kept as they were received. None where a row is JSON and is kept as text.
    """

    table: RawTable
    sql: str
    also: tuple[RawColumn, ...]
    as_received: tuple[AsReceived, ...] | None


def raw_table(
    source: str,
    entity: Entity,
    converted: Mapping[str, tuple[str, str]] | None = None,
    *,
    filled: Iterable[str] | None = None,
    file: str | None = None,
    first_line: int | None = None,
) -> RawTable:
    """The raw table of a canonical entity. ``converted``: column → (``convert``, ``expected``).

    ``filled``: the columns that the source has (default: all). Files hold no others, as an empty column costs nearly as much as a full one; the
    view over the raw log shows them as null. ``file``: all rows are of it. ``first_line``: they follow each other from there on, else each has its own.
    """
    columns = []
    for column in entity.columns:
        if filled is None or column.name in filled or column.name in entity.required:
            convert, expected = (converted or {}).get(column.name, (None, None))
            columns.append(
                RawColumn(column.name, DUCKDB_TYPES[column.type], "", column.name in entity.required, convert, expected)
            )
    constants = {"source": source, "_file": file}
    columns += [RawColumn(name, kind, "", constant=constants[name]) for name, kind in FILE_COLUMNS if name in constants]
    if first_line is None:
        columns.append(RawColumn("_line", "bigint", ""))
    else:
        columns.append(RawColumn("_first_line", "bigint", "", constant=str(first_line)))
    return RawTable(source, entity.name, tuple(columns), (entity.key,), is_bulk=True)


def mapped(
    mapping: FileMapping,
    relation_sql: str,
    types: Mapping[str, str],
    *,
    source: str,
    file: str,
    first_line: int | None = None,
    numeric: frozenset[str] = frozenset(),
    company_zone: str | None = None,
    utc_days: Collection[str] = (),
) -> Mapped:
    """The rows of a file, ``relation_sql`` (see ``tabular.Relation``, its columns' types in ``types``), as rows of the mapping's entity.

    ``first_line``: the rows follow each other from there on, so that none needs its ``_line``. ``numeric``: the columns with ``n:<column>``.
    ``company_zone``: in which a day without a time begins (default: that of the mapping's times). ``utc_days``: the columns of the file all of whose
    moments are midnight in UTC (``midnights``), which is how many programs write a day.
    """
    entity = mapping.definition
    values, given, moments = values_sql(mapping, types, file, company_zone, utc_days)
    converted = {
        moment.name: (identifier(f"d:{moment.name}"), expected_form(moment, mapping.kind))
        for moment in moments
        if not moment.name.startswith("e:")
    }
    if currency_signs(mapping) and given["amount"] == "varchar":
        values["currency"] = currency_sql(mapping, values["amount"], values["currency"])
    has_numbers = "numbers" in mapping.model_fields_set
    for column in entity.columns:
        if column.name.endswith("_seconds") and given[column.name] in ("varchar", "time", "interval"):
            converted[column.name] = (duration_sql(mapping, column), duration_words(mapping))
        elif column.type not in ("decimal", "integer", "float") or given[column.name] != "varchar":
            continue
        elif has_numbers:
            converted[column.name] = (number_sql(column, mapping.numbers), number_words(mapping.numbers))
        elif column.type == "decimal":
            converted[column.name] = (amount_sql(mapping, column, types, numeric), AMOUNT_WORDS)
    also = tuple(
        RawColumn(
            moment.name, "timestamp", "", False, identifier(f"d:{moment.name}"), expected_form(moment, mapping.kind)
        )
        for moment in moments
        if moment.name.startswith("e:")
    )
    listed = ", ".join(f"{expression} as {identifier(name)}" for name, expression in values.items())
    first = "null" if first_line is None else str(first_line)
    as_received = None if mapping.kind in JSON_FORMATS else tuple(_as_received(mapping, types))
    received = "".join(f", {identifier(one.column)}" for one in as_received or ())
    received += "".join(f", {identifier(f'n:{name}')}" for name in sorted(numeric))
    sql = (
        f"select {listed}{received}, {quote(source)} as source, {quote(file)} as _file, _line, cast({first} as bigint) as _first_line, "
        f"{_reason(mapping, types)} as _reason, _record as record from ({relation_sql})"
    )
    table = raw_table(source, entity, converted, filled=_filled(mapping), file=file, first_line=first_line)
    return Mapped(table, with_moments(sql, moments, mapping.kind), also, as_received)


def _reason(mapping: FileMapping, types: Mapping[str, str]) -> str:
    """Why a row can't be used at all: it can't be read, a cell that is to hold JSON does not, or it is no record but the totals of a report."""
    rules = [*mapping.columns.values(), *(mapping.stages.entered.values() if mapping.stages else ())]
    cells = {name for rule in rules if rule.json_path for name in rule.found(types)}
    reasons = [
        f"case when not json_valid(nullif(trim({column}), '')) then {quote(f'{name}: it holds no valid JSON')} end"
        for name in sorted(cells)
        for column in [f"cast({identifier(f's:{name}')} as varchar)"]
    ]
    if mapping.kind in ("csv", "excel"):
        for name in mapping.key or ():
            column = f"cast({identifier(f's:{name}')} as varchar)"
            words = f"{quote(f'{name}: ')} || {column} || {quote(' is no id: a row of totals')}"
            reasons.append(f"case when {_IS_TOTAL.format(column)} then {words} end")
    return f"coalesce({', '.join(['_reject', *reasons])})" if reasons else "_reject"


def _filled(mapping: FileMapping) -> set[str]:
    """The canonical columns that rows of the mapping can have, and those that its stage events are made of."""
    names = {*mapping.provided, mapping.definition.key}
    if mapping.order is not None:
        names.add("source_order")
    if mapping.stages:
        names |= {STAGE_COLUMN[mapping.entity], "pipeline"}
    return names | ({"currency"} if currency_signs(mapping) else set())


def _as_received(mapping: FileMapping, types: Mapping[str, str]) -> Iterable[AsReceived]:
    """The columns of the file. Of one that becomes a column of the entity as it is, only what differs need be kept."""
    same: dict[str, str] = {}
    has_words = bool(set(mapping.nulls) - {""})
    maps = {mapping.canonical(name) for name in mapping.values}
    mapped_to = [
        (source, name)
        for name, rule in mapping.rules.items()
        if rule.is_plain and not (name == "currency" and currency_signs(mapping))
        for source in rule.found(types)
    ]
    if mapping.key and len(mapping.key) == 1:
        mapped_to.append((mapping.key[0], mapping.definition.key))
    ids = ids_of(mapping.definition)
    for source, name in mapped_to:
        if types[source] == DUCKDB_TYPES[mapping.definition.column(name).type]:
            same.setdefault(source, name)
    return [
        AsReceived(
            name,
            f"s:{name}",
            same.get(name),
            is_mapped=has_words or same.get(name) in maps,
            same_if=f"coalesce({is_as_it_is(identifier(f's:{name}'), is_id=same.get(name) in ids)}, true)"
            if kind == "varchar"
            else None,
        )
        for name, kind in types.items()
    ]


def stage_events(
    mapping: FileMapping, good_rows: str, process: Process, *, source: str, snapshot_at: datetime | None = None
) -> tuple[RawTable, str]:
    """The stage events that the date columns of ``stages.entered`` tell of. No date, no event. ``snapshot_at``: in today's stage the record was then.

    A date in the column of a closing stage (won, lost, disqualified) counts only where the record is in that stage, or after won where it is in a
    post-sale stage: exports fill one "closed" column for all of them, and for open deals with a plan.
    """
    assert mapping.stages is not None
    entity = ENTITIES["stage_events"]
    order = {stage.key: position for position, stage in enumerate(process.process.stages, 1)}
    current = identifier(f"t:{STAGE_COLUMN[mapping.entity]}")
    key = identifier(f"t:{mapping.definition.key}")
    pipeline = identifier("t:pipeline") if mapping.entity == "deals" else "cast(null as varchar)"
    entries = []
    for stage in mapping.stages.entered:
        at = identifier(f"t:e:{stage}")
        if mapping.stages.current and process.stage(stage).kind in _CLOSING:
            at = f"case when {current} in ({texts_sql(_stages_after(stage, process))}) then {at} end"
        entries.append(
            f"{{'id': {key} || {quote(f':{stage}')}, 'stage': {quote(stage)}, 'at': {at}, 'source_order': {order[stage]}}}"
        )
    if snapshot_at is not None:
        places = " ".join(f"when {quote(stage)} then {place}" for stage, place in order.items())
        at = f"case when {current} is not null then timestamp {quote(snapshot_at.isoformat(sep=' '))} end"
        entries.append(
            f"{{'id': {key} || '@' || _file, 'stage': {current}, 'at': {at}, 'source_order': case {current} {places} end}}"
        )
    subject = "deal" if mapping.entity == "deals" else "lead"
    unnested = f"select {key} as subject_id, {pipeline} as pipeline, _file, _line, record, unnest([{', '.join(entries)}]) as event from ({good_rows})"
    values = {
        "event_id": "event.id",
        "subject_type": quote(subject),
        "subject_id": "subject_id",
        "stage": "event.stage",
        "pipeline": "pipeline",
        "at": "event.at",
        "source_order": "cast(event.source_order as bigint)",
    }
    listed = ", ".join(
        f"{values.get(column.name, f'cast(null as {DUCKDB_TYPES[column.type]})')} as {identifier(column.name)}"
        for column in entity.columns
    )
    sql = (
        f"select {listed}, {quote(source)} as source, _file, _line, record from ({unnested}) where event.at is not null"
    )
    return raw_table(source, entity), sql


def _stages_after(stage: str, process: Process) -> list[str]:
    """The current stages with which an entry into the closing ``stage`` is a fact."""
    if process.stage(stage).kind != "won":
        return [stage]
    return [stage, *(other.key for other in process.process.stages if other.kind == "post_sale")]
