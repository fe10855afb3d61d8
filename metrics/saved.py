"""Questions that a company saved in ``process.yml``, asked by name. How one is written is checked in ``salesgauge.process``; making tables of the answers belongs to ``orchestration``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from metrics.answers import Answer
from metrics.compare import compared
from metrics.store import MetricStore


def asked(store: MetricStore, definition: Mapping[str, Any]) -> Answer:
    """The answer to a question as ``process.questions`` holds it: metrics, by, grain, where, compare, sort, limit. ConfigurationError as of ``MetricStore.query``."""
    metrics, by, grain, where = (definition.get(key) for key in ("metrics", "by", "grain", "where"))
    if compare := definition.get("compare"):
        answer = compared(store, metrics or [], by or [], grain, where, compare)
    else:
        answer = store.ask(metrics or [], by or [], grain, where)
    answer = answer.sorted_by(definition.get("sort") or [])
    return answer.first(definition["limit"]) if definition.get("limit") else answer
