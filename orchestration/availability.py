"""Which metrics a company's data allow, and why not the others: the published data decide; where they have nothing, what the sources provide
says why. What a source provides is stated by its connector (``ABOUT``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import duckdb

from ingestion.connector.about import About

# Metric (or the beginning of its name) → the canonical entities without which it has no value; "a|b": one of them is enough. The longest
# beginning counts. Calls and appointments of any source become activities (int_activities); a booked appointment is a touch, no quick answer.
NEEDS: Mapping[str, tuple[str, ...]] = {
    "leads_created": ("leads",),
    "speed_to_lead": ("leads", "activities|calls"),
    "overall_conversion_rate": ("leads", "deals"),
    "stage_": ("leads|deals",),
    "period_conversion_rate": ("leads|deals",),
    "deals_": ("deals",),
    "win_": ("deals",),
    "won_amount": ("deals",),
    "lost_amount": ("deals",),
    "loss_reasons": ("deals",),
    "sales_cycle_days": ("deals",),
    "sales_cycle_days_first_touch": ("leads", "deals", "activities|calls|appointments"),
    "forecast_": ("deals",),
    "crm_complete": ("leads|deals",),
    "nps": ("survey_answers",),
    "csat": ("survey_answers",),
    "survey_responses": ("survey_answers",),
}
_DEALS_CLOSED = "select count(*) from marts.fct_closed_deal"
# Metric (or the beginning of its name; the longest counts) → how many records of the published version it has a value from, and what to say
# where there are none.
AT_HAND: Mapping[str, tuple[str, str]] = {
    "leads_created": ("select count(*) from marts.fct_lead", "there is no lead that counts"),
    "speed_to_lead": (
        "select count(minutes) from marts.fct_speed_to_lead",
        "no lead has a moment of its creation and of a first touch",
    ),
    "speed_to_lead_within": (
        "select count(is_within_5_minutes) from marts.fct_speed_to_lead",
        "no lead has a moment of its creation",
    ),
    "speed_to_lead_never": ("select count(*) from marts.fct_speed_to_lead", "no lead has a date"),
    "overall_conversion_rate": ("select count(*) from marts.fct_lead", "there is no lead that counts"),
    "stage_": (
        "select count(*) from marts.fct_stage_conversion",
        "no lead or deal entered an open stage of process.yml",
    ),
    "period_conversion_rate": ("select count(created_date) from marts.fct_lead", "no lead has a date"),
    "deals_created": ("select count(*) from marts.fct_deal", "there is no deal that counts"),
    "deals_": (_DEALS_CLOSED, "no deal is won or lost"),
    "win_": (_DEALS_CLOSED, "no deal is won or lost"),
    "win_rate_by_amount": ("select count(amount) from marts.fct_closed_deal", "no won or lost deal has an amount"),
    "won_amount": ("select count(won_amount) from marts.fct_closed_deal", "no won deal has an amount"),
    "lost_amount": ("select count(lost_amount) from marts.fct_closed_deal", "no lost deal has an amount"),
    "loss_reasons": ("select count(loss_reason) from marts.fct_closed_deal", "no lost deal has a reason"),
    "sales_cycle_days": (
        "select count(cycle_days) from marts.fct_closed_deal where is_won",
        "no won deal has the date of its creation (or of its lead's) and of its close",
    ),
    "sales_cycle_days_first_touch": (
        "select count(first_touch_cycle_days) from marts.fct_closed_deal where is_won",
        "no won deal has a first touch of its lead and a dated close",
    ),
    "forecast_": (
        "select count(actual_amount) from marts.fct_forecast",
        "no forecast's month is over: forecasts need deals with dates of their creation and close",
    ),
    "crm_complete": (
        "select count(*) from marts.fct_field_completeness",
        "process.yml requires no field (required:) of the records at hand",
    ),
    "nps": ("select count(nps_score) from marts.fct_survey_response", "no answer has a score from 0 to 10"),
    "csat": ("select count(csat_score) from marts.fct_survey_response", "no answer has a score from 1 to 5"),
    "survey_responses": ("select count(*) from marts.fct_survey_response", "there is no survey answer that counts"),
}
# The same for the dates without which a metric has a value in all and none by period.
DATED: Mapping[str, tuple[str, str]] = {
    "leads_created": (
        "select count(created_date) from marts.fct_lead",
        "no lead has a date: a total only, nothing by period",
    ),
    "overall_conversion_rate": (
        "select count(created_date) from marts.fct_lead",
        "no lead has a date: a total only, nothing by period",
    ),
    "deals_created": (
        "select count(created_date) from marts.fct_deal",
        "no deal has a date: a total only, nothing by period",
    ),
    **dict.fromkeys(
        ("deals_won", "deals_lost", "win_", "won_amount", "lost_amount", "loss_reasons"),
        (
            "select count(closed_date) from marts.fct_closed_deal",
            "no close has a date: a total only, nothing by period",
        ),
    ),
}
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

    KeyError for a metric that ``NEEDS`` does not know.
    """
    known = list(abouts)
    provided = {entity for about in known for entity in about.provides} | set(file_entities)
    found = []
    for metric in metrics:
        lacking = [entity for entity in needs(metric) if not provided & set(entity.split("|"))]
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
        records, reason = _longest(AT_HAND, one.metric)
        if _count(con, records) == 0:
            found.append(Availability(one.metric, False, reason if one.is_available else f"{reason}; {one.reason}"))
            continue
        notes = [one.reason] if one.is_available and one.reason else []
        dates = next(
            (DATED[name] for name in sorted(DATED, key=len, reverse=True) if one.metric.startswith(name)), None
        )
        if dates and _count(con, dates[0]) == 0:
            notes.insert(0, dates[1])
        found.append(Availability(one.metric, True, "; ".join(notes)))
    return found


def _count(con: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = con.execute(sql).fetchone()
    return int(row[0]) if row else 0


def _longest(table: Mapping[str, tuple[str, str]], metric: str) -> tuple[str, str]:
    return table[max((one for one in table if metric.startswith(one)), key=len, default=metric)]


def needs(metric: str) -> tuple[str, ...]:
    """The entities that a metric needs."""
    return NEEDS[max((one for one in NEEDS if metric.startswith(one)), key=len, default=metric)]
