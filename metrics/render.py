"""The answer to a question as a table for a terminal, CSV or JSON. Progress, colours and files do not belong here."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from salesgauge.errors import ConfigurationError

if TYPE_CHECKING:
    import pandas as pd

FORMATS = ("table", "csv", "json")
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r")


Rows = list[list[Any]]


def render(answer: pd.DataFrame | tuple[list[str], Rows], format: str) -> str:
    """``answer`` (a data frame, or names of columns and rows) as text in one of ``FORMATS``, ending with a newline. CSV and JSON keep full precision.

    In CSV a text that a spreadsheet would take for a formula is put behind an apostrophe; numbers stay numbers. Null is empty in CSV and
    tables and ``null`` in JSON. ConfigurationError for another format.
    """
    names, rows = answer if isinstance(answer, tuple) else _of_frame(answer)
    rows = [[_plain(value) for value in row] for row in rows]
    if format == "csv":
        return _csv(names, rows)
    if format == "json":
        return _json(names, rows)
    if format == "table":
        return _table(names, rows)
    raise ConfigurationError(f"There is no format {format!r}. Formats: {', '.join(FORMATS)}")


def _plain(value: Any) -> Any:
    """A cell as int, float, bool, text or None. Whole numbers lose their ``.0``, dates become ISO text."""
    if value is None:
        return None
    if hasattr(value, "item"):
        value = value.item()
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


def _of_frame(frame: pd.DataFrame) -> tuple[list[str], Rows]:
    columns = [column.astype(object).where(column.notna(), None).tolist() for _, column in frame.items()]
    return [str(name) for name in frame.columns], [list(row) for row in zip(*columns, strict=True)]


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


def _cell(value: Any, is_fraction: bool) -> str:
    """For reading: two decimals from 100 on, else four; control characters can't move the cursor of a terminal."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "".join(character if character.isprintable() else "·" for character in value)
    if not is_fraction:
        return f"{value:,}"
    return f"{value:,.2f}" if abs(value) >= 100 else f"{value:.4f}"


def _table(names: list[str], rows: Rows) -> str:
    columns = [[row[place] for row in rows] for place in range(len(names))]
    is_number = [
        any(isinstance(value, int | float) and not isinstance(value, bool) for value in column) for column in columns
    ]
    cells = [
        [_cell(value, any(isinstance(other, float) for other in column)) for value in column] for column in columns
    ]
    widths = [max([len(name), *map(len, column)]) for name, column in zip(names, cells, strict=True)]

    def line(values: list[str]) -> str:
        padded = (
            value.rjust(width) if number else value.ljust(width)
            for value, width, number in zip(values, widths, is_number, strict=True)
        )
        return "  ".join(padded).rstrip()

    return (
        "\n".join(
            [
                line(names),
                line(["-" * width for width in widths]),
                *(line(list(row)) for row in zip(*cells, strict=True)),
            ]
        )
        + "\n"
    )
