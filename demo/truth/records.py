"""The event log played back: leads, deals, activities and survey answers as they stand at ``as_of``, with their histories.

Merged records point to their survivor, and every record has the reason for which it does not count. What the histories mean
for a case is in ``journeys``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import pandas as pd

from demo.log import CompanyLog
from demo.truth.clock import local_date
from demo.truth.settings import Settings

UTC = ZoneInfo("UTC")
SHARED = ("branch", "channel", "campaign", "service_line", "job_type", "customer_type")
T = TypeVar("T")
Kept = TypeVar("Kept", bound="Record")
History = list[tuple[datetime, T]]


@dataclass
class Record:
    """A lead or deal. Histories are in the order of the log; ``own``: its values as typed in, ``reason``: why it is out."""

    id: str
    created: datetime
    own: dict[str, Any]
    owners: History[str | None] = field(default_factory=list)
    stages: History[str] = field(default_factory=list)
    archived: bool = False
    merged_into: str | None = None
    reason: str | None = None
    values: dict[str, Any] = field(default_factory=dict)  # the segments, own or taken over
    zone: ZoneInfo = UTC
    created_date: date = field(init=False)  # known once its zone is

    @property
    def counts(self) -> bool:
        """Whether it is part of any KPI."""
        return self.reason is None

    def owner_at(self, moment: datetime | None) -> str | None:
        """The newest entry at or before the moment; before the first entry: the first entry."""
        if moment is None or not self.owners:
            return None
        known = [owner for at, owner in self.owners if at <= moment]
        return known[-1] if known else self.owners[0][1]

    @property
    def owner(self) -> str | None:
        """Today's owner."""
        return self.owners[-1][1] if self.owners else None

    @property
    def first_owner(self) -> tuple[datetime | None, str | None]:
        """When the first owner was set, and who it was."""
        return next(((at, owner) for at, owner in self.owners if owner is not None), (None, None))


@dataclass
class Lead(Record):
    """``created_by``: form, call, chat or rep. ``person``: see docs/kpis/speed-to-lead.md; the same for all leads of one person."""

    created_by: str | None = ""
    email: str | None = None
    phone: str | None = None
    person: str = ""


@dataclass
class Deal(Record):
    """Amounts in cents. ``lead``: the surviving lead, counted or not. What followed from it: offers, a job, invoices, payments."""

    lead: Lead | None = None
    lead_id: str | None = None
    pipeline: str | None = None
    amounts: History[int | None] = field(default_factory=list)
    expected: History[date | None] = field(default_factory=list)
    offers: History[int | None] = field(default_factory=list)  # of how many options, where it is known
    job_created: datetime | None = None
    job_completed: datetime | None = None
    invoices: History[int] = field(default_factory=list)
    payments: History[int] = field(default_factory=list)

    @property
    def expected_close_date(self) -> date | None:
        """Today's expected close."""
        return self.expected[-1][1] if self.expected else None

    @property
    def cents(self) -> int | None:
        """Today's amount."""
        return self.amounts[-1][1] if self.amounts else None


@dataclass
class Activity:
    """``created``: when it was recorded or set; ``at``: when it took place (a meeting's start, a task's due time).

    Of an inbound call, where it is known: ``wait``: seconds until the answer, or the end; ``gave_up``: whether the caller ended it before an answer.
    ``number``: whose call it was, where no record says it; ``is_lead``:
    what people class it as. ``rep``: who set a meeting.
    """

    type: str
    created: datetime
    at: datetime
    direction: str | None
    automated: bool
    outcome: str | None
    lead: Lead | None
    deal: Deal | None
    wait: float | None = None
    gave_up: bool | None = None
    number: str | None = None
    is_lead: bool | None = None
    rep: str | None = None


@dataclass
class Answer:
    """A completed survey response."""

    submitted: datetime
    nps: int | None
    csat: int | None
    lead: Lead | None
    deal: Deal | None


@dataclass
class Book:
    """Everything that is known at ``as_of``. ``reps``: id → (name, team, branch)."""

    as_of: datetime
    settings: Settings
    reps: dict[str, tuple[str, str, str | None]]
    leads: dict[str, Lead]
    deals: dict[str, Deal]
    activities: list[Activity]
    answers: list[Answer]
    web_events: pd.DataFrame

    def rep_name(self, rep: str | None) -> str | None:
        """The rep's name as reports show it."""
        return self.reps[rep][0] if rep in self.reps else None

    def team(self, rep: str | None) -> str | None:
        """The rep's team."""
        return self.reps[rep][1] if rep in self.reps else None

    def counted_leads(self) -> list[Lead]:
        """The leads that are part of KPIs."""
        return [lead for lead in self.leads.values() if lead.counts]

    def counted_deals(self) -> list[Deal]:
        """The deals that are part of KPIs."""
        return [deal for deal in self.deals.values() if deal.counts]


