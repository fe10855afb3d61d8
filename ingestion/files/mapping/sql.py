"""The SQL that turns the rows of a file into rows of a canonical entity, as its mapping says.

It works in steps, one projection each, so that nothing is computed twice: the file's values (nulls, value maps) → moments as they are written →
moments in UTC. Whether a value fits is decided by ``landing.typing``; the columns made here tell it how (``RawColumn.convert``).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlglot import exp

from ingestion.files.mapping.model import STAGE_COLUMN, ColumnRule, DateRule, FileMapping, Numbers
from ingestion.rawlog import FILE_COLUMNS
from ingestion.rawlog.declarations import AsReceived, RawColumn, RawTable
from ingestion.sql.lines import identifier, json_path, quote
from salesgauge.entities import DUCKDB_TYPES, ENTITIES, Column, Entity
from salesgauge.process import Process
from salesgauge.process.expressions import read_condition

_OFFSET = "'[0-9]{2}:[0-9]{2}.*(Z| UTC|[+-][0-9]{2}(:?[0-9]{2})?)$'"
_MIDNIGHT = "'[0-9-]{8,10}[T ]00:00(:00([.]0+)?)?(Z| UTC|[+-]00(:?00)?)'"
_JSON = ("jsonl", "xes")  # formats of which a row is kept as the JSON that it is
_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ)
_AMOUNT_WORDS = (
    "an amount with '.' before at most two decimals; say how amounts are written, for example numbers: {decimal: ',', group: '.'} or "
    "numbers: {decimal: '.', group: ','}"
)
_BLANKS = " \u00a0\u202f\u2009"
_CURRENCY_WORDS = {"kr", "zł", "kč", "fr", "sfr", "ft", "rs", "lei", "euro", "euros"}
_SIGNS, _PLAIN_SIGNS = "\u2212\u2019", "-'"
# the last row of many reports; '{0}' is the text of the key
_IS_TOTAL = (
    "({0} >= ':' and regexp_full_match(lower(trim({0})), "
    "'((grand|report|overall|sub)[ -]?)?(totals?|totaux|totale|totaal|suma|summe|sum|gesamt|gesamtsumme|zwischensumme)( g[eé]n[eé]rale?)?( ?[(].*[)])?:?'))"
)
_TIME_OF_DAY = re.compile(r"%-?[HIMSfgnpXcTRs]")  # codes of a time in a date format
_FORMS = {"iso8601": "an ISO 8601 form", "unix": "seconds since 1970", "unix_ms": "milliseconds since 1970"}
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


@dataclass(frozen=True)
class _Moment:
    """A date or time on its way: ``name`` in the query, ``given`` its DuckDB type, ``kind`` timestamp or date."""

    name: str
    given: str
    kind: str
    rule: DateRule
    company_zone: str | None = None
    is_utc_day: bool = False  # each of its moments is a midnight in UTC: a day

    @property
    def zone(self) -> str:
        """That of times without an offset."""
        return self.rule.timezone or "UTC"

    @property
    def day_zone(self) -> str:
        """That of days without a time: a day is the company's day, whatever zone its times would be in."""
        return self.company_zone or self.zone


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
    values, given, moments = _values(mapping, types, file, company_zone, utc_days)
    converted = {
        moment.name: (identifier(f"d:{moment.name}"), _expected(moment, mapping.kind))
        for moment in moments
        if not moment.name.startswith("e:")
    }
    if _currency_signs(mapping) and given["amount"] == "varchar":
        values["currency"] = _currency(mapping, values["amount"], values["currency"])
    has_numbers = "numbers" in mapping.model_fields_set
    for column in entity.columns:
        if column.name.endswith("_seconds") and given[column.name] in ("varchar", "time", "interval"):
            converted[column.name] = (_duration(mapping, column), _duration_words(mapping))
        elif column.type not in ("decimal", "integer", "float") or given[column.name] != "varchar":
            continue
        elif has_numbers:
            converted[column.name] = (_number(column, mapping.numbers), _number_words(mapping.numbers))
        elif column.type == "decimal":
            converted[column.name] = (_amount(mapping, column, types, numeric), _AMOUNT_WORDS)
    also = tuple(
        RawColumn(moment.name, "timestamp", "", False, identifier(f"d:{moment.name}"), _expected(moment, mapping.kind))
        for moment in moments
        if moment.name.startswith("e:")
    )
    listed = ", ".join(f"{expression} as {identifier(name)}" for name, expression in values.items())
    first = "null" if first_line is None else str(first_line)
    as_received = None if mapping.kind in _JSON else tuple(_as_received(mapping, types))
    received = "".join(f", {identifier(one.column)}" for one in as_received or ())
    received += "".join(f", {identifier(f'n:{name}')}" for name in sorted(numeric))
    sql = (
        f"select {listed}{received}, {quote(source)} as source, {quote(file)} as _file, _line, cast({first} as bigint) as _first_line, "
        f"{_reason(mapping, types)} as _reason, _record as record from ({relation_sql})"
    )
    table = raw_table(source, entity, converted, filled=_filled(mapping), file=file, first_line=first_line)
    return Mapped(table, _with_moments(sql, moments, mapping.kind), also, as_received)


