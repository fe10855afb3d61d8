"""Declarations of raw tables: their typed columns, their key, and the columns of a source that are kept as they were received.

Which tables there are belongs to each connector (``TABLES``), how rows get into them to ``landing``, how they are read to ``views``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ingestion.sql.text import identifier


@dataclass(frozen=True)
class RawColumn:
    """A typed column of a raw table. ``type`` is a DuckDB type, ``path`` the JSON path in the record (``$.id``).

    ``convert`` replaces the ordinary cast: an SQL expression over ``{value}`` (the value as text) that is null for a value that does not fit,
    e.g. ``make_timestamp(try_cast({value} as bigint))``; ``expected`` says in words what fits. Blank text counts as missing in every type but
    ``varchar``, and so does one that begins with ``never``: sources write year 1 for "not yet". ``constant``: the value, as text, where it is the same in all
    rows of a query.
    """

    name: str
    type: str
    path: str
    required: bool = False
    convert: str | None = None
    expected: str | None = None
    never: str | None = None
    constant: str | None = None


@dataclass(frozen=True)
class RawTable:
    """A table of the raw log. ``key`` columns are always required. ``is_bulk``: its files hold nothing twice, see ``parquet``.

    ``day``: the column with the day of a row, in tables where a load holds all rows of each day that it holds. Its connector has ``read_again``.
    """

    source: str
    name: str
    columns: tuple[RawColumn, ...]
    key: tuple[str, ...]
    is_bulk: bool = False
    day: str | None = None

    def is_required(self, column: RawColumn) -> bool:
        return column.required or column.name in self.key


# The raw tables that connectors declare, by source.
Tables = Mapping[str, Sequence[RawTable]]

# Parts the two names of a label.
SAME_AS = "\N{RIGHTWARDS ARROW}"

# Types that Parquet holds as they are; a value of any other is kept as JSON.
_PLAIN_TYPES = {
    "varchar", "boolean", "tinyint", "smallint", "integer", "bigint", "utinyint", "usmallint", "uinteger", "ubigint", "float", "double",
    "date", "time", "timestamp", "timestamp with time zone",
}  # fmt: skip


@dataclass(frozen=True)
class AsReceived:
    """A column of a table or file that is kept as received. ``name``: what the source calls it; ``column``: the query's column with its value.

    ``same_as``: the typed column that nearly always has the same value; then only what differs is kept. ``is_mapped``: rules beyond trimming make the
    typed value, so that differences are no surprise. ``same_if``: an SQL condition, never null, under which the two are the same: quicker than comparing.
    """

    name: str
    column: str
    same_as: str | None = None
    is_mapped: bool = False
    same_if: str | None = None

    @property
    def label(self) -> str:
        """The name of its field in the struct ``received``, which says what it is the same as."""
        return f"{self.name}{SAME_AS}{self.same_as or ''}"

    @property
    def is_copied(self) -> bool:
        """Whether its typed column says all, but for surprises."""
        return self.same_as is not None and not self.is_mapped

    @property
    def is_same(self) -> str:
        """SQL condition, never null: the typed column has its value."""
        return self.same_if or f"{identifier(self.column)} is not distinct from {self._typed}"

    def field(self, kind: str) -> str:
        """Its field of the struct ``received``; ``kind``: the DuckDB type of ``column``."""
        value = identifier(self.column)
        is_plain = kind in _PLAIN_TYPES or kind.startswith("decimal")
        if self.same_as is not None:
            value = f"case when {value} is distinct from {self._typed} then {value} end"
        elif not is_plain:
            value = f"to_json({value})"
        return f"{identifier(self.label)} := {value}"

    @property
    def _typed(self) -> str:
        return identifier(f"t:{self.same_as}")


def received_value(label: str, is_kept: bool) -> str:
    """SQL of the value that was received for the column with ``label`` (``AsReceived.label``), under the name that the source gives it.

    ``is_kept``: the struct ``received`` has a field of that name.
    """
    name, _, same_as = label.rpartition(SAME_AS)
    values = [f"received.{identifier(label)}"] if is_kept else []
    values += [identifier(same_as)] if same_as else []
    return f"{identifier(name)} := coalesce({', '.join(values)})"