def read_log(log: CompanyLog, settings: Settings, as_of: datetime | None = None) -> Book:
    """Play back the log up to ``as_of`` (default: the log's)."""
    as_of = as_of or pd.Timestamp(log.as_of).to_pydatetime()
    names = log.reps["name"].value_counts()
    reps = {
        rep.rep_id: (rep.name if names[rep.name] == 1 else f"{rep.name} (hubspot:{rep.rep_id})", rep.team, rep.branch)
        for rep in log.reps.itertuples()
    }
    player = _Player()
    moments = pd.DatetimeIndex(log.events["at"]).to_pydatetime()
    columns = (log.events[name] for name in ("kind", "lead_id", "deal_id", "rep_id", "data"))
    for at, kind, lead_id, deal_id, rep, data in zip(moments, *columns, strict=True):
        if at <= as_of:
            player.play(at, kind, lead_id, deal_id, rep, data)
    seen = log.web_events[pd.to_datetime(log.web_events["event_timestamp"], unit="us") <= as_of]
    book = Book(
        as_of, settings, reps, player.leads, player.deals, player.linked_activities(), player.linked_answers(), seen
    )
    _judge(book)
    _name_persons(book)
    return book


class _Player:
    def __init__(self) -> None:
        self.leads: dict[str, Lead] = {}
        self.deals: dict[str, Deal] = {}
        self._activities: dict[str, tuple[dict[str, Any], str | None, str | None]] = {}
        self._answers: dict[tuple[str, str], tuple[dict[str, Any], str | None, str | None]] = {}

    def play(
        self, at: datetime, kind: str, lead: str | None, deal: str | None, rep: str | None, data: dict[str, Any]
    ) -> None:
        if kind == "lead_created":
            made = Lead(_of(lead, kind), at, _cleaned(data), created_by=data.get("created_by"))
            self.leads[made.id] = made
            if data.get("owner") is not None:
                made.owners.append((at, data["owner"]))
        elif kind == "deal_created":
            self._deal_created(at, lead, _of(deal, kind), data)
        elif kind.startswith("lead_"):
            _change(self.leads[_of(lead, kind)], at, kind.removeprefix("lead_"), data)
        elif kind.startswith("deal_"):
            self._deal_changed(self.deals[_of(deal, kind)], at, kind.removeprefix("deal_"), data)
        elif kind in _WORK:
            _work(self.deals[_of(deal, kind)], at, kind, data)
        elif kind in ("call", "email", "text"):
            values = {
                "type": kind, "created": at, "at": at, "direction": data["direction"],
                "automated": bool(data.get("is_automated")), "outcome": data.get("outcome"), "wait": data.get("wait_seconds"),
                "gave_up": data.get("gave_up"), "number": data.get("number"), "is_lead": data.get("is_lead"),
            }  # fmt: skip
            self._activities[data["activity_id"]] = (values, lead, deal)
        elif kind in ("meeting_set", "task"):
            values = {
                "type": "meeting" if kind == "meeting_set" else "task", "created": at, "direction": None, "outcome": None,
                "at": _moment(data["starts_at" if kind == "meeting_set" else "due_at"]), "automated": data.get("by") == "self",
                "rep": rep,
            }  # fmt: skip
            self._activities[data["activity_id"]] = (values, lead, deal)
        elif kind == "meeting_outcome":
            self._activities[data["activity_id"]][0]["outcome"] = data["outcome"]
        elif kind == "task_done":
            self._activities[data["activity_id"]][0]["outcome"] = "completed"
        elif kind == "survey_response":
            values = {"submitted": at, "nps": data["nps_score"], "csat": data["csat_score"]}
            self._answers[data["form_id"], data["response_id"]] = (values, lead, deal)

    def _deal_created(self, at: datetime, lead: str | None, deal: str, data: dict[str, Any]) -> None:
        made = self.deals[deal] = Deal(deal, at, _cleaned(data), lead_id=lead, pipeline=data["pipeline"])
        made.stages.append((at, data["stage"]))
        if data.get("expected_close_date") is not None:
            made.expected.append((at, data["expected_close_date"]))
        if data.get("owner") is not None:
            made.owners.append((at, data["owner"]))
        if data.get("amount") is not None:
            made.amounts.append((at, _cents(data["amount"])))

    @staticmethod
    def _deal_changed(deal: Deal, at: datetime, change: str, data: dict[str, Any]) -> None:
        if change == "amount":
            deal.amounts.append((at, None if data["amount"] is None else _cents(data["amount"])))
        elif change == "close_date":
            deal.expected.append((at, data["expected_close_date"]))
        else:
            _change(deal, at, change, data)

    def linked_activities(self) -> list[Activity]:
        """The activities with the records that they belong to now."""
        rows = self._activities.values()
        return [
            Activity(**values, lead=survivor(self.leads, lead), deal=survivor(self.deals, deal))
            for values, lead, deal in rows
        ]

    def linked_answers(self) -> list[Answer]:
        """The answers with the records that they belong to now."""
        rows = self._answers.values()
        return [
            Answer(**values, lead=survivor(self.leads, lead), deal=survivor(self.deals, deal))
            for values, lead, deal in rows
        ]


