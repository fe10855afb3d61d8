"""HubSpot's CRM search over the records of a ``HubSpotState``: filters, sorting, pages, the 10,000 cap."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from demo.log import to_ms
from demo.servers.hubspot.state import Record

CAP = 10_000
LARGEST_PAGE = 200
DATES = frozenset(
    {"createdate", "lastmodifieddate", "hs_createdate", "hs_lastmodifieddate", "hs_timestamp", "closedate"}
)


class BadRequest(Exception):
    """The request is against the rules of the API; the message says which."""


class ServerFault(Exception):
    """What HubSpot answers with a 500."""


def search(
    records: dict[str, Record], body: dict[str, Any], cache: dict[str, list[Record]]
) -> tuple[list[Record], int, int | None]:
    """(the page, total, offset of the next page or None). ``cache`` keeps results of one state between pages."""
    limit, offset = _whole(body.get("limit", 10), "limit"), _whole(body.get("after") or 0, "after")
    if not 1 <= limit <= LARGEST_PAGE:
        raise BadRequest(f"limit must be between 1 and {LARGEST_PAGE}, found {limit}")
    if offset + limit > CAP:
        raise BadRequest(f"The maximum offset plus limit is {CAP}: offset {offset}, limit {limit}")
    groups, sorts = body.get("filterGroups") or [], body.get("sorts") or []
    if len(groups) > 5 or any(len(group.get("filters") or []) > 6 for group in groups):
        raise BadRequest("at most 5 filterGroups of 6 filters")
    if len(sorts) > 1:
        raise BadRequest("at most one sort")
    key = json.dumps([groups, sorts], sort_keys=True)
    if key not in cache:
        tests = [[_test(one) for one in group["filters"]] for group in groups]
        found = [
            record
            for record in records.values()
            if record.archived_at is None and (not tests or any(all(test(record) for test in group) for group in tests))
        ]
        found.sort(key=lambda record: int(record.id))
        if sorts:
            name = sorts[0] if isinstance(sorts[0], str) else sorts[0]["propertyName"]
            is_descending = not isinstance(sorts[0], str) and sorts[0].get("direction") == "DESCENDING"
            found.sort(key=lambda record: _order(name, record), reverse=is_descending)
        if len(cache) > 64:
            cache.clear()
        cache[key] = found
    found = cache[key]
    following = offset + limit if offset + limit < len(found) else None
    return found[offset : offset + limit], len(found), following


def _test(condition: dict[str, Any]) -> Callable[[Record], bool]:
    name, operator = condition.get("propertyName"), condition.get("operator")
    if not name or not operator:
        raise BadRequest("a filter needs propertyName and operator")
    if operator == "HAS_PROPERTY":
        return lambda record: record.properties.get(name) not in (None, "")
    if operator == "NOT_HAS_PROPERTY":
        return lambda record: record.properties.get(name) in (None, "")
    if operator in ("IN", "NOT_IN"):
        values = {str(value) for value in condition.get("values") or []}
        return lambda record: (str(record.properties.get(name)) in values) == (operator == "IN")
    compare = _COMPARE.get(operator)
    if compare is None or condition.get("value") is None:
        raise BadRequest(f"operator {operator} with value {condition.get('value')!r} is not supported")
    wanted = _comparable(name, condition["value"])
    if name in DATES and operator in ("GT", "GTE") and wanted <= 0:
        raise ServerFault("searching from the epoch")
    highest = _comparable(name, condition["highValue"]) if operator == "BETWEEN" else None

    def test(record: Record) -> bool:
        value = record.properties.get(name)
        return value not in (None, "") and compare(_comparable(name, value), wanted, highest)

    return test


_COMPARE: dict[str, Callable[[Any, Any, Any], bool]] = {
    "EQ": lambda value, wanted, _: value == wanted,
    "NEQ": lambda value, wanted, _: value != wanted,
    "GT": lambda value, wanted, _: value > wanted,
    "GTE": lambda value, wanted, _: value >= wanted,
    "LT": lambda value, wanted, _: value < wanted,
    "LTE": lambda value, wanted, _: value <= wanted,
    "BETWEEN": lambda value, wanted, highest: wanted <= value <= highest,
}


def _comparable(name: str, value: Any) -> Any:
    """A value to compare: dates as milliseconds, ids as numbers, the rest as text."""
    if name in DATES:
        return milliseconds(str(value))
    return _whole(value, name) if name == "hs_object_id" else str(value)


def _order(name: str, record: Record) -> tuple[bool, Any]:
    value = record.properties.get(name)
    return (value is None, 0 if value is None else _comparable(name, value))


def milliseconds(value: str) -> int:
    """ISO 8601 or milliseconds since 1970, as text."""
    if value.lstrip("-").isdigit():
        return int(value)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise BadRequest(f"{value!r} is no date") from error
    return to_ms(moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None))


def _whole(value: Any, what: str) -> int:
    try:
        return int(value)
    except (TypeError, ValueError) as error:
        raise BadRequest(f"{what} must be a whole number, found {value!r}") from error
