"""An answer as a table for a terminal, CSV or JSON. Progress, colours and files do not belong here."""

from __future__ import annotations

import json
import math
from typing import Any

from metrics.answers import Answer, Column, Explanation, Rows
from salesgauge.errors import ConfigurationError
from salesgauge.numbers import MISSING, change_of, count, in_full, span

FORMATS = ("table", "csv", "json")
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r")
_LOW_N = "*"
_WEEKDAYS = dict(enumerate(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), start=1))


def render(answer: Answer, format: str, currency: str = "") -> str:
    """``answer`` as text in one of ``FORMATS``, ending with a newline.

    CSV and JSON have every column with full precision. A table shows values as people read them (of those with a unit), n and the interval, and the
    notes below. In CSV a text that a spreadsheet would take for a formula is put behind an apostrophe; numbers stay numbers. Null is empty in CSV
    and ``null`` in JSON. ConfigurationError for another format.
    """
    rows = [[_plain(value) for value in row] for row in answer.rows]
    if format == "csv":
        return _csv(answer.names, rows)
    if format == "json":
        return _json(answer.names, rows)
    if format == "table":
        return _table(answer, rows, currency)
    raise ConfigurationError(f"There is no format {format!r}. Formats: {', '.join(FORMATS)}")


def explained(one: Explanation) -> str:
    """How a number is computed, and the SQL that answers the question, for reading."""
    declared = one.declared
    fact = f"marts.{declared['fact']}" if declared.get("fact") else ""
    lines = {
        "definition": declared.get("definition") or one.description,
        "unit": declared.get("unit"),
        "better": {"up": "higher", "down": "lower"}.get(declared.get("better", "")),
        "statistic": declared.get("kind"),
        "numerator": declared.get("numerator"),
        "denominator": declared.get("denominator"),
        "value": declared.get("value"),
        "rows": f"{fact} where {declared['where']}" if declared.get("where") else fact,
        "period by": declared.get("date"),
        "needs": ", ".join(declared.get("needs", [])),
        "version": f"definition {declared['version']}" if "version" in declared else "",
        "data": f"published version {one.version}, as of {one.as_of_date}",
    }
    told = [f"{name:<12} {value}" for name, value in lines.items() if value]
    return "\n".join(
        [f"{one.label}: {one.metric}", *told, "sql, for duckdb var/published/salesgauge.duckdb", f"{one.sql};", ""]
    )


def _plain(value: Any) -> Any:
    """A cell as int, float, bool, text or None. Whole numbers lose their ``.0``, dates become ISO text."""
    if value is None:
        return None
    if isinstance(value, bool):
        return value
    if isinstance(value, float):
        if math.isnan(value) or math.isinf(value):
            return None
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if isinstance(value, int):
        return value
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return str(value)


def _safe(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value.startswith(_DANGEROUS):
        return "'" + value
    return "" if value is None else value


def _field(value: Any) -> str:
    """One CSV field. Not ``csv.writer``: that leaves a carriage return unquoted, which ends the line for most readers."""
    text = str(_safe(value))
    return '"' + text.replace('"', '""') + '"' if any(character in text for character in '",\n\r') else text


def _csv(names: list[str], rows: Rows) -> str:
    # A line of one empty field would be an empty line, which readers skip.
    return "".join((",".join(_field(value) for value in row) or '""') + "\n" for row in [names, *rows])


def _json(names: list[str], rows: Rows) -> str:
    records = [dict(zip(names, row, strict=True)) for row in rows]
    return json.dumps(records, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def _table(answer: Answer, rows: Rows, currency: str) -> str:
    places = {column.name: place for place, column in enumerate(answer.columns)}
    headers, columns, is_right = [], [], []
    for column, place in zip(answer.columns, places.values(), strict=True):
        values = [row[place] for row in rows]
        if column.role in ("high", "is_low_n"):  # shown with the lower end, and beside n
            continue
        if column.role == "low":
            highs = [row[places[f"{column.metric}_high"]] for row in rows]
            header, cells = (
                "95 % interval",
                [_interval(column, *ends, currency) for ends in zip(values, highs, strict=True)],
            )
        elif column.role == "n":
            marks = [row[places[f"{column.metric}_is_low_n"]] for row in rows]
            header = "n"
            cells = [count(n) + (_LOW_N if is_low else "") for n, is_low in zip(values, marks, strict=True)]
        elif column.unit:
            header = column.short or column.name
            cells = [_in_one_line(_value(column, value, currency)) for value in values]
        else:
            header, is_fraction = column.short or column.name, any(isinstance(value, float) for value in values)
            if column.role == "key" and column.name == "weekday":
                values = [_WEEKDAYS.get(value, value) for value in values]
            cells = [_cell(value, is_fraction, column.role == "key") for value in values]
        headers.append(header)
        columns.append(cells)
        is_right.append(column.role != "key" or any(_is_number(value) for value in values))
    notes = list(answer.notes)
    if any(
        cell.endswith(_LOW_N) for header, cells in zip(headers, columns, strict=True) if header == "n" for cell in cells
    ):
        notes.insert(0, f"{_LOW_N} fewer than 20: do not read much into it.")
    return _lined_up(headers, columns, is_right) + "".join(f"{note}\n" for note in notes)


def _value(column: Column, value: Any, currency: str) -> str:
    return change_of(value, column.unit, currency) if column.is_change else in_full(value, column.unit, currency)


def _interval(column: Column, low: Any, high: Any, currency: str) -> str:
    if not column.is_change or low is None or high is None:
        return _in_one_line(span(low, high, column.unit, currency))
    first, last = (_in_one_line(change_of(end, column.unit, currency)) for end in (low, high))
    number, _, unit = first.partition(" ")
    return f"{number if unit and last.endswith(f' {unit}') else first} to {last}"


def _in_one_line(text: str) -> str:
    """Without the marks that keep a text on one line of a page: terminals count them."""
    return text.replace("\u202f", " ").replace("\u00a0", " ").replace("\u2060", "")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: Any, is_fraction: bool, is_key: bool) -> str:
    """For reading: two decimals from 100 on, else four; control characters can't move the cursor of a terminal."""
    if value is None:
        return "(none)" if is_key else MISSING
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "".join(character if character.isprintable() else "·" for character in value)
    if not is_fraction:
        return f"{value:,}"
    return f"{value:,.2f}" if abs(value) >= 100 else f"{value:.4f}"


def _lined_up(headers: list[str], columns: list[list[str]], is_right: list[bool]) -> str:
    widths = [max([len(header), *map(len, cells)]) for header, cells in zip(headers, columns, strict=True)]

    def line(values: list[str]) -> str:
        padded = (
            value.rjust(width) if right else value.ljust(width)
            for value, width, right in zip(values, widths, is_right, strict=True)
        )
        return "  ".join(padded).rstrip()

    rules = line(["-" * width for width in widths])
    lines = [line(headers), rules, *(line(list(row)) for row in zip(*columns, strict=True))]
    return "\n".join(lines) + "\n"
