"""What the data tests of the models say, in words. Which tests there are is the models' matter, what follows from a failure that of ``gate``."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any


def rule_of(kind: str, arguments: Mapping[str, Any], sql: str = "") -> str:
    """The rule of a test: that of its ``kind`` (the generic test's name) with its ``arguments``, else the comment with which its ``sql`` begins.

    >>> rule_of("grain", {"columns": ["deal_id"]})
    'deal_id is never empty and names one row'
    """
    columns = ", ".join(str(column) for column in arguments.get("columns") or [])
    column = arguments.get("column_name", "")
    words = {
        "grain": f"{columns} together name one row"
        if arguments.get("nullable")
        else f"{columns} {'is' if ',' not in columns else 'are'} never empty and {'names' if ',' not in columns else 'name'} one row",
        "kpi_segments_sum": f"the segments of each type add up to the total ({columns})",
        "within": f"{columns} {'is' if ',' not in columns else 'are'} {_limits(arguments)}",
        "holds": str(arguments.get("rule", "")),
        "kpi_interval": "every interval holds its estimate",
        "kpi_reconciles": "received = the sum of all other reasons",
        "kpi_accounts": "of every source and entity, received = the sum of all other reasons",
        "accepted_values": f"{column} is one of: {', '.join(str(value) for value in arguments.get('values') or [])}",
        "not_null": f"{column} is never empty",
        "unique": f"no {column} stands there twice",
        "relationships": f"every {column} is a {arguments.get('field')} of {_table(str(arguments.get('to', '')))}",
    }
    return words.get(kind) or _comment(sql)


def _limits(arguments: Mapping[str, Any]) -> str:
    """``from 0 to 1``, ``at least 0``, ``at most 90``."""
    low, high = arguments.get("low"), arguments.get("high")
    if low is None or high is None:
        return f"at least {low}" if high is None else f"at most {high}"
    return f"from {low} to {high}"


def _comment(sql: str) -> str:
    """The first sentence of the comment with which ``sql`` begins; empty where it has none."""
    lines = [line.strip() for line in sql.strip().splitlines()]
    comment = itertools.takewhile(lambda line: line.startswith("--"), lines)
    text = " ".join(line.removeprefix("--").strip() for line in comment)
    return text.partition(". ")[0].rstrip(".")


def _table(reference: str) -> str:
    """``fct_lead`` of ``ref('fct_lead')``."""
    return reference.partition("'")[2].partition("'")[0] or reference
