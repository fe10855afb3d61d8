"""The log as people would have entered it into a field-service system: inquiries, sales and visits with the moments that such a system keeps.

Field-service systems hold the present state and a few time stamps, no history. Which of the moments one of them keeps, and how, is in its own
module; ``reduced`` writes a log again from what is left.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pandas as pd

from demo.log import CompanyLog, Event, events_frame

CLOSED = ("won", "lost", "disqualified")
WORK = ("estimate_sent", "job_created", "job_completed", "job_canceled", "invoice_sent", "payment")
Change = tuple[datetime, str | None, Mapping[str, Any]]  # when, by whom, what


@dataclass
class Meeting:
    """A consultation that was agreed on: ``set_at`` when, by whom, ``starts`` when it was to be, ``outcome`` None where it is not known yet."""

    id: str
    set_at: datetime
    starts: datetime
    by: str
    rep: str | None
    outcome: str | None = None


@dataclass
class Work:
    """What followed from a deal: how many options its offer had; when the work was done or called off; the invoice and the payments, with their amounts."""

    options: int = 1
    completed: datetime | None = None
    canceled: datetime | None = None
    invoiced: datetime | None = None
    amount: float = 0.0
    payments: list[tuple[datetime, float]] = field(default_factory=list)

    @property
    def balance(self) -> float:
        """What of the invoice is not paid."""
        return round(self.amount - sum(amount for _, amount in self.payments), 2)

    @property
    def paid(self) -> datetime | None:
        """When the invoice was paid in full."""
        return self.payments[-1][0] if self.payments and self.balance <= 0 else None

    @property
    def modified(self) -> datetime | None:
        """The last of all that."""
        moments = (self.completed, self.canceled, self.invoiced, *(at for at, _ in self.payments))
        return max((at for at in moments if at is not None), default=None)


@dataclass
class Sale:
    """A deal. ``lead``: the surviving lead; ``is_first``: it is the first deal of that lead that began with or after it.

    ``entries``: (moment, stage) in order. ``modified``: the last moment at which anything of it, its meetings included, changed.
    """

    id: str
    created: datetime
    lead: str | None
    values: dict[str, Any]
    owner: str | None
    amount: float | None
    entries: list[tuple[datetime, str]]
    modified: datetime
    is_first: bool = False
    meetings: list[Meeting] = field(default_factory=list)
    work: Work = field(default_factory=Work)

    @property
    def outcome(self) -> str:
        """open, won, lost or disqualified: what its last stage means."""
        return self.entries[-1][1] if self.entries[-1][1] in CLOSED else "open"

    @property
    def closed(self) -> datetime | None:
        """When it was closed for good; None while it is open."""
        return None if self.outcome == "open" else self.entries[-1][0]

    @property
    def held(self) -> datetime | None:
        """The first consultation."""
        return self._first("consultation_held")

    @property
    def quoted(self) -> datetime | None:
        """When there first was an offer; what was won had one, at the latest then."""
        return self._first("proposal", "won")

    def _first(self, *stages: str) -> datetime | None:
        return next((at for at, stage in self.entries if stage in stages), None)


@dataclass
class Inquiry:
    """A lead. ``values`` as they are in the end; ``stage``: its last stage and since when; ``modified``: its last change."""

    id: str
    created: datetime
    rep: str | None
    values: dict[str, Any]
    owner: str | None
    stage: tuple[datetime, str] | None
    modified: datetime
    sales: list[Sale] = field(default_factory=list)  # those that began with it, the first one first

    @property
    def is_disqualified(self) -> bool:
        """Whether nothing came of it."""
        return not self.sales and self.stage is not None and self.stage[1] == "disqualified"


@dataclass
class Call:
    """A telephone call of an inquiry or of nobody that is known."""

    id: str
    at: datetime
    lead: str | None
    rep: str | None
    values: Mapping[str, Any]


@dataclass
class Outline:
    """What is left at ``as_of``: without records that were archived or merged away, and without deals of archived leads. Whole seconds."""

    inquiries: dict[str, Inquiry]
    sales: dict[str, Sale]
    calls: list[Call]


def outline(log: CompanyLog) -> Outline:
    """The outline of ``log``."""
    inquiries: dict[str, Inquiry] = {}
    sales: dict[str, Sale] = {}
    meetings: dict[str, tuple[Meeting, str | None]] = {}
    calls: list[Call] = []
    gone: set[str] = set()
    merged: dict[str, str] = {}
    columns = (log.events[name] for name in ("kind", "lead_id", "deal_id", "rep_id", "data"))
    moments = pd.DatetimeIndex(log.events["at"].dt.floor("s")).to_pydatetime()
    for at, kind, lead, deal, rep, data in zip(moments, *columns, strict=True):
        if kind == "lead_created":
            inquiries[lead] = Inquiry(lead, at, rep, dict(data), data["owner"], None, at)
        elif kind == "deal_created":
            sales[deal] = Sale(
                deal, at, lead, dict(data), data["owner"], data["amount"], [(at, data["stage"])], modified=at
            )
        elif kind in ("lead_merged", "deal_merged"):
            merged[lead if kind == "lead_merged" else deal] = data["into"]
        elif kind in ("lead_archived", "deal_archived"):
            gone.add(lead if kind == "lead_archived" else deal)
        elif kind in ("lead_unarchived", "deal_unarchived"):
            gone.discard(lead if kind == "lead_unarchived" else deal)
        elif kind.startswith("lead_"):
            _change_lead(inquiries[lead], at, kind, data)
        elif kind.startswith("deal_"):
            _change_deal(sales[deal], at, kind, data)
        elif kind in WORK:
            _add_work(sales[deal].work, at, kind, data)
        elif kind == "call":
            calls.append(Call(data["activity_id"], at, lead, rep, data))
        elif kind == "meeting_set":
            starts = data["starts_at"].replace(microsecond=0)
            meetings[data["activity_id"]] = (Meeting(data["activity_id"], at, starts, data["by"], rep), deal)
            _touch(sales.get(deal), at)
        elif kind == "meeting_outcome":
            meeting, of = meetings[data["activity_id"]]
            meeting.outcome = data["outcome"]
            _touch(sales.get(of or ""), at)

    def survivor(one: str | None) -> str | None:
        while one in merged:
            one = merged[one]
        return one

    for meeting, of in meetings.values():
        if (kept := survivor(of)) in sales:
            sales[kept].meetings.append(meeting)
    for sale in sales.values():
        sale.lead = survivor(sale.lead)
    left = {one: inquiry for one, inquiry in inquiries.items() if one not in gone and one not in merged}
    kept_sales = {
        one: sale
        for one, sale in sales.items()
        if one not in gone and one not in merged and (sale.lead is None or sale.lead in left)
    }
    for sale in sorted(kept_sales.values(), key=lambda one: (one.created, one.id)):
        if sale.lead is not None and sale.created >= left[sale.lead].created:
            sale.is_first = not left[sale.lead].sales
            left[sale.lead].sales.append(sale)
    for call in calls:
        call.lead = survivor(call.lead)
    return Outline(left, kept_sales, [call for call in calls if call.lead is None or call.lead in left])


def reduced(
    log: CompanyLog, events: Iterable[Event], *, teams: Mapping[str, str] | None = None, has_branches: bool = True
) -> CompanyLog:
    """``log`` with these leads, deals and activities, and its survey answers where their records are still there.

    ``teams``: rep → what the system has for a team (None: as in the log); ``has_branches``: whether it tells to which branch people belong.
    """
    kept = list(events)
    leads = {event.lead_id for event in kept if event.kind == "lead_created"}
    deals = {event.deal_id for event in kept if event.kind == "deal_created"}
    surveys = log.events[log.events["kind"].str.startswith("survey_")]
    for row in surveys.itertuples():
        lead = row.lead_id if row.lead_id in leads else None
        deal = row.deal_id if row.deal_id in deals else None
        kept.append(Event(row.at.to_pydatetime(), row.kind, lead, deal, row.rep_id, dict(row.data)))
    reps = log.reps
    if teams is not None:
        reps = reps.assign(team=[teams.get(rep) for rep in reps["rep_id"]])
    if not has_branches:
        reps = reps.assign(branch=None)
    return replace(log, events=events_frame(sorted(kept, key=lambda event: event.at)), reps=reps)


def work_events(sale: Sale, lead: str | None) -> list[Event]:
    """The work that followed from a sale that was won, as a log tells it; the offer is left to who knows when it was made."""
    if sale.outcome != "won" or sale.closed is None:
        return []
    work = sale.work
    events = [Event(sale.closed, "job_created", lead, sale.id, None, {})]
    for at, kind in ((work.completed, "job_completed"), (work.canceled, "job_canceled")):
        if at is not None:
            events.append(Event(at, kind, lead, sale.id, None, {}))
    if work.invoiced is not None:
        events.append(Event(work.invoiced, "invoice_sent", lead, sale.id, None, {"amount": work.amount}))
    events += [Event(at, "payment", lead, sale.id, None, {"amount": amount}) for at, amount in work.payments]
    return events


def _add_work(work: Work, at: datetime, kind: str, data: Mapping[str, Any]) -> None:
    if kind == "estimate_sent":
        work.options = data["options"]
    elif kind == "job_completed":
        work.completed = at
    elif kind == "job_canceled":
        work.canceled = at
    elif kind == "invoice_sent":
        work.invoiced, work.amount = at, data["amount"]
    elif kind == "payment":
        work.payments.append((at, data["amount"]))


def _touch(record: Sale | None, at: datetime) -> None:
    if record is not None:
        record.modified = max(record.modified, at)


def _change_lead(inquiry: Inquiry, at: datetime, kind: str, data: Mapping[str, Any]) -> None:
    inquiry.modified = at
    if kind == "lead_owner":
        inquiry.owner = data["owner"]
    elif kind == "lead_field":
        inquiry.values[data["field"]] = data["value"]
    elif kind == "lead_stage":
        inquiry.stage = (at, data["stage"])


def _change_deal(sale: Sale, at: datetime, kind: str, data: Mapping[str, Any]) -> None:
    sale.modified = at
    if kind == "deal_stage":
        if sale.entries[-1][1] != data["stage"]:  # to set what is set is no change
            sale.entries.append((at, data["stage"]))
    elif kind == "deal_owner":
        sale.owner = data["owner"]
    elif kind == "deal_amount":
        sale.amount = data["amount"]
    elif kind == "deal_field":
        sale.values[data["field"]] = data["value"]
    elif kind == "deal_close_date":
        sale.values["expected_close_date"] = data["expected_close_date"]