def midnights(mapping: FileMapping, types: Mapping[str, str]) -> dict[str, str]:
    """Columns of the file that hold moments with an offset → SQL condition for one that is midnight in UTC; null where there is none."""
    rules = [
        (rule, mapping.dates.rule(name, *rule.names))
        for name, rule in mapping.rules.items()
        if _is_moment(mapping, name)
    ]
    rules += [
        (rule, mapping.dates.rule(*rule.names, stage))
        for stage, rule in (mapping.stages.entered.items() if mapping.stages else ())
    ]
    found = {}
    for rule, dates in rules:
        for name in rule.found(types) if rule.is_plain else ():
            column, kind = identifier(f"s:{name}"), types[name]
            if kind == "timestamp with time zone":
                found[name] = f"cast(timezone('UTC', {column}) as time) = time '00:00:00'"
            elif kind in ("varchar", "text", "json") and (dates.format or ["iso8601"]) == ["iso8601"]:
                text = f"trim(cast({column} as varchar))"
                found[name] = f"case when {text} > '0' then regexp_full_match({text}, {_MIDNIGHT}) end"
    return found


def _is_moment(mapping: FileMapping, name: str) -> bool:
    return mapping.definition.column(name).type in ("timestamp", "date")


def left_out(mapping: FileMapping, columns: Collection[str]) -> str:
    """SQL condition, never null, for the rows of a file that ``where`` leaves out; rows that can't be read are none of them."""
    tree = read_condition(mapping.where or "true")
    # the types of the literals with which a column is compared decide how its text is read
    kinds: dict[str, str] = {}
    for node in tree.walk():
        sides = [side.unnest() for side in node.iter_expressions()]
        if isinstance(node, (*_COMPARISONS, exp.In, exp.Between)) and isinstance(sides[0], exp.Column):
            kinds.update((sides[0].name, kind) for side in sides[1:] if (kind := _kind_of(side)))
    known = {name.casefold(): name for name in columns}

    def rendered(node: exp.Expression) -> exp.Expression:
        if not isinstance(node, exp.Column):
            return node
        text = exp.column(f"s:{known.get(node.name.casefold(), node.name)}", quoted=True)
        is_alone = isinstance(node.parent, (exp.And, exp.Or, exp.Not, exp.Paren)) or node.parent is None
        is_boolean = is_alone or (isinstance(node.parent, exp.Is) and isinstance(node.parent.expression, exp.Boolean))
        if is_boolean:
            return exp.TryCast(this=text, to=exp.DataType.build("boolean"))
        if node.name in kinds:
            return exp.TryCast(this=text, to=exp.DataType.build(kinds[node.name]))
        words = [exp.Literal.string(word) for word in sorted({"", *mapping.nulls})]
        trimmed = exp.Trim(this=exp.cast(text, "varchar"))
        is_nothing = exp.or_(
            exp.In(this=trimmed, expressions=words), exp.Is(this=trimmed.copy(), expression=exp.Null())
        )
        # an empty cell is another than 'Spam'; that it is empty says only `is null`
        nothing = exp.Null() if isinstance(node.parent, exp.Is) else exp.Literal.string("")
        return exp.Case(ifs=[exp.If(this=is_nothing, true=nothing)], default=trimmed.copy())

    return (
        f"(_reject is null and not coalesce({tree.transform(rendered).sql(dialect='duckdb', comments=False)}, false))"
    )


