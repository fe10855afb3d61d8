"""The language of the suites: what to look at and what to expect of it, as data. Running them belongs to ``quality.gx``.

A suite reads one table (or one query about it) through DuckDB, just the columns it needs, and expects things of that data frame.
The suites themselves are in ``crm_suites`` (what the sources delivered) and ``mart_suites`` (what the models made of it).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from quality.results import Severity

INVARIANT = (
    "Tables that are made of each other disagree. Look at the records that are named (salesgauge show KEY): where their values can't be true, correct them "
    "in the source, or leave them out with a rule under 'exclusions' in process.yml; else report it with the name of this check."
)
"""What to do where a check of ours fails, as long as nothing says whether the data or a model are to blame."""
MODEL_CHANGED = "The same data passed before: this is a mistake of a model that has changed since, not of the data. Report it with the name of this check."


@dataclass(frozen=True)
class Expect:
    """One expectation. ``kind`` is a Great Expectations class, ``arguments`` its arguments.

    ``mostly`` is the share of rows that must hold. Below it the check fails with ``severity``; a warning becomes an error where the share
    falls below ``error_below`` (realistic dirt warns, a shifted column stops).
    """

    name: str
    kind: str
    arguments: Mapping[str, Any]
    meaning: str
    severity: Severity = "error"
    mostly: float = 1.0
    error_below: float | None = None
    action: str = ""


@dataclass(frozen=True)
class Suite:
    """Expectations on one table.

    ``columns`` maps names to SQL expressions over ``table``; ``key`` is an expression that names a row. ``source``, where given, is read in the
    place of the table (a query in brackets). Keys are masked unless they are mere labels (names of sources, segments, sums). An absent table fails the suite unless ``is_optional``; an empty one passes it unless ``checks_empty``.
    """

    name: str
    table: str
    columns: Mapping[str, str]
    expects: tuple[Expect, ...]
    key: str = "''"
    where: str = "true"
    source: str | None = None
    is_optional: bool = False
    checks_empty: bool = False
    keys_are_labels: bool = False
    needs: tuple[str, ...] = field(default=())

    @property
    def blocking(self) -> bool:
        """Whether a failure of any expectation can stop publishing."""
        return any(expect.severity == "error" or expect.error_below is not None for expect in self.expects)

    @property
    def query(self) -> str:
        """The SQL of the data frame: ``row_key`` and the columns."""
        selected = ", ".join(
            f'{expression} as "{name}"' for name, expression in {"row_key": self.key, **self.columns}.items()
        )
        return f"select {selected} from {self.source or self.table} as this where {self.where}"


def present(column: str, **options: Any) -> Expect:
    """``column`` is not null."""
    return Expect(
        f"{column}_present", "ExpectColumnValuesToNotBeNull", {"column": column}, f"{column} is filled", **options
    )


def between(column: str, low: Any = None, high: Any = None, **options: Any) -> Expect:
    """``low`` ≤ ``column`` ≤ ``high``; null passes."""
    limits = " and ".join(
        part
        for part in (f"≥ {_word(low)}" if low is not None else "", f"≤ {_word(high)}" if high is not None else "")
        if part
    )
    arguments = {"column": column, "min_value": low, "max_value": high}
    return Expect(f"{column}_in_range", "ExpectColumnValuesToBeBetween", arguments, f"{column} {limits}", **options)


def one_of(column: str, values: tuple[Any, ...], **options: Any) -> Expect:
    """``column`` is one of ``values``; null passes."""
    arguments = {"column": column, "value_set": list(values)}
    words = ", ".join(str(value) for value in values)
    return Expect(
        f"{column}_known", "ExpectColumnValuesToBeInSet", arguments, f"{column} is one of: {words}", **options
    )


def matches(column: str, regex: str, meaning: str, **options: Any) -> Expect:
    """``column`` has the format ``regex``; null passes."""
    arguments = {"column": column, "regex": regex}
    return Expect(f"{column}_format", "ExpectColumnValuesToMatchRegex", arguments, f"{column} {meaning}", **options)


def holds(column: str, meaning: str, **options: Any) -> Expect:
    """The boolean ``column`` (a condition over several tables, computed in SQL) is true; null passes."""
    return Expect(column, "ExpectColumnValuesToBeInSet", {"column": column, "value_set": [True]}, meaning, **options)


def ordered(later: str, earlier: str, **options: Any) -> Expect:
    """``later`` ≥ ``earlier``; null passes."""
    arguments = {"column_A": later, "column_B": earlier, "or_equal": True, "ignore_row_if": "either_value_is_missing"}
    return Expect(
        f"{later}_not_before_{earlier}",
        "ExpectColumnPairValuesAToBeGreaterThanB",
        arguments,
        f"{later} ≥ {earlier}",
        **options,
    )


def equal(left: str, right: str, **options: Any) -> Expect:
    """``left`` = ``right``, row by row; a null on both sides passes."""
    arguments = {"column_A": left, "column_B": right, "ignore_row_if": "both_values_are_missing"}
    return Expect(
        f"{left}_equals_{right}", "ExpectColumnPairValuesToBeEqual", arguments, f"{left} = {right}", **options
    )


def no_rows(name: str, meaning: str, **options: Any) -> Expect:
    """The query finds nothing."""
    return Expect(name, "ExpectTableRowCountToEqual", {"value": 0}, meaning, **options)


def _word(limit: Any) -> str:
    """A limit for people: without the tolerance for floating sums."""
    return (
        f"{round(limit, 6) + 0.0:g}"
        if isinstance(limit, float)
        else f"{limit:,}"
        if isinstance(limit, int)
        else f"{limit}"
    )
