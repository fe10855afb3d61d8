"""The SQL of the values of a row, with nulls, words of the mapping and ids, before they are typed. Numbers and moments do not belong here."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from ingestion.files.mapping.model import STAGE_COLUMN, FileMapping
from ingestion.files.mapping.moments import Moment
from ingestion.files.mapping.rules import ColumnRule
from ingestion.sql.text import identifier, quote
from salesgauge.entities import DUCKDB_TYPES, Entity

JSON_FORMATS = ("jsonl", "xes")  # formats of which a row is kept as the JSON that it is


def values_sql(
    mapping: FileMapping, types: Mapping[str, str], file: str, company_zone: str | None, utc_days: Collection[str]
) -> tuple[dict[str, str], dict[str, str], list[Moment]]:
    """Expressions by canonical column, their DuckDB types, and the dates and times among them."""
    entity = mapping.definition
    columns = dict(mapping.rules)
    if mapping.order not in (None, "file"):
        columns["source_order"] = ColumnRule(column=[str(mapping.order)])
    constants = {mapping.canonical(name): text for name, text in mapping.constants.items()}
    maps = {mapping.canonical(name): table for name, table in mapping.values.items()}
    values: dict[str, str] = {}
    given: dict[str, str] = {}
    moments: list[Moment] = []
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
            if column.name in ids_of(entity):
                values[column.name], given[column.name] = _as_id(values[column.name], given[column.name])
            if is_moment:
                aliases = [name for name in mapping.columns if mapping.canonical(name) == column.name]
                dates = mapping.dates.rule(column.name, *aliases, *rule.names)
                is_utc_day = set(rule.found(types)) <= set(utc_days) and rule.is_plain
                moments.append(Moment(column.name, given[column.name], column.type, dates, company_zone, is_utc_day))
        elif column.name in constants:
            values[column.name], given[column.name] = quote(constants[column.name]), "varchar"
    for name, expression in _derived(mapping, types, file).items():
        values[name], given[name] = expression, DUCKDB_TYPES[entity.column(name).type]
    if mapping.stages:
        for stage, rule in mapping.stages.entered.items():
            values[f"e:{stage}"], kind = _value_of(mapping, rule, types, {}, is_moment=True)
            dates = mapping.dates.rule(*rule.names, stage)
            is_utc_day = set(rule.found(types)) <= set(utc_days) and rule.is_plain
            moments.append(Moment(f"e:{stage}", kind, "timestamp", dates, company_zone, is_utc_day))
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
    found = [name for name in rule.names if name in types] if mapping.kind in JSON_FORMATS else rule.found(types)
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


def ids_of(entity: Entity) -> set[str]:
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
        value = f"case when {trimmed} in ({texts_sql(words)}) then null else {trimmed} end"
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


def is_as_it_is(column: str, *, is_id: bool) -> str:
    """The same for text that is taken as it is; of an id, where it is none of those that ``_as_id`` changes."""
    return f"{_is_trim(column)} and not suffix({column}, '.0')" if is_id else _is_trim(column)


def texts_sql(texts: Iterable[str]) -> str:
    """``texts`` as SQL literals, with commas between them."""
    return ", ".join(quote(text) for text in texts)