def _kind_of(literal: exp.Expr) -> str:
    if isinstance(literal, exp.Neg) or (isinstance(literal, exp.Literal) and not literal.is_string):
        return "double"
    if isinstance(literal, exp.Boolean):
        return "boolean"
    return "timestamp" if isinstance(literal, exp.Cast) else ""


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
    return names | ({"currency"} if _currency_signs(mapping) else set())


def _as_received(mapping: FileMapping, types: Mapping[str, str]) -> Iterable[AsReceived]:
    """The columns of the file. Of one that becomes a column of the entity as it is, only what differs need be kept."""
    same: dict[str, str] = {}
    has_words = bool(set(mapping.nulls) - {""})
    maps = {mapping.canonical(name) for name in mapping.values}
    mapped_to = [
        (source, name)
        for name, rule in mapping.rules.items()
        if rule.is_plain and not (name == "currency" and _currency_signs(mapping))
        for source in rule.found(types)
    ]
    if mapping.key and len(mapping.key) == 1:
        mapped_to.append((mapping.key[0], mapping.definition.key))
    ids = _ids(mapping.definition)
    for source, name in mapped_to:
        if types[source] == DUCKDB_TYPES[mapping.definition.column(name).type]:
            same.setdefault(source, name)
    return [
        AsReceived(
            name,
            f"s:{name}",
            same.get(name),
            is_mapped=has_words or same.get(name) in maps,
            same_if=f"coalesce({_is_as_it_is(identifier(f's:{name}'), is_id=same.get(name) in ids)}, true)"
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
            at = f"case when {current} in ({_texts(_stages_after(stage, process))}) then {at} end"
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


def _values(
    mapping: FileMapping, types: Mapping[str, str], file: str, company_zone: str | None, utc_days: Collection[str]
) -> tuple[dict[str, str], dict[str, str], list[_Moment]]:
    """Expressions by canonical column, their DuckDB types, and the dates and times among them."""
    entity = mapping.definition
    columns = dict(mapping.rules)
    if mapping.order not in (None, "file"):
        columns["source_order"] = ColumnRule(column=[str(mapping.order)])
    constants = {mapping.canonical(name): text for name, text in mapping.constants.items()}
    maps = {mapping.canonical(name): table for name, table in mapping.values.items()}
    values: dict[str, str] = {}
    given: dict[str, str] = {}
    moments: list[_Moment] = []
    for column in entity.columns:
        values[column.name], given[column.name] = (
            f"cast(null as {DUCKDB_TYPES[column.type]})",
            DUCKDB_TYPES[column.type],
        )
        if column.name in columns:
            rule = columns[column.name]
            is_moment = column.type in ("timestamp", "date")
            values[column.name], given[column.name] = _value_of(
                mapping, rule, types, maps.get(column.name, {}), is_moment=is_moment
            )
            if column.name in _ids(entity):
                values[column.name], given[column.name] = _as_id(values[column.name], given[column.name])
            if is_moment:
                aliases = [name for name in mapping.columns if mapping.canonical(name) == column.name]
                dates = mapping.dates.rule(column.name, *aliases, *rule.names)
                is_utc_day = set(rule.found(types)) <= set(utc_days) and rule.is_plain
                moments.append(_Moment(column.name, given[column.name], column.type, dates, company_zone, is_utc_day))
        elif column.name in constants:
            values[column.name], given[column.name] = quote(constants[column.name]), "varchar"
    for name, expression in _derived(mapping, types, file).items():
        values[name], given[name] = expression, DUCKDB_TYPES[entity.column(name).type]
    if mapping.stages:
        for stage, rule in mapping.stages.entered.items():
            values[f"e:{stage}"], kind = _value_of(mapping, rule, types, {}, is_moment=True)
            dates = mapping.dates.rule(*rule.names, stage)
            is_utc_day = set(rule.found(types)) <= set(utc_days) and rule.is_plain
            moments.append(_Moment(f"e:{stage}", kind, "timestamp", dates, company_zone, is_utc_day))
    return values, given, moments


def _derived(mapping: FileMapping, types: Mapping[str, str], file: str) -> dict[str, str]:
    """Columns that no single column of the file gives: the key, the subject's type, the order, the current stage."""
    entity = mapping.definition
    names = {column.name for column in entity.columns}
    given = set(mapping.given)
    derived: dict[str, str] = {}
    if mapping.key:
        texts = ["varchar" if types[source] == "varchar" else "text" for source in mapping.key]
        parts = [
            _as_id(*_value(source, kind, mapping.nulls, {}))[0] for source, kind in zip(mapping.key, texts, strict=True)
        ]
        derived[entity.key] = " || '|' || ".join(f"({part})" for part in parts)  # null where a part is missing
    elif entity.key not in given:
        derived[entity.key] = f"{quote(file + ':')} || _line"
    if "subject_type" in names and "subject_type" not in given:
        derived["subject_type"] = quote("lead" if "lead" in mapping.columns else "deal")
    if mapping.order == "file":
        derived["source_order"] = "_line"
    if mapping.stages and mapping.stages.current:
        current = mapping.stages.current
        rule = ColumnRule(column=current.column, optional=current.optional)
        derived[STAGE_COLUMN[mapping.entity]] = _value_of(mapping, rule, types, current.map)[0]
    return derived


def _value_of(
    mapping: FileMapping,
    rule: ColumnRule,
    types: Mapping[str, str],
    table: Mapping[str, str],
    *,
    is_moment: bool = False,
) -> tuple[str, str]:
    """What a rule makes of the columns of a file, and its DuckDB type."""
    # of JSON nobody knows which fields there are: of several names the first that has a value
    found = [name for name in rule.names if name in types] if mapping.kind in _JSON else rule.found(types)
    if not found:
        return "cast(null as varchar)", "varchar"
    if rule.json_path:
        cells = [f"cast({identifier(f's:{name}')} as varchar)" for name in found]
        text = f"case when json_valid({cells[0]}) then json_extract_string({cells[0]}, {quote(rule.json_path)}) end"
        return _text(text, mapping.nulls, table), "varchar"
    if rule.column and len(found) == 1:
        return _value(found[0], types[found[0]], mapping.nulls, table)
    parts = [_text(f"cast({identifier(f's:{name}')} as varchar)", mapping.nulls, {}) for name in found]
    if rule.column:
        return _text(f"coalesce({', '.join(parts)})", mapping.nulls, table), "varchar"
    if is_moment and len(parts) > 1:
        # a day of Excel, or of a timestamp, stands before its time of day
        parts[0] = (
            f"case when {parts[1]} is not null then regexp_replace({parts[0]}, '[ T]00:00:00(\\.0+)?$', '') else {parts[0]} end"
        )
    return _text(f"nullif(concat_ws({quote(rule.separator)}, {', '.join(parts)}), '')", mapping.nulls, table), "varchar"


def _ids(entity: Entity) -> set[str]:
    """The columns of ``entity`` that hold ids of records."""
    named = {
        column.name for column in entity.columns if column.refers_to or column.name in ("subject_id", "merged_into_id")
    }
    return named | {entity.key}


def _as_id(value: str, given: str) -> tuple[str, str]:
    """An id without the zero of a program that took it for a number: where one is missing beside it, 22 is written as 22.0."""
    if given not in ("varchar", "text", "double", "float"):
        return value, given
    text = value if given == "varchar" else f"cast({value} as varchar)"
    return (
        f"case when suffix({text}, '.0') then regexp_replace({text}, '^([0-9]+)[.]0$', '\\1') else {text} end",
        "varchar",
    )


def _value(source: str, given: str, nulls: Iterable[str], table: Mapping[str, str]) -> tuple[str, str]:
    """The file's value, trimmed, null words taken out, mapped; and its DuckDB type. Typed values of Parquet files stay typed."""
    column = identifier(f"s:{source}")
    if given != "varchar":
        if given not in ("text", "uuid", "json") and not table:
            return column, given
        column = f"cast({column} as varchar)"
    return _text(column, nulls, table), "varchar"


def _text(column: str, nulls: Iterable[str], table: Mapping[str, str]) -> str:
    """The text of a column: trimmed, null words taken out, mapped."""
    # most values have no blank at an end: trimming them all is slow
    trimmed = f"case when {_is_trim(column)} then {column} else trim({column}) end"
    words = sorted(set(nulls))
    value = trimmed
    if words == [""]:
        value = f"case when {_is_trim(column)} then {column} else nullif(trim({column}), '') end"
    elif words:
        value = f"case when {trimmed} in ({_texts(words)}) then null else {trimmed} end"
    if not table:
        return value
    cases = " ".join(f"when {quote(key)} then {quote(text)}" for key, text in table.items())
    # a word that is written in another way, but of no other meaning
    ways: dict[str, set[str]] = {}
    for key, text in table.items():
        ways.setdefault(_folded(key), set()).add(text)
    alike = " ".join(f"when {quote(word)} then {quote(texts.pop())}" for word, texts in ways.items() if len(texts) == 1)
    if not alike:
        return f"case {trimmed} {cases} else {value} end"
    folded = rf"lower(trim(regexp_replace({trimmed}, '[\s\x{{a0}}]+', ' ', 'g')))"
    return f"case {trimmed} {cases} else case {folded} {alike} else {value} end end"


def _folded(word: str) -> str:
    """``word`` without what says nothing: case, blanks at its ends, what kind of blanks stand in it."""
    return " ".join(word.split()).lower()


def _is_trim(column: str) -> str:
    """SQL condition for text that is neither empty nor has a blank at an end; null for null, and false for some odd texts too: those are trimmed."""
    return f"{column} >= '!' and not suffix({column}, ' ')"


def _is_as_it_is(column: str, *, is_id: bool) -> str:
    """The same for text that is taken as it is; of an id, where it is none of those that ``_as_id`` changes."""
    return f"{_is_trim(column)} and not suffix({column}, '.0')" if is_id else _is_trim(column)


def _with_moments(sql: str, moments: list[_Moment], kind: str) -> str:
    """Add ``d:<name>``, the moment in UTC (or the date), for each moment; null where it can't be read or does not exist in its zone."""
    if not moments:
        return sql
    written = ", ".join(
        f"{expression} as {identifier(f'{letter}:{moment.name}')}"
        for moment in moments
        for letter, expression in zip("ily", _written(moment, kind), strict=True)
    )
    sql = f"select *, {written} from ({sql})"
    zoned = ", ".join(
        f"timezone({quote(zone)}, {identifier(f'{letter}:{moment.name}')}) as {identifier(f'{place}:{moment.name}')}"
        for moment in moments
        for letter, place, zone in (("l", "z", moment.zone), ("y", "w", moment.day_zone))
        if zone != "UTC" and moment.kind == "timestamp"
    )
    if zoned:
        sql = f"select *, {zoned} from ({sql})"
    final = ", ".join(f"{_final(moment)} as {identifier(f'd:{moment.name}')}" for moment in moments)
    return f"select *, {final} from ({sql})"


def _written(moment: _Moment, kind: str) -> tuple[str, str, str]:
    """What is written: an instant in UTC (where there is an offset), a local time (where there is none), or a day (where there is no time either)."""
    value = identifier(moment.name)
    none = "cast(null as timestamp)"
    if moment.given == "timestamp with time zone":
        instant = f"timezone('UTC', {value})"
        return (none, none, instant) if moment.is_utc_day else (instant, none, none)
    if moment.given == "date":
        return none, none, f"cast({value} as timestamp)"
    if moment.given.startswith("timestamp"):
        return none, f"cast({value} as timestamp)", none
    text = value if moment.given == "varchar" else f"cast({value} as varchar)"
    is_day = f"length({text}) <= 10"
    if kind == "excel":
        is_day = f"({is_day} or suffix({text}, ' 00:00:00'))"  # a cell with a day has a midnight
    instants: list[str] = []
    locals_: list[str] = []
    days: list[str] = []
    for form in moment.rule.format or ["iso8601"]:
        if form == "iso8601":
            # words such as epoch are none: a time begins with a digit, and digits sort before ':'
            has_offset = f"regexp_matches({text}, {_OFFSET})"
            (days if moment.is_utc_day else instants).append(
                f"case when {has_offset} then timezone('UTC', try_cast({text} as timestamptz)) end"
            )
            plain = f"{text} < ':' and not {has_offset}"
            locals_.append(f"case when {plain} and not {is_day} then try_cast({text} as timestamp) end")
            days.append(f"case when {plain} and {is_day} then try_cast({text} as timestamp) end")
        elif form.startswith("unix"):
            micros = 1_000 if form == "unix_ms" else 1_000_000
            instants.append(f"try(make_timestamp(cast(try_cast({text} as decimal(20, 6)) * {micros} as bigint)))")
        elif "%z" in form:
            instants.append(f"timezone('UTC', try_strptime(regexp_replace({text}, 'Z$', '+00:00'), {quote(form)}))")
        else:
            (locals_ if _TIME_OF_DAY.search(form) else days).append(f"try_strptime({text}, {quote(form)})")
    if kind == "excel":  # cells that are dates are handed on in ISO form
        locals_.append(f"case when not {is_day} then try_cast({text} as timestamp) end")
        days.append(f"case when {is_day} then try_cast({text} as timestamp) end")
    return (
        f"coalesce({', '.join([*instants, none])})",
        f"coalesce({', '.join([*locals_, none])})",
        f"coalesce({', '.join([*days, none])})",
    )


def _final(moment: _Moment) -> str:
    instant, local, day, zoned, zoned_day = (identifier(f"{letter}:{moment.name}") for letter in "ilyzw")
    if moment.kind == "date":
        there = instant if moment.zone == "UTC" else f"timezone({quote(moment.zone)}, timezone('UTC', {instant}))"
        return f"cast(coalesce({there}, {local}, {day}) as date)"
    # a day is a day where the clock skips its midnight too: then it begins later
    return f"coalesce({instant}, {_in_utc(moment.zone, local, zoned)}, {_in_utc(moment.day_zone, day, zoned_day)})"


def _in_utc(zone: str, local: str, zoned: str) -> str:
    """The moment in UTC of a local time; null where the clock skips it. ``zoned`` is what DuckDB makes of it."""
    if zone == "UTC":
        return local
    zone = quote(zone)
    # a time that the clock skips comes back changed; of a time that it shows twice the first is taken (half an hour: Lord Howe)
    earlier = "".join(
        f"when timezone({zone}, {zoned} - interval {minutes} minute) = {local} then timezone('UTC', {zoned} - interval {minutes} minute) "
        for minutes in (60, 30)
    )
    return (
        f"case when timezone({zone}, {zoned}) <> {local} then case when {local} = date_trunc('day', {local}) then timezone('UTC', {zoned}) end "
        f"{earlier}else timezone('UTC', {zoned}) end"
    )


def _expected(moment: _Moment, kind: str) -> str:
    forms = " or ".join(_FORMS.get(form, form) for form in moment.rule.format or ["iso8601"])
    zone = "" if moment.kind == "date" or moment.zone == "UTC" else f" that exists in {moment.rule.timezone}"
    return f"a {'date' if moment.kind == 'date' else 'time'} written as {forms}{zone}, between 1900 and 2200"


def _number(column: Column, numbers: Numbers) -> str:
    """The number that text written with the mapping's marks stands for; null where it is written otherwise.

    Below zero is -5, 5- or (5), the sign before or after a currency. Groups of three digits may always be parted by blanks.
    """
    text = "{value}"
    for sign in sorted(numbers.signs, key=len, reverse=True):  # US$ before $
        text = f"replace({text}, {_in_convert(quote(sign))}, '')"
    # other blanks, the minus of typesetters and the curled apostrophe
    text = f"trim(translate({text}, {quote(_BLANKS + _SIGNS)}, {quote(' ' * len(_BLANKS) + _PLAIN_SIGNS)}))"
    group = numbers.group if numbers.group and numbers.group not in _BLANKS else ""
    # braces are fields here
    grouped = "|".join(f"[0-9]{{{{1,3}}}}({_escaped(mark)}[0-9]{{{{3}}}})+" for mark in (" ", group) if mark)
    digits = f"({grouped}|[0-9]+)({_escaped(numbers.decimal)}[0-9]+)?"
    pattern = quote(f"[-+]? ?{digits}|[(] ?{digits} ?[)]|{digits} ?-")
    plain = f"replace(translate({text}, {quote('()+- ' + group)}, ''), {quote(numbers.decimal)}, '.')"
    plain = f"(case when strpos({text}, '-') + strpos({text}, '(') > 0 then '-' else '' end || {plain})"
    kind = DUCKDB_TYPES[column.type]
    condition = f"regexp_full_match({text}, {pattern})"
    if column.type == "integer":
        condition += f" and try_cast({plain} as double) = try_cast({plain} as bigint)"
    return f"case when {condition} then try_cast({plain} as {kind}) end"


def _currency_signs(mapping: FileMapping) -> list[str]:
    """The signs of ``numbers`` that name the currency of the entity's amounts, codes and longer ones (``US$``) first."""
    names = {column.name for column in mapping.definition.columns}
    if not names >= {"amount", "currency"}:
        return []
    signs = filter(_is_currency, mapping.numbers.signs)
    return sorted(signs, key=lambda sign: (not sign.isalpha(), -len(sign), sign))


def _is_currency(sign: str) -> bool:
    """A symbol as € is, a code of three capitals, or a word for a currency: no unit, no %."""
    return (
        any(unicodedata.category(character) == "Sc" for character in sign)
        or (len(sign) == 3 and sign.isascii() and sign.isalpha() and sign.isupper())
        or sign.casefold().strip(". ") in _CURRENCY_WORDS
    )


def _currency(mapping: FileMapping, amount: str, currency: str) -> str:
    """The currency that a column names, else the sign beside the amount."""
    cases = "".join(
        f" when contains(upper(cast({amount} as varchar)), upper({quote(sign)})) then {quote(sign)}"
        for sign in _currency_signs(mapping)
    )
    return f"coalesce(nullif(trim(cast({currency} as varchar)), ''), case{cases} end)"


def _amount(mapping: FileMapping, column: Column, types: Mapping[str, str], numeric: frozenset[str]) -> str:
    """The amount that text stands for of which nobody said how it is written: ``1.234`` may be one and a bit, or a thousand. A number is no text."""
    kind = DUCKDB_TYPES[column.type]
    plain = f"try_cast({{value}} as {kind})"
    # what has a point has it before the last two digits, or it has none
    cases = f"when strpos({{value}}, '.') = 0 or strpos({{value}}, '.') > length({{value}}) - 3 then {plain} "
    rule = mapping.rules.get(column.name)
    source = next(iter(rule.found(types)), None) if rule and rule.is_plain else None
    if source in numeric:
        cases += f"when {_in_convert(identifier(f'n:{source}'))} = 'true' then {plain} "
    elif source and mapping.kind in _JSON:
        path = _in_convert(quote(json_path(source)))
        cases += f"when try(json_type(record, {path})) in ('DOUBLE', 'DECIMAL') then {plain} "
    return f"case {cases}end"


def _in_convert(sql: str) -> str:
    """``sql`` as a part of ``RawColumn.convert``, in which braces are fields."""
    return sql.replace("{", "{{").replace("}", "}}")


def _duration(mapping: FileMapping, column: Column) -> str:
    """Seconds of a plain number, of 1:02:03, or of 1h 2m 3s; of 12:30 where the mapping says what it is."""
    kind = mapping.durations
    factor = {"minutes": 60, "hours": 3600}.get(kind, 1)
    number = (
        _number(column, mapping.numbers) if "numbers" in mapping.model_fields_set else "try_cast({value} as double)"
    )
    three = "'([0-9]+):([0-5]?[0-9]):([0-5]?[0-9]([.][0-9]+)?)'"
    worded = "'(([0-9.]+) ?h[a-z]*)?[ ,]*(([0-9.]+) ?m[a-z]*)?[ ,]*(([0-9.]+) ?s[a-z]*)?'"

    def part(pattern: str, place: int, seconds: int) -> str:
        return f"coalesce(try_cast(regexp_extract({{value}}, {pattern}, {place}) as double), 0) * {seconds}"

    def is_like(pattern: str) -> str:
        return f"regexp_full_match({{value}}, {pattern})"

    cases = [
        f"when {number} is not null then {number} * {factor}",
        f"when {is_like(three)} then {part(three, 1, 3600)} + {part(three, 2, 60)} + {part(three, 3, 1)}",
    ]
    if kind in ("mm:ss", "hh:mm"):
        two = "'([0-9]+):([0-5]?[0-9])'"
        high, low = (60, 1) if kind == "mm:ss" else (3600, 60)
        cases.append(f"when {is_like(two)} then {part(two, 1, high)} + {part(two, 2, low)}")
    lower = worded.replace("[a-z]", "[A-Za-z]").replace("h[", "[hH][").replace("m[", "[mM][").replace("s[", "[sS][")
    cases.append(
        f"when {{value}} <> '' and {is_like(lower)} then {part(lower, 2, 3600)} + {part(lower, 4, 60)} + {part(lower, 6, 1)}"
    )
    return f"case {' '.join(cases)} end"


def _duration_words(mapping: FileMapping) -> str:
    unit = mapping.durations
    more = f", {unit}" if ":" in unit else ""
    plain = unit if more == "" else "seconds"
    hint = "" if more else "; set durations to mm:ss or hh:mm where it is written like 12:30"
    return f"a duration: {plain}{more}, h:mm:ss or 1h 2m 3s{hint}"


def _number_words(numbers: Numbers) -> str:
    group = f" and '{numbers.group}' between groups of three digits" if numbers.group else ""
    return f"a number with '{numbers.decimal}' as decimal mark{group}"


def _escaped(character: str | None) -> str:
    # braces would be taken as fields of RawColumn.convert, and are no sensible marks
    return f"[{character}]" if character not in (None, "^", "\\", "]") else f"\\{character}"


def _texts(texts: Iterable[str]) -> str:
    return ", ".join(quote(text) for text in texts)
