"""What the data tests of the models say, in words. Which tests there are is the models' matter, what follows from a failure that of ``gate``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def rule_of(kind: str, arguments: Mapping[str, Any], description: str = "") -> str:
    """The rule of a test: its ``description``, else that of its ``kind`` (the generic test's name) with its ``arguments``; empty for an unknown kind.

    >>> rule_of("grain", {"columns": ["deal_id"]})
    'deal_id is never empty and names one row'
    """
    if description.strip():
        return " ".join(description.split()).rstrip(".")
    columns = ", ".join(str(column) for column in arguments.get("columns") or [])
    column = arguments.get("column_name", "")
    words = {
        "grain": f"{columns} {'is' if ',' not in columns else 'are'} never empty and {'names' if ',' not in columns else 'name'} one row",
        "kpi_grain": f"{columns} together name one row",
        "kpi_segments_sum": f"the segments of each type add up to the total ({columns})",
        "kpi_share": f"{columns} {'is a share' if ',' not in columns else 'are shares'} from 0 to 1",
        "kpi_interval": "every interval holds its estimate",
        "kpi_reconciles": "received = the sum of all other reasons",
        "accepted_values": f"{column} is one of: {', '.join(str(value) for value in arguments.get('values') or [])}",
        "not_null": f"{column} is never empty",
        "unique": f"no {column} stands there twice",
        "relationships": f"every {column} is a {arguments.get('field')} of {_table(str(arguments.get('to', '')))}",
    }
    return words.get(kind, "")


def _table(reference: str) -> str:
    """``fct_lead`` of ``ref('fct_lead')``."""
    return reference.partition("'")[2].partition("'")[0] or reference
