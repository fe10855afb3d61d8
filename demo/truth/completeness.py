"""Cells of CRM completeness: every required field of every stage that a record's case has reached. docs/kpis/crm-completeness.md."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pandas as pd

from demo.truth.facts import Facts
from demo.truth.journeys import Journey
from demo.truth.records import Deal, Lead, Record, phone_digits, real
from demo.truth.rollup import SEGMENTS
from demo.truth.settings import Settings, Stage

RECORD = ("cells", "weight", "filled_weight", "is_complete", "valid", "checked", "is_unique", "is_timely")
CELL = ("stage", "field", "weight", "is_filled", "is_valid")
_WELL_FORMED = {
    "email": lambda text: re.fullmatch(r"[^@ ]+@[^@ ]+[.][^@ .]+", text) is not None,
    "phone": lambda text: 7 <= len(re.sub(r"[^0-9]", "", text)) <= 15,
    "postcode": lambda text: re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 -]{2,9}", text) is not None,
    "amount": lambda text: Decimal(text) > 0,
}


def cells(facts: Facts) -> pd.DataFrame:
    """One row per counted record and required field that applies: weight, is_filled, is_valid (None: no rule or empty)."""
    rows = []
    for kind, record, case in _records(facts):
        segments = facts.segments(record, record.owner, record.created_date)
        if not facts.is_kept(segments):
            continue
        for stage in _reached(facts.book.settings, case, kind):
            for name, weight in stage.required.items():
                text = field_text(record, name)
                filled = is_filled(name, text, facts.book.settings)
                rows.append(
                    {
                        "object": kind,
                        "record_id": record.id,
                        "stage": stage.key,
                        "field": name,
                        "weight": weight,
                        "is_filled": filled,
                        "is_valid": _WELL_FORMED[name](text) if filled and name in _WELL_FORMED else None,
                        "created_date": record.created_date,
                        **segments,
                    }
                )
    return pd.DataFrame(rows, columns=["object", "record_id", "created_date", *CELL, *SEGMENTS], dtype=object)


def records(facts: Facts, of: pd.DataFrame) -> pd.DataFrame:
    """``cells`` by record, with is_unique (None: no person is known) and is_timely (None: no limit applies)."""
    earlier: dict[str, str] = {}
    for lead in sorted(facts.book.counted_leads(), key=lambda lead: (lead.created, lead.id)):
        earlier.setdefault(lead.person, lead.id)
    persons = {lead.id: lead.person for lead in facts.book.counted_leads()}
    timely = _timely(facts)
    grouped: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in of.to_dict("records"):
        grouped[row["object"], row["record_id"]].append(row)
    rows = []
    for (kind, one), group in grouped.items():
        rows.append(
            {
                **{name: value for name, value in group[0].items() if name not in CELL},
                "cells": len(group),
                "weight": sum(cell["weight"] for cell in group),
                "filled_weight": sum(cell["weight"] for cell in group if cell["is_filled"]),
                "is_complete": all(cell["is_filled"] for cell in group),
                "valid": sum(cell["is_valid"] is True for cell in group),
                "checked": sum(cell["is_valid"] is not None for cell in group),
                "is_unique": earlier[persons[one]] == one if kind == "lead" else None,
                "is_timely": timely.get((kind, one)),
            }
        )
    return pd.DataFrame(rows, columns=["object", "record_id", "created_date", *SEGMENTS, *RECORD], dtype=object)


def _records(facts: Facts) -> Iterator[tuple[str, Record, Journey]]:
    for lead in facts.book.counted_leads():
        yield "lead", lead, facts.journeys.of_lead[lead.id]
    for deal in facts.book.counted_deals():
        yield "deal", deal, facts.journeys.of_deal[deal.id]


def _reached(settings: Settings, case: Journey, kind: str) -> list[Stage]:
    now = case.entries[-1].stage if case.entries else None
    return [
        stage
        for stage in settings.stages
        if stage.object == kind
        and (stage.key == now if stage.kind in ("lost", "disqualified") else stage.order <= case.reached_order)
    ]


def field_text(record: Record, name: str) -> str | None:
    """The record's own value of a canonical column as text."""
    value: Any = record.own.get(name)
    if name == "owner_id":
        value = record.owner
    elif name in ("created_at", "lead_id", "deal_id"):
        value = {"created_at": record.created, "lead_id": record.id if isinstance(record, Lead) else None}.get(name)
    elif name in ("status", "stage"):
        value = record.stages[-1][1] if record.stages else None
    if isinstance(record, Deal):
        if name == "amount":
            return None if record.cents is None else _plain(record.cents)
        value = {
            "expected_close_date": record.expected_close_date,
            "pipeline": record.pipeline,
            "lead_id": record.lead_id,
        }.get(name, value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, date | datetime) else None if value is None else str(value)


def _plain(cents: int) -> str:
    return str(cents // 100) if cents % 100 == 0 else str(Decimal(cents) / 100)


def is_filled(name: str, text: str | None, settings: Settings) -> bool:
    """Whether a field says something: not blank, no placeholder, and for a phone not one digit again and again."""
    if real(text, settings.placeholders) is None:
        return False
    return (
        name != "phone" or phone_digits(text, settings.placeholders) is not None or not re.search(r"[0-9]", text or "")
    )


def _timely(facts: Facts) -> dict[tuple[str, str], bool]:
    """Of the records whose case stands in an open stage with a limit: was there an entry or activity within it?"""
    as_of, newest = facts.book.as_of, defaultdict(list)
    for activity in facts.book.activities:
        for record in (activity.lead, activity.deal):
            if record is not None and activity.at <= as_of:
                newest[type(record).__name__, record.id].append(activity.at)
    found = {}
    for case in facts.journeys.cases:
        stage = facts.book.settings.stage(case.entries[-1].stage) if case.entries else None
        if stage is None or stage.kind != "open" or stage.days_in_stage is None:
            continue
        moments = [case.entries[-1].at]
        for part in filter(None, (case.lead, case.deal)):
            moments += newest[type(part).__name__, part.id]
        key = ("deal", case.deal.id) if case.deal else ("lead", case.lead.id)  # type: ignore[union-attr]  # one of both is there
        found[key] = as_of - max(moments) <= timedelta(days=stage.days_in_stage)
    return found
