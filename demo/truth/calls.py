"""Calls: what inbound ones led to, and how they were handled. docs/kpis/calls.md."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pandas as pd

from demo.truth.clock import local, local_date, minutes
from demo.truth.facts import Facts
from demo.truth.records import Activity, Lead, Record
from demo.truth.settings import Branch, Settings

A_DAY = timedelta(hours=24)
SHORT_SECONDS = 5
_PARTS = ("inbound", "answered", "abandoned", "missed", "ended_early", "called_back", "answer_seconds")


def lead_calls(facts: Facts) -> pd.DataFrame:
    """Lead calls: inbound ones that a person answered before an appointment of the lead was set. It is so: we set one within 24 hours."""
    set_at: dict[str, list[tuple[datetime, bool]]] = defaultdict(list)
    for activity in facts.book.activities:
        if activity.type == "meeting" and activity.lead is not None:
            set_at[activity.lead.id].append((activity.created, activity.automated))
    rows = []
    for activity in facts.book.activities:
        lead, is_inbound_call = activity.lead, activity.type == "call" and activity.direction == "inbound"
        if lead is None or not lead.counts or not is_inbound_call or activity.outcome != "answered":
            continue
        appointments = set_at[lead.id]
        if any(at < activity.at for at, _ in appointments):
            continue
        day = local_date(activity.at, lead.zone)
        is_so = any(activity.at <= at <= activity.at + A_DAY and not by_customer for at, by_customer in appointments)
        segments = facts.segments(lead, lead.owner_at(activity.at), day)
        rows.append({"on": day, "y": int(is_so), "is_lead": activity.is_lead, **segments})
    return facts.frame(rows, ["on", "y", "is_lead"])


def classified_lead_calls(facts: Facts) -> pd.DataFrame:
    """The same without calls that people class as no lead. None where no inbound call is classed."""
    frame = lead_calls(facts)
    return frame[~frame["is_lead"].astype(object).eq(False) & _is_any_classed(facts)]


def reclassified(facts: Facts) -> pd.DataFrame:
    """Lead calls that people class as no lead."""
    frame = lead_calls(facts)
    return frame[frame["is_lead"].astype(object).eq(False)].assign(y=1)


def _is_any_classed(facts: Facts) -> bool:
    return any(
        call.is_lead is not None and (_whose(call)[0] or _whose(call)[1] is not None)
        for call in facts.book.activities
        if call.type == "call" and call.direction == "inbound"
    )


def handled(part: str, *, in_open_hours: bool = True) -> Callable[[Facts], pd.DataFrame]:
    """The observations of ``part`` (a column of ``_inbound``), of the calls that came while the branch was open or of all."""

    def observe(facts: Facts) -> pd.DataFrame:
        frame = _inbound(facts)
        if in_open_hours:
            frame = frame[frame["is_open"].astype(object).eq(True)]
        return frame.assign(y=frame[part])

    return observe


@cache
def _inbound(facts: Facts) -> pd.DataFrame:
    """Every inbound call that is nobody's, or a counted record's: ``on``, ``is_open`` (None: nobody knows), and of each part 1, 0 or None."""
    book = facts.book
    backs = _calls_out(facts)
    limit = book.settings.stages[0].first_touch_minutes
    rows = []
    for call in book.activities:
        if call.type != "call" or call.direction != "inbound":
            continue
        is_nobodys, record = _whose(call)
        if not is_nobodys and record is None:
            continue
        zone = record.zone if record else book.settings.zone
        day, branch = local_date(call.at, zone), record.values["branch"] if record else None
        answered = call.outcome == "answered"
        gave_up = not answered and call.gave_up is True
        early = gave_up and call.wait is not None and call.wait < SHORT_SECONDS
        abandoned, missed = gave_up and not early, not answered and not gave_up
        called_back = None
        if missed and limit is not None:
            waited = min((minutes(call.at, at) for at in backs[_caller(call)] if at >= call.at), default=None)
            is_over = minutes(call.at, book.as_of) >= limit
            called_back = 1 if waited is not None and waited <= limit else 0 if is_over else None
        offered: dict[str, Any] = {"answered": answered, "abandoned": abandoned, "missed": missed}
        if call.gave_up is None:
            offered["abandoned"] = None
        rows.append(
            {
                "on": day,
                "is_open": _is_open(book.settings, branch, call.at),
                "inbound": 1,
                **{name: None if early or so is None else int(so) for name, so in offered.items()},
                "ended_early": 1 if early else None,
                "called_back": called_back,
                "answer_seconds": call.wait if answered else None,
                **facts.segments(record, record.owner_at(call.at) if record else None, day),
            }
        )
    return facts.frame(rows, ["on", "is_open", *_PARTS])


def _whose(call: Activity) -> tuple[bool, Record | None]:
    """Whether it is nobody's; else the counted record that it belongs to, the lead before the deal."""
    lead = _lead_of(call)
    if lead is None and call.deal is None:
        return True, None
    return False, next((one for one in (lead, call.deal) if one is not None and one.counts), None)


def _lead_of(call: Activity) -> Lead | None:
    return call.lead or (call.deal.lead if call.deal else None)


def _caller(call: Activity) -> tuple[str, str | None]:
    """Who it was: a lead, else a deal, else a number."""
    lead = _lead_of(call)
    if lead is not None:
        return "lead", lead.id
    return ("deal", call.deal.id) if call.deal else ("number", call.number)


def _calls_out(facts: Facts) -> dict[tuple[str, str | None], list[datetime]]:
    found: dict[tuple[str, str | None], list[datetime]] = defaultdict(list)
    for call in facts.book.activities:
        if call.type == "call" and call.direction == "outbound":
            found[_caller(call)].append(call.at)
    found[("number", None)] = []
    return found


def _is_open(settings: Settings, branch: str | None, at: datetime) -> bool | None:
    """Whether the branch was open; without a branch whether any was. None: its hours are not known."""
    known = [one for key, one in settings.branches.items() if branch in (None, key) and one.week]
    return any(_opens(one, at) for one in known) if known else None


def _opens(branch: Branch, at: datetime) -> bool:
    wall = local(at, branch.zone)
    if wall.date() in branch.holidays or wall.isoweekday() not in branch.week:
        return False
    opens, closes = branch.week[wall.isoweekday()]
    return opens <= wall.hour * 60 + wall.minute < closes
