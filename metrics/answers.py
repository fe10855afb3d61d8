"""Answers: columns that know what they hold, and rows of plain values; merged, sorted and cut. How they are written belongs to ``render``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal

from salesgauge.errors import ConfigurationError
from salesgauge.names import suggest

Role = Literal["key", "value", "n", "low", "high", "is_low_n"]
Rows = list[list[Any]]


@dataclass(frozen=True)
class Column:
    """A column of an answer. ``metric``: whose value, n … it is, empty for keys. ``unit``: one of ``salesgauge.kpis.Unit``, empty where none is declared.

    ``is_change``: the difference of two values of this unit. ``is_sum``: a value that is 0, not null, where there is nothing: a count or a sum.
    ``short``: its name in tables, where it stands beside the metric.
    """

    name: str
    role: Role = "key"
    metric: str = ""
    unit: str = ""
    is_change: bool = False
    is_sum: bool = False
    short: str = ""


@dataclass(frozen=True)
class Answer:
    """``columns`` with the period and the groups first, then those of each metric; ``rows`` have a value for each. ``notes``: what to know when reading."""

    columns: tuple[Column, ...]
    rows: Rows
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return [column.name for column in self.columns]

    @property
    def keys(self) -> int:
        """How many columns say which row it is."""
        return sum(column.role == "key" for column in self.columns)

    def plain(self) -> Answer:
        """The values as bare numbers, without what stands beside them."""
        places = [place for place, column in enumerate(self.columns) if column.role in ("key", "value")]
        return replace(
            self,
            columns=tuple(replace(self.columns[place], unit="") for place in places),
            rows=[[row[place] for place in places] for row in self.rows],
        )

    def sorted_by(self, names: Iterable[str]) -> Answer:
        """By these columns, the first one first; ``-name``: the largest first. Null is last. ConfigurationError: there is no such column."""
        rows = list(self.rows)
        for name in reversed(list(names)):
            column, is_down = name.removeprefix("-"), name.startswith("-")
            if column not in self.names:
                raise ConfigurationError(f"The answer has no column {column!r} to sort by{suggest(column, self.names)}")
            place = self.names.index(column)
            known = [row for row in rows if row[place] is not None]
            known.sort(key=lambda row: row[place], reverse=is_down)
            rows = known + [row for row in rows if row[place] is None]
        return replace(self, rows=rows)

    def first(self, most: int) -> Answer:
        """The first ``most`` rows; a note says that there are more."""
        if len(self.rows) <= most:
            return self
        return replace(self, rows=self.rows[:most], notes=(*self.notes, f"{most:,} of {len(self.rows):,} rows."))


def merged(answers: list[Answer]) -> Answer:
    """Answers with the same keys beside each other, by key, nulls last. What one does not have in a row of another is null; of counts and sums 0."""
    if len(answers) == 1:
        return answers[0]
    found = [{tuple(row[: one.keys]): row[one.keys :] for row in one.rows} for one in answers]
    keys = list(dict.fromkeys(key for rows in found for key in rows))
    keys.sort(key=lambda key: [(value is None, value if value is not None else 0) for value in key])
    nothing = [[_nothing(column) for column in one.columns[one.keys :]] for one in answers]
    rows = [
        [*key, *(value for rows, empty in zip(found, nothing, strict=True) for value in rows.get(key, empty))]
        for key in keys
    ]
    first = answers[0]
    columns = (*first.columns[: first.keys], *(column for one in answers for column in one.columns[one.keys :]))
    return Answer(columns, rows, tuple(dict.fromkeys(note for one in answers for note in one.notes)))


def _nothing(column: Column) -> Any:
    """What a metric says of a group that it has no row of."""
    if column.role == "is_low_n":
        return True
    return 0 if column.role == "n" or column.is_sum else None


@dataclass(frozen=True)
class Explanation:
    """A question explained. ``declared``: what ``config.meta`` of the metric holds in the version ``version``, whose data end at ``as_of_date``."""

    metric: str
    label: str
    description: str
    declared: Mapping[str, Any]
    sql: str
    version: str
    as_of_date: date
