"""The part of SOQL that the loopback Salesforce understands: one object, comparisons joined by AND, ORDER BY, LIMIT, COUNT()."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_QUERY = re.compile(
    r"\s*SELECT\s+(?P<fields>.+?)\s+FROM\s+(?P<sobject>\w+)(?:\s+WHERE\s+(?P<where>.+?))?(?:\s+ORDER\s+BY\s+(?P<order>.+?))?"
    r"(?:\s+LIMIT\s+(?P<limit>\d+))?\s*",
    re.IGNORECASE | re.DOTALL,
)
_CONDITION = re.compile(r"\s*(?P<field>\w+)\s*(?P<operator>>=|<=|!=|=|>|<)\s*(?P<value>'[^']*'|[^\s']+)\s*")
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "!=": operator.ne, ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le,
}  # fmt: skip
_DATETIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?(?:Z|[+-]\d\d:?\d\d)")


class Malformed(Exception):
    """A query that is refused: its text is the message, ``code`` Salesforce's error code."""

    def __init__(self, message: str, code: str = "MALFORMED_QUERY") -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Query:
    """A parsed query. ``fields`` is empty for COUNT()."""

    sobject: str
    fields: tuple[str, ...]
    conditions: tuple[tuple[str, str, Any], ...]
    order: tuple[tuple[str, bool], ...]
    limit: int | None

    def run(self, rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """The rows of the answer, in order."""
        found = [row for row in rows if all(_fits(row.get(name), sign, value) for name, sign, value in self.conditions)]
        for name, is_ascending in reversed(self.order):
            found.sort(key=lambda row: (row.get(name) is not None, row.get(name)), reverse=not is_ascending)
        return found[: self.limit]


def parse(text: str, known: Mapping[str, Iterable[str]]) -> Query:
    """``text`` as a query over the objects and fields of ``known``; Malformed where it is none."""
    match = _QUERY.fullmatch(text)
    if match is None:
        raise Malformed(f"unexpected token in: {text[:60]}")
    sobject = match["sobject"]
    if sobject not in known:
        raise Malformed(f"sObject type '{sobject}' is not supported.", "INVALID_TYPE")
    has_count = match["fields"].strip().lower() == "count()"
    fields = () if has_count else tuple(name.strip() for name in match["fields"].split(","))
    conditions = tuple(_condition(part) for part in re.split(r"\s+AND\s+", match["where"] or "", flags=re.I) if part)
    order = tuple(_order(part) for part in (match["order"] or "").split(",") if part.strip())
    for name in (*fields, *(one[0] for one in conditions), *(one[0] for one in order)):
        if name not in known[sobject]:
            raise Malformed(f"No such column '{name}' on entity '{sobject}'.", "INVALID_FIELD")
    return Query(sobject, fields, conditions, order, int(match["limit"]) if match["limit"] else None)


def _condition(text: str) -> tuple[str, str, Any]:
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise Malformed(f"unexpected token in: {text[:60]}")
    value = match["value"]
    if value.startswith("'"):
        if _DATETIME.fullmatch(value[1:-1]):
            raise Malformed(
                "value of filter criterion for a dateTime field must not be enclosed in quotes", "INVALID_FIELD"
            )
        return match["field"], match["operator"], value[1:-1]
    if value.lower() in ("true", "false", "null"):
        return match["field"], match["operator"], {"true": True, "false": False, "null": None}[value.lower()]
    if _DATETIME.fullmatch(value):
        return match["field"], match["operator"], _comparable(value)
    raise Malformed(f"unexpected token: {value}")


def _order(text: str) -> tuple[str, bool]:
    name, _, direction = text.strip().partition(" ")
    if direction.strip().upper() not in ("", "ASC", "DESC"):
        raise Malformed(f"unexpected token: {direction}")
    return name, direction.strip().upper() != "DESC"


def _fits(value: Any, sign: str, wanted: Any) -> bool:
    if value is None or wanted is None:
        return _OPERATORS[sign](value, wanted) if sign in ("=", "!=") else False
    if isinstance(wanted, str) and isinstance(value, str) and _DATETIME.fullmatch(value):
        value = _comparable(value)
    return _OPERATORS[sign](value, wanted)


def _comparable(moment: str) -> str:
    """A UTC moment as text that sorts: ``2026-02-01T09:00:00.000``."""
    text = re.sub(r"(Z|\+00:?00)$", "", moment)
    return text if "." in text else f"{text}.000"
