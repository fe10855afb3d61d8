"""SQL expressions that turn a received value into a typed one, tell whether it fits, and say what is wrong with it.

A value fits if it can be cast without guessing and is plausible: whole numbers are not rounded, NaN and infinity are no numbers, times lie
between 1900 and 2200 (sources write year 1 or 9999 for "never"). An offset in a time is honoured; a time without one is UTC here.

The expressions refer to a query that has, for a column ``x``, the received value as ``x`` and the typed one as ``t:x``: DuckDB evaluates an
expression that stands in several branches several times, so each cast stands in one place only.
"""

from __future__ import annotations

from dataclasses import dataclass

from ingestion.sql.text import identifier, quote

_EXPECTED = {
    "timestamp": "a time like 2026-01-31T09:30:00Z between 1900 and 2200",
    "date": "a date like 2026-01-31 between 1900 and 2200",
    "bigint": "a whole number",
    "integer": "a whole number",
    "double": "a number",
    "boolean": "true or false",
    "json": "valid JSON",
}
_SHOWN = 60


@dataclass(frozen=True)
class TypedColumn:
    """How column ``name``, received as DuckDB type ``given``, becomes type ``wanted`` (lower case both)."""

    name: str
    given: str
    wanted: str
    required: bool = False
    convert: str | None = None
    expected: str | None = None
    never: str | None = None

    @property
    def typed_name(self) -> str:
        return identifier(f"t:{self.name}")

    @property
    def cast(self) -> str:
        """The typed value; null where it can't be cast."""
        return f"case when not {self._is_never} then {self._plain_cast} end" if self.never else self._plain_cast

    @property
    def _plain_cast(self) -> str:
        value = identifier(self.name)
        text = value if self.given == "varchar" else f"cast({value} as varchar)"
        if self.convert is not None:
            return f"try({self.convert.format(value=text)})"
        if self.given == self.wanted:
            return value
        if self.wanted == "varchar":
            return text
        if self.wanted.endswith("[]"):
            return f"try_cast(try_cast({text} as json) as {self.wanted})"
        if self.wanted == "timestamp":
            # A cast to timestamp would drop an offset, a cast to timestamptz is slow: most times end in Z. Connections are in UTC.
            # Words such as epoch are none: a time begins with a digit, and digits sort before ':'.
            offset = f"when {text} < ':' then timezone('UTC', try_cast({text} as timestamptz))"
            return f"case when suffix({text}, 'Z') then try_cast({text} as timestamp) {offset} end"
        return f"try_cast({text} as {self.wanted})"

    @property
    def problem(self) -> str | None:
        """A condition, never null, that is true for a value that can't be taken; None where all can. CASE is the form that DuckDB cuts short."""
        if self.wanted == "varchar" and self.convert is None:
            return self._blank if self.required else None
        if self.wanted == self.given and not self.required and not self._limits:
            return None
        missing = "true" if self.required else f"not {self._blank}"
        return f"case when {self.typed_name} is null then {missing} {self._limits} else false end"

    @property
    def reason(self) -> str:
        """What is wrong with the value in words; null where nothing is."""
        value = identifier(self.name)
        text = f"cast({value} as varchar)"
        shown = f"substr({text}, 1, {_SHOWN}) || case when length({text}) > {_SHOWN} then '…' else '' end"
        expected = self.expected or _EXPECTED.get(self.wanted, f"a value of type {self.wanted}")
        before, after = quote(f"{self.name}: '"), quote(f"' is not {expected}")
        missing = f"when {self._blank} then {quote(f'{self.name}: is missing')}" if self.required else ""
        return f"case {missing} when {self.problem or 'false'} then {before} || {shown} || {after} end"

    @property
    def _limits(self) -> str:
        name = self.typed_name
        if self.wanted in ("timestamp", "date"):
            return f"when {name} < {self.wanted} '1900-01-01' then true when {name} >= {self.wanted} '2200-01-01' then true"
        if self.wanted == "double":
            return f"when not isfinite({name}) then true"
        if self.wanted in ("bigint", "integer") and self.given == "varchar" and self.convert is None:
            # the cast rounds 1.5
            return f"when try_cast({identifier(self.name)} as double) is distinct from cast({name} as double) then true"
        return ""

    @property
    def _blank(self) -> str:
        value = identifier(self.name)
        if self.given != "varchar":
            return f"({value} is null)"
        never = f"when {self._is_never} then true " if self.never else ""
        # most values begin with a character above the space: trimming them all is slow
        return (
            f"(case {never}when {value} >= '!' then false when {value} is null then true else trim({value}) = '' end)"
        )

    @property
    def _is_never(self) -> str:
        """Whether the value, a text, says that there is none; never null."""
        return f"coalesce(starts_with({identifier(self.name)}, {quote(self.never or '')}), false)"
