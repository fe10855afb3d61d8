"""Speed to lead: who is one person, when somebody first turned to them, and when both sides spoke. docs/kpis/speed-to-lead.md."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

from demo.truth.clock import minutes, open_minutes
from demo.truth.records import Activity, Book, Lead

GROUP_SPAN = timedelta(hours=24)
BEFORE_CREATION = timedelta(hours=1)


@dataclass
class Wait:
    """One person's inquiry: its first lead and the durations in minutes (None: it never came to that)."""

    lead: Lead
    leads_in_group: int
    touched: datetime | None
    minutes: float | None
    open_minutes: float | None
    routing: float | None
    reaction: float | None
    connection: float | None
    touches: int | None
    observed: float


def activities_of_leads(book: Book) -> dict[str, list[Activity]]:
    """The activities of every lead, by its id."""
    found: dict[str, list[Activity]] = defaultdict(list)
    for activity in book.activities:
        if activity.lead is not None:
            found[activity.lead.id].append(activity)
    return found


def first_touch(activities: list[Activity], created: datetime) -> datetime | None:
    """The first human touch of what was created at that moment."""
    return min((at for at in (_touch(activity, created) for activity in activities) if at is not None), default=None)


def _touch(activity: Activity, created: datetime) -> datetime | None:
    if activity.automated:
        return None
    if activity.direction == "outbound":
        return activity.at if activity.at >= created else None
    if activity.type == "meeting":
        return activity.created if activity.created >= created else None
    return _answered_call(activity, created)


def _answered_call(activity: Activity, created: datetime) -> datetime | None:
    """An inbound call that was answered counts at the creation where it came up to an hour before it."""
    is_answered = activity.type == "call" and activity.direction == "inbound" and activity.outcome == "answered"
    return max(activity.at, created) if is_answered and activity.at >= created - BEFORE_CREATION else None


def _connection(activity: Activity, created: datetime) -> datetime | None:
    if activity.type == "call" and activity.direction == "outbound" and activity.outcome == "answered":
        return activity.at
    if (activity.type == "email" and activity.direction == "inbound") or (
        activity.type == "meeting" and activity.outcome == "held"
    ):
        return activity.at
    return _answered_call(activity, created)


def person_groups(leads: list[Lead]) -> list[list[Lead]]:
    """Leads of one person up to 24 h after the first one of a group, in groups; each in the order of creation."""
    groups: list[list[Lead]] = []
    newest: dict[str, list[Lead]] = {}
    for lead in sorted(leads, key=lambda lead: (lead.created, lead.id)):
        group = newest.get(lead.person)
        if group is None or lead.created > group[0].created + GROUP_SPAN:
            group = newest[lead.person] = []
            groups.append(group)
        group.append(lead)
    return groups


def waits(book: Book) -> list[Wait]:
    """One row per group of leads that were not created by a rep."""
    by_lead = activities_of_leads(book)
    rows = []
    for group in person_groups([lead for lead in book.counted_leads() if lead.created_by != "rep"]):
        lead = group[0]
        activities = [activity for member in group for activity in by_lead.get(member.id, ())]
        rows.append(_wait(book, lead, len(group), activities))
    return rows


def _wait(book: Book, lead: Lead, leads_in_group: int, activities: list[Activity]) -> Wait:
    created, (assigned, _) = lead.created, lead.first_owner
    touches = [_touch(activity, created) for activity in activities]
    touched = first_touch(activities, created)
    spoken = [_connection(activity, created) for activity in activities]
    reached = min((at for at in spoken if touched and at and touched <= at <= book.as_of), default=None)
    reaction = minutes(assigned, touched)
    return Wait(
        lead=lead,
        leads_in_group=leads_in_group,
        touched=touched,
        minutes=minutes(created, touched),
        open_minutes=open_minutes(created, touched, book.settings.branches.get(lead.values["branch"])),
        routing=minutes(created, assigned),
        reaction=None if reaction is None else max(0.0, reaction),
        connection=minutes(touched, reached),
        touches=None if reached is None else sum(at is not None and at <= reached for at in touches),
        observed=minutes(created, touched or book.as_of),
    )
