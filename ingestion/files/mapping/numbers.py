"""The SQL of numbers, amounts, currencies and durations as files write them: what a value is, and words for what was expected."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

from ingestion.files.mapping.model import FileMapping
from ingestion.files.mapping.rules import Numbers
from ingestion.files.mapping.values import JSON_FORMATS
from ingestion.sql.text import identifier, json_path, quote
from salesgauge.entities import DUCKDB_TYPES, Column

AMOUNT_WORDS = (
    "an amount with '.' before at most two decimals; say how amounts are written, for example numbers: {decimal: ',', group: '.'} or "
    "numbers: {decimal: '.', group: ','}"
)
_BLANKS = " \u00a0\u202f\u2009"
_CURRENCY_WORDS = {"kr", "zł", "kč", "fr", "sfr", "ft", "rs", "lei", "euro", "euros"}
_SIGNS, _PLAIN_SIGNS = "\u2212\u2019", "-'"


def number_sql(column: Column, numbers: Numbers) -> str:
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


def currency_signs(mapping: FileMapping) -> list[str]:
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


def currency_sql(mapping: FileMapping, amount: str, currency: str) -> str:
    """The currency that a column names, else the sign beside the amount."""
    cases = "".join(
        f" when contains(upper(cast({amount} as varchar)), upper({quote(sign)})) then {quote(sign)}"
        for sign in currency_signs(mapping)
    )
    return f"coalesce(nullif(trim(cast({currency} as varchar)), ''), case{cases} end)"


def amount_sql(mapping: FileMapping, column: Column, types: Mapping[str, str], numeric: frozenset[str]) -> str:
    """The amount that text stands for of which nobody said how it is written: ``1.234`` may be one and a bit, or a thousand. A number is no text."""
    kind = DUCKDB_TYPES[column.type]
    plain = f"try_cast({{value}} as {kind})"
    # what has a point has it before the last two digits, or it has none
    cases = f"when strpos({{value}}, '.') = 0 or strpos({{value}}, '.') > length({{value}}) - 3 then {plain} "
    rule = mapping.rules.get(column.name)
    source = next(iter(rule.found(types)), None) if rule and rule.is_plain else None
    if source in numeric:
        cases += f"when {_in_convert(identifier(f'n:{source}'))} = 'true' then {plain} "
    elif source and mapping.kind in JSON_FORMATS:
        path = _in_convert(quote(json_path(source)))
        cases += f"when try(json_type(record, {path})) in ('DOUBLE', 'DECIMAL') then {plain} "
    return f"case {cases}end"


def _in_convert(sql: str) -> str:
    """``sql`` as a part of ``RawColumn.convert``, in which braces are fields."""
    return sql.replace("{", "{{").replace("}", "}}")


def duration_sql(mapping: FileMapping, column: Column) -> str:
    """Seconds of a plain number, of 1:02:03, or of 1h 2m 3s; of 12:30 where the mapping says what it is."""
    kind = mapping.durations
    factor = {"minutes": 60, "hours": 3600}.get(kind, 1)
    number = (
        number_sql(column, mapping.numbers) if "numbers" in mapping.model_fields_set else "try_cast({value} as double)"
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


def duration_words(mapping: FileMapping) -> str:
    """What a duration should have been, in words for the quarantine."""
    unit = mapping.durations
    more = f", {unit}" if ":" in unit else ""
    plain = unit if more == "" else "seconds"
    hint = "" if more else "; set durations to mm:ss or hh:mm where it is written like 12:30"
    return f"a duration: {plain}{more}, h:mm:ss or 1h 2m 3s{hint}"


def number_words(numbers: Numbers) -> str:
    """What a number should have been, in words for the quarantine."""
    group = f" and '{numbers.group}' between groups of three digits" if numbers.group else ""
    return f"a number with '{numbers.decimal}' as decimal mark{group}"


def _escaped(character: str | None) -> str:
    # braces would be taken as fields of RawColumn.convert, and are no sensible marks
    return f"[{character}]" if character not in (None, "^", "\\", "]") else f"\\{character}"
