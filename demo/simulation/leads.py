"""From the inquiry to the qualified lead: arrivals, how a lead is created, who tries to reach the customer and when.

What happens once there is a deal is in ``deals``; merging, archiving and reassigning afterwards is in ``aftermath``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from demo.simulation.clock import DAY, HOUR, MINUTE, SECOND, Dice, OpenHours
from demo.simulation.deals import Customer, DealJourneys
from demo.simulation.people import Clerk, Person, home_branch, new_person
from demo.simulation.record import Recorder
from demo.simulation.world import (
    AS_OF,
    BRANCH_WEIGHTS,
    BRANCHES,
    CAMPAIGNS,
    CHANNELS,
    CREATED_BY,
    HOUR_OF_DAY,
    JOBS,
    LINE_WEIGHTS,
    SEASON,
    WEEKDAY,
    Regime,
    Rep,
    regime_at,
    reps_at,
)


@dataclass(frozen=True)
class Arrival:
    """Someone turns to the company: when (ms), about what, where. ``of``: the person, where they were here before."""

    ms: int
    service_line: str
    branch: str
    of: Person | None = None
    again: bool = False  # the same wish once more: a duplicate, within a day or so


@dataclass
class LeadSummary:
    """What later passes need to know of a lead."""

    lead: int
    created: int
    person: Person
    is_test: bool
    duplicate_of: int | None = None
    duplicates: list[int] = field(default_factory=list)


def arrivals(rng: np.random.Generator, count: int, start: datetime) -> Iterator[Arrival]:
    """``count`` inquiries from ``start`` on in order: season by service line, weekday, hour of the branch's local day."""
    days = pd.date_range(start.date(), AS_OF.date(), freq="D", inclusive="left")
    lines = list(LINE_WEIGHTS)
    season = np.array([[SEASON[line][month - 1] for month in days.month] for line in lines])
    weekday = np.array(WEEKDAY)[days.dayofweek]
    growth = np.linspace(0.94, 1.06, len(days))
    weight = season * weekday * growth * np.array(list(LINE_WEIGHTS.values()))[:, None]
    cell = rng.choice(weight.size, size=count, p=(weight / weight.sum()).ravel())
    hour = rng.choice(24, size=count, p=np.array(HOUR_OF_DAY) / sum(HOUR_OF_DAY))
    branch_rolls = rng.random(count)
    names = np.array(BRANCH_WEIGHTS.values)[
        np.searchsorted(np.array(BRANCH_WEIGHTS.limits), branch_rolls, side="right")
    ]
    wall = days.to_numpy()[cell % len(days)].astype("datetime64[ms]") + (hour * HOUR).astype("timedelta64[ms]")
    wall = wall + rng.integers(0, HOUR, size=count).astype("timedelta64[ms]")
    ms = np.zeros(count, dtype="int64")
    for key, branch in BRANCHES.items():
        here = names == key
        zoned = pd.DatetimeIndex(wall[here]).tz_localize(
            branch.timezone, ambiguous=np.ones(here.sum(), dtype=bool), nonexistent=timedelta(hours=1)
        )
        ms[here] = zoned.tz_convert("UTC").tz_localize(None).astype("datetime64[ms]").astype("int64")
    for index in np.argsort(ms, kind="stable"):
        yield Arrival(int(ms[index]), lines[cell[index] // len(days)], str(names[index]))


class LeadJourneys:
    """Plays every inquiry through until it is a deal, disqualified, or forgotten."""

    def __init__(
        self, dice: Dice, rec: Recorder, clerk: Clerk, hours: dict[str, OpenHours], deals: DealJourneys
    ) -> None:
        self._dice, self._rec, self._clerk, self._hours, self._deals = dice, rec, clerk, hours, deals
        self.leads: list[LeadSummary] = []

    def play(self, arrival: Arrival, duplicate_of: LeadSummary | None = None) -> LeadSummary:
        """The whole life of one lead."""
        dice, regime = self._dice, regime_at(arrival.ms)
        person = arrival.of or new_person(dice, home_branch(arrival.branch), len(self.leads) + 1)
        created_by = dice.weighted(CREATED_BY)
        lead = self._rec.new_lead()
        answered_by, created = self._first_call(arrival, regime, lead, created_by)
        owner = answered_by
        if created_by == "rep":
            created = self._hours[arrival.branch].after(arrival.ms, 1)
            owner = self._pick_rep(arrival.branch, created, prefer_sales=True)
            answered_by = owner
        fields, truth, is_test = self._fields(arrival, person, created_by, answered_by, regime)
        if owner is None and dice.chance(regime.is_auto_assigned):
            owner = self._pick_rep(arrival.branch, created)
        self._rec.add(
            created, "lead_created", lead, None, answered_by.rep_id if answered_by else None,
            created_by=created_by, **fields, is_test=is_test, owner=owner.rep_id if owner else None,
        )  # fmt: skip
        summary = LeadSummary(lead, created, person, bool(is_test), duplicate_of.lead if duplicate_of else None)
        self.leads.append(summary)
        if duplicate_of is not None:
            duplicate_of.duplicates.append(lead)
        if created_by == "form":
            self._rec.add(
                created, "lead_stage", lead, None, None, stage="inquiry"
            )  # the form sets it in the same moment
            if dice.chance(0.9):
                self._email(created + dice.whole(20, 110) * SECOND, lead, None, "outbound", automated=True)
            if dice.chance(0.85):
                self._email(created + dice.between(2, 9) * DAY, lead, None, "outbound", automated=True)
        customer = Customer(lead, created, person, arrival.branch, fields, truth)
        if answered_by is not None:
            self._conversation(created + dice.between(1, 12) * MINUTE, customer, answered_by, regime)
        else:
            self._outreach(customer, owner, regime, created_by)
        return summary

    def _first_call(self, arrival: Arrival, regime: Regime, lead: int, created_by: str) -> tuple[Rep | None, int]:
        """The inbound call that starts a lead, if one does: who answered, and when the lead was created."""
        if created_by != "call":
            return None, arrival.ms
        dice, is_open = self._dice, self._hours[arrival.branch].is_open(arrival.ms)
        if dice.chance(regime.call_answered if is_open else 0.12):  # at night: the one on call
            rep = self._pick_rep(arrival.branch, arrival.ms)
            talk = dice.around(190, 0.7)
            self._call(arrival.ms, lead, None, rep, "inbound", "answered", talk)
            delay = dice.between(5, 240) * SECOND if dice.chance(0.93) else dice.between(20, 100) * MINUTE
            return rep, int(arrival.ms + delay)
        self._call(arrival.ms, lead, None, None, "inbound", "missed", 0)
        return None, arrival.ms + dice.whole(2, 20) * SECOND

    def _fields(
        self, arrival: Arrival, person: Person, created_by: str, rep: Rep | None, regime: Regime
    ) -> tuple[dict, dict, bool | None]:
        dice = self._dice
        channel = dice.weighted(CHANNELS[created_by])
        campaign = dice.pick(CAMPAIGNS[channel]) if channel in CAMPAIGNS and dice.chance(0.85) else None
        truth = {
            "branch": arrival.branch,
            "channel": channel,
            "campaign": campaign,
            "service_line": arrival.service_line,
            "job_type": dice.weighted(JOBS[arrival.service_line]),
            "customer_type": "returning"
            if arrival.of and not arrival.again
            else "new"
            if dice.chance(0.8)
            else "returning",
        }
        fields = self._clerk.lead_fields(person, truth, rep, regime)
        if arrival.again and dice.chance(0.3):
            fields["email"] = None  # then only the telephone number says that it is the same person
        is_test: bool | None = None
        if dice.chance(0.008):
            is_test = dice.chance(0.6)
            fields["first_name"] = "Test"
            if not is_test or dice.chance(0.3):
                fields["email"] = f"qa{dice.whole(1, 60)}@example.test"
        return fields, truth, is_test

    def _outreach(self, customer: Customer, owner: Rep | None, regime: Regime, created_by: str) -> None:
        """Assign, try to reach, give up or succeed. Work is done while the branch is open."""
        dice, hours, created = self._dice, self._hours[customer.branch], customer.created
        assigned = created
        if owner is None:
            assigned = hours.after(created, dice.around(regime.routing, 0.9))
            owner = self._pick_rep(customer.branch, assigned)
            self._rec.add(assigned, "lead_owner", customer.lead, None, None, owner=owner.rep_id)
        if created_by in ("form", "chat") and dice.chance(0.06):
            self._self_booked(customer, owner, regime)
            return
        if dice.chance(regime.never_touched):
            if dice.chance(regime.closes_out):
                self._rec.add(
                    created + dice.between(10, 40) * DAY, "lead_stage", customer.lead, None, None, stage="disqualified"
                )
            return
        touch = hours.after(assigned, dice.around(regime.reaction * owner.pace, 1.0))
        if dice.chance(0.04):  # a colleague was faster than the assignment
            touch = hours.after(created, dice.between(1, 20) * MINUTE)
            owner = self._pick_rep(customer.branch, touch)
        self._tries(customer, owner, regime, touch)

    def _tries(self, customer: Customer, rep: Rep, regime: Regime, touch: int) -> None:
        dice, hours = self._dice, self._hours[customer.branch]
        if dice.chance(0.35):
            self._task(touch, customer.lead, None, rep)
        for attempt in range(regime.attempts):
            if dice.chance(0.24):
                self._email(touch, customer.lead, None, "outbound", rep)
                reached = dice.chance(regime.reached)
                if reached:
                    touch = int(touch + dice.around(3, 1.0) * HOUR)
                    self._email(touch, customer.lead, None, "inbound")
                    touch = hours.after(touch, dice.between(5, 90) * MINUTE)
            else:
                reached = dice.chance(regime.reached)
                outcome = "answered" if reached else "busy" if dice.chance(0.15) else "no_answer"
                self._call(
                    touch, customer.lead, None, rep, "outbound", outcome, dice.around(160, 0.8) if reached else 0
                )
                if not reached and dice.chance(0.12):  # they call back
                    touch = int(touch + dice.around(2, 0.9) * HOUR)
                    reached = hours.is_open(touch)
                    self._call(touch, customer.lead, None, rep if reached else None, "inbound",
                               "answered" if reached else "missed", 140 if reached else 0)  # fmt: skip
            if reached:
                self._conversation(touch + dice.between(1, 8) * MINUTE, customer, rep, regime)
                return
            if dice.chance(0.12):
                break  # forgotten
            touch = hours.after(touch + DAY * (1, 2, 4, 7, 9, 11)[attempt], dice.between(5, 240) * MINUTE)
        if dice.chance(regime.closes_out):
            self._rec.add(touch + 2 * DAY, "lead_stage", customer.lead, None, rep.rep_id, stage="disqualified")

    def _conversation(self, ms: float, customer: Customer, rep: Rep, regime: Regime) -> None:
        """The customer was reached: the rep fills in what is missing, then qualifies the lead or not."""
        dice, rec, lead, hours = self._dice, self._rec, customer.lead, self._hours[customer.branch]
        ms = self._fill_gaps(ms, customer, rep, regime)
        if dice.chance(0.8):
            self._email(ms + dice.between(5, 50) * MINUTE, lead, None, "outbound", rep)
        if dice.chance(0.1):
            rec.add(ms, "lead_stage", lead, None, rep.rep_id, stage="disqualified")
            if not dice.chance(0.08):
                return
            ms += dice.between(1, 9) * DAY  # they call again: it was worth something after all
            self._call(ms - 5 * MINUTE, lead, None, rep, "inbound", "answered", 200)
        elif not dice.chance(regime.qualified):
            if dice.chance(regime.closes_out):
                rec.add(ms + dice.between(2, 20) * DAY, "lead_stage", lead, None, rep.rep_id, stage="disqualified")
            return
        rec.add(ms, "lead_stage", lead, None, rep.rep_id, stage="qualification")
        if dice.chance(0.04):  # sent back once, and qualified again
            rec.add(ms + 2 * HOUR, "lead_stage", lead, None, rep.rep_id, stage="inquiry")
            ms += dice.between(4, 30) * HOUR
            rec.add(ms, "lead_stage", lead, None, rep.rep_id, stage="qualification")
            if dice.chance(0.4):
                rec.add(ms + 3 * SECOND, "lead_stage", lead, None, rep.rep_id, stage="qualification")  # typed twice
        chance = regime.becomes_deal * (0.9 + 0.1 * rep.skill)
        if not dice.chance(chance):
            if dice.chance(regime.closes_out):
                rec.add(ms + dice.between(3, 25) * DAY, "lead_stage", lead, None, rep.rep_id, stage="disqualified")
            return
        quick = dice.chance(0.45)
        agreed = ms if quick else hours.after(ms, dice.around(5 if regime.routing > 10 * MINUTE else 1.2, 1.0) * HOUR)
        if not quick:
            self._call(agreed, lead, None, rep, "outbound", "answered", 120)
            agreed += dice.whole(1, 6) * MINUTE
        seller = rep if rep.role == "sales_rep" or dice.chance(0.15) else self._pick_rep(customer.branch, agreed, True)
        if seller is not rep and dice.chance(0.5):
            rec.add(agreed, "lead_owner", lead, None, rep.rep_id, owner=seller.rep_id)
        self._deals.open(agreed, customer, seller, regime_at(int(agreed)), booked_by="person")

    def _self_booked(self, customer: Customer, owner: Rep, regime: Regime) -> None:
        """The customer picks a slot on the web: software creates the deal, perhaps before anybody owns the lead."""
        ms = customer.created + self._dice.whole(40, 900) * SECOND
        if self._dice.chance(0.5):
            self._rec.add(ms, "lead_stage", customer.lead, None, None, stage="qualification")
        seller = owner if owner.role == "sales_rep" else self._pick_rep(customer.branch, int(ms), True)
        self._deals.open(ms, customer, seller, regime, booked_by="self")

    def _fill_gaps(self, ms: float, customer: Customer, rep: Rep, regime: Regime) -> float:
        """The rep completes and corrects the record; now and then something is cleared."""
        dice, diligence = self._dice, self._clerk.diligence(rep, regime)
        wanted = {
            "first_name": customer.person.first_name, "last_name": customer.person.last_name, "email": customer.person.email,
            "phone": customer.person.phone(dice), "postcode": customer.person.postcode, **customer.truth,
        }  # fmt: skip
        for name, value in wanted.items():
            if name == "email" and str(customer.fields["email"]).endswith("@example.test"):
                continue
            if customer.fields[name] is None and value is not None and dice.chance(0.45 * diligence):
                ms += dice.whole(2, 40) * SECOND
                self._rec.add(ms, "lead_field", customer.lead, None, rep.rep_id, field=name, value=value)
                customer.fields[name] = value
            elif customer.fields[name] is not None and name in ("phone", "postcode") and dice.chance(0.004):
                self._rec.add(ms, "lead_field", customer.lead, None, rep.rep_id, field=name, value=None)
                customer.fields[name] = None
        if dice.chance(0.002):
            self._rec.add(ms, "lead_field", customer.lead, None, rep.rep_id, field="is_test", value=True)
        return ms

    def _pick_rep(self, branch: str, ms: float, prefer_sales: bool = False) -> Rep:
        role = "sales_rep" if prefer_sales or self._dice.chance(0.15) else "intake_coordinator"
        return self._dice.pick(reps_at(branch, role, ms))

    def _call(
        self,
        ms: float,
        lead: int | None,
        deal: int | None,
        rep: Rep | None,
        direction: str,
        outcome: str,
        seconds: float,
    ) -> None:
        self._rec.activity(ms, "call", lead, deal, rep.rep_id if rep else None, direction=direction, outcome=outcome,
                           duration_seconds=round(float(seconds), 1))  # fmt: skip

    def _email(
        self,
        ms: float,
        lead: int | None,
        deal: int | None,
        direction: str,
        rep: Rep | None = None,
        automated: bool = False,
    ) -> None:
        self._rec.activity(
            ms, "email", lead, deal, rep.rep_id if rep else None, direction=direction, is_automated=automated
        )

    def _task(self, ms: float, lead: int | None, deal: int | None, rep: Rep) -> None:
        due = int(ms + self._dice.whole(1, 5) * DAY)
        activity = self._rec.activity(ms, "task", lead, deal, rep.rep_id, due_at=due)
        if self._dice.chance(0.7):
            self._rec.add(
                ms + self._dice.between(0.5, 6) * DAY, "task_done", lead, deal, rep.rep_id, activity_id=activity
            )
