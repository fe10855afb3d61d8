"""Which metrics a company's sources allow, and why not the others. What a source provides is stated by its connector (``ABOUT``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ingestion.about import About

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


def needs(metric: str) -> tuple[str, ...]:
    """The entities that a metric needs."""
    return NEEDS[max((one for one in NEEDS if metric.startswith(one)), key=len, default=metric)]
