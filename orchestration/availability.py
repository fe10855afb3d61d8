"""Which metrics a company's data allow, and why not the others: the published data decide; where they have nothing, what the sources provide
says why. What a source provides is stated by its connector (``ABOUT``), what a metric needs by its declaration (``salesgauge.kpis``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import duckdb

from ingestion.connector.about import About
from salesgauge.kpis import Kpi, kpis

_TOUCHES = "calls, e-mails or meetings (a CRM, a telephone system, or a file)"
_WORDS = {
    "leads": "leads (a CRM or field-service source, or a file)",
    "deals": "deals (a CRM or field-service source, or a file)",
    "activities": _TOUCHES,
    "calls": _TOUCHES,
    "appointments": "appointments (a calendar, a field-service source, or a file)",
    "survey_answers": "survey answers (Typeform, SurveyMonkey, or a file)",
}


@dataclass(frozen=True)
class Availability:
    """Whether a metric can be had. ``reason`` says why not, or what to know of it; empty where all is well."""

    metric: str
    is_available: bool
    reason: str = ""


def availability(metrics: Iterable[str], abouts: Iterable[About], file_entities: Iterable[str]) -> list[Availability]:
    """For every metric whether the sources (``abouts``, and files mapped to ``file_entities``) allow it.

    KeyError for a metric that is not declared.
    """
    known = list(abouts)
    provided = {entity for about in known for entity in about.provides} | set(file_entities)
    found = []
    for metric in metrics:
        lacking = [entity for entity in kpis()[metric].needs if not provided & set(entity.split("|"))]
        if lacking:
            reason = "no source gives " + ", nor ".join(
                " or ".join(dict.fromkeys(_WORDS.get(one, one) for one in entity.split("|"))) for entity in lacking
            )
            found.append(Availability(metric, False, reason))
        else:
            notes = [f"{about.label}: {about.limits[metric]}" for about in known if metric in about.limits]
            found.append(Availability(metric, True, "; ".join(notes)))
    return found


def at_hand(con: duckdb.DuckDBPyConnection, allowed: Iterable[Availability]) -> list[Availability]:
    """``allowed`` as the published data in ``con`` have it: a metric that has a value is available, whatever its sources say of themselves."""
    found = []
    for one in allowed:
        kpi = kpis()[one.metric]
        try:
            values, dates = _at_hand(con, kpi)
        except (duckdb.CatalogException, duckdb.BinderException):
            found.append(Availability(one.metric, False, "the published version is older than this metric: run again"))
            continue
        if values == 0:
            reason = kpi.nothing
            found.append(Availability(one.metric, False, reason if one.is_available else f"{reason}; {one.reason}"))
            continue
        notes = [one.reason] if one.is_available and one.reason else []
        if kpi.undated and dates == 0:
            notes.insert(0, kpi.undated)
        found.append(Availability(one.metric, True, "; ".join(notes)))
    return found


def _at_hand(con: duckdb.DuckDBPyConnection, kpi: Kpi) -> tuple[int, int]:
    """Of how many records the metric has a value, and how many of its fact have a date. A number of records has one (0) wherever its fact has any."""
    if kpi.kind == "per":
        return _at_hand(con, kpis()[kpi.denominator])[1], 1
    conditions = [
        kpi.condition,
        *(f"({one}) is not null" for one in (kpi.value, kpi.numerator, kpi.denominator) if one),
    ]
    counted = "count(*)" if kpi.kind == "count" else f"count(*) filter (where {' and '.join(conditions)})"
    row = con.execute(f"select {counted}, count({kpi.date}) from marts.{kpi.fact}").fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)