_WORK = ("estimate_sent", "job_created", "job_completed", "job_canceled", "invoice_sent", "payment")


def _work(deal: Deal, at: datetime, kind: str, data: dict[str, Any]) -> None:
    if kind == "estimate_sent":
        deal.offers.append((at, data["options"]))
    elif kind == "job_created":
        deal.job_created = at
    elif kind == "job_completed":
        deal.job_completed = at
    elif kind == "invoice_sent":
        deal.invoices.append((at, _cents(data["amount"])))
    elif kind == "payment":
        deal.payments.append((at, _cents(data["amount"])))


def _of(record: str | None, kind: str) -> str:
    """The id of the record that an event is about."""
    if record is None:
        raise ValueError(f"the log has an event '{kind}' that names no record")
    return record


def survivor(records: dict[str, Kept], one: str | None) -> Kept | None:
    """The record of that id, or the one into which it went in the end."""
    while one is not None and records[one].merged_into is not None:
        one = records[one].merged_into
    return None if one is None else records[one]


def _change(record: Record, at: datetime, change: str, data: dict[str, Any]) -> None:
    if change == "owner":
        record.owners.append((at, data["owner"]))
    elif change == "stage":
        record.stages.append((at, data["stage"]))
    elif change == "field":
        record.own |= _cleaned({data["field"]: data["value"]})
    elif change == "merged":
        record.merged_into = data["into"]
    elif change in ("archived", "unarchived"):
        record.archived = change == "archived"
    else:
        raise ValueError(f"the log has an unknown event '{change}'")


def _cleaned(values: dict[str, Any]) -> dict[str, Any]:
    """Blank text is nothing."""
    return {name: (value.strip() or None) if isinstance(value, str) else value for name, value in values.items()}


def _moment(value: Any) -> datetime:
    return pd.Timestamp(value).to_pydatetime()


def _cents(amount: Any) -> int:
    return int((Decimal(str(amount)) * 100).to_integral_value())


def _judge(book: Book) -> None:
    """Reason, segments, zone and created date of every record."""
    settings = book.settings
    for lead in book.leads.values():
        lead.values = {name: lead.own.get(name) for name in SHARED}
        lead.zone = settings.zone_of(lead.values["branch"])
        lead.created_date = local_date(lead.created, lead.zone)
        lead.reason = _own_reason(lead) or next(
            (reason for reason, holds in settings.exclusions if holds(lead.own) is True),
            "test" if lead.own.get("is_test") else None,
        )
    for deal in book.deals.values():
        deal.lead = survivor(book.leads, deal.lead_id)
        taken = deal.lead.values if deal.lead else {}
        deal.values = {name: deal.own.get(name) or taken.get(name) for name in SHARED}
        deal.values["branch"] = deal.values["branch"] or (book.reps[deal.owner][2] if deal.owner in book.reps else None)
        deal.zone = settings.zone_of(deal.values["branch"])
        deal.created_date = local_date(deal.created, deal.zone)
        deal.reason = _own_reason(deal) or (f"lead_{deal.lead.reason}" if deal.lead and deal.lead.reason else None)


def _own_reason(record: Record) -> str | None:
    if record.merged_into is not None:
        return "merged"
    return "deleted" if record.archived else None


def _name_persons(book: Book) -> None:
    """E-mail; without one that of the earliest counted lead with the same phone that has one; else the phone; else the lead."""
    for lead in book.leads.values():
        lead.email = real(lead.own.get("email"), book.settings.placeholders)
        lead.email = lead.email.lower() if lead.email else None
        lead.phone = phone_digits(lead.own.get("phone"), book.settings.placeholders)
    emails: dict[str, str] = {}
    for lead in sorted(book.counted_leads(), key=lambda lead: (lead.created, lead.id)):
        if lead.email and lead.phone:
            emails.setdefault(lead.phone, lead.email)
    for lead in book.leads.values():
        email = lead.email or emails.get(lead.phone or "")
        lead.person = f"email:{email}" if email else f"phone:{lead.phone}" if lead.phone else f"lead:{lead.id}"


def real(value: Any, placeholders: frozenset[str]) -> str | None:
    """A text that says something: trimmed, neither blank nor a placeholder."""
    text = None if value is None else str(value).strip()
    return text if text and text.lower() not in placeholders else None


def phone_digits(value: Any, placeholders: frozenset[str]) -> str | None:
    """The digits of a phone number; None for a placeholder, for no digits and for one digit again and again."""
    digits = re.sub(r"[^0-9]", "", real(value, placeholders) or "")
    return None if not digits or (len(digits) > 1 and len(set(digits)) == 1) else digits
