"""From the booked consultation to the decision, and what follows: stages, amounts, expected dates, follow-ups, reopening."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from demo.simulation.clock import DAY, HOUR, MINUTE, SECOND, Dice, OpenHours, Weighted, local_date
from demo.simulation.people import Clerk, Person
from demo.simulation.record import Recorder
from demo.simulation.world import AMOUNT, BRANCHES, LOSS_REASONS, Regime, Rep, regime_at, reps_at

FIRST_STAGE = Weighted({"consultation_scheduled": 0.88, "consultation_held": 0.07, "proposal": 0.035, "won": 0.015})
HALF_HOUR = 30 * MINUTE
BUDGETS = ("under_2k", "2k_5k", "5k_10k", "over_10k")
NEEDS = (
    "no cooling",
    "no heat",
    "leak",
    "water heater",
    "panel upgrade",
    "old unit",
    "noise",
    "second opinion",
    "new build",
)
NEXT_STEPS = (
    "call on Monday",
    "send revised quote",
    "wait for financing",
    "site visit",
    "spouse decides",
    "order parts",
)


@dataclass
class Customer:
    """A person with a wish. ``lead`` is None where a deal is opened without one; ``fields``: as typed in, ``truth``: as it is."""

    lead: int | None
    created: int
    person: Person
    branch: str
    fields: dict
    truth: dict


@dataclass
class DealSummary:
    """What later passes need to know of a deal. Times in ms."""

    deal: int
    customer: Customer
    created: int
    seller: Rep
    is_second: bool = False
    held: list[int] = field(default_factory=list)
    won: int | None = None
    closed: int | None = None
    amount: float | None = None
    expected: date | None = None


class DealJourneys:
    """Plays deals through to their end, or to where they are left lying."""

    def __init__(self, dice: Dice, rec: Recorder, clerk: Clerk, hours: dict[str, OpenHours]) -> None:
        self._dice, self._rec, self._clerk, self._hours = dice, rec, clerk, hours
        self._zones = {key: BRANCHES[key].zone for key in BRANCHES}
        self.deals: list[DealSummary] = []

    def open(self, ms: float, customer: Customer, seller: Rep, regime: Regime, booked_by: str) -> None:
        """Open a deal for ``customer`` and play it; now and then a second one for the same lead."""
        dice = self._dice
        self._play(int(ms), customer, seller, regime, booked_by, is_second=False)
        if customer.lead is not None and dice.chance(0.05):
            later = (
                ms
                if dice.chance(0.25)
                else self._hours[customer.branch].after(int(ms + dice.between(0.02, 30) * DAY), MINUTE)
            )
            if seller.left is None:
                self._play(int(later), customer, seller, regime_at(int(later)), "person", is_second=True)

    def _play(self, ms: int, customer: Customer, seller: Rep, regime: Regime, booked_by: str, is_second: bool) -> None:
        dice, rec = self._dice, self._rec
        deal = DealSummary(rec.new_deal(), customer, ms, seller, is_second)
        self.deals.append(deal)
        stage = "consultation_scheduled" if booked_by == "self" else dice.weighted(FIRST_STAGE)
        worth = round(dice.around(AMOUNT[customer.truth["service_line"], customer.truth["job_type"]], 0.45), 2)
        self._create(deal, stage, worth, regime, booked_by)
        if (
            dice.chance(0.05) and customer.lead is not None
        ):  # the lead's status goes on living, after or with the deal's creation
            after = ms if dice.chance(0.3) else ms + dice.between(0.1, 9) * DAY
            rec.add(
                after,
                "lead_stage",
                customer.lead,
                None,
                seller.rep_id,
                stage=dice.pick(("qualification", "disqualified")),
            )
        if stage == "won":
            self._close(deal, ms, "won")
            return
        held = ms
        if stage == "consultation_scheduled":
            outcome = self._consult(deal, regime, booked_by)
            if outcome is None:
                return
            held = outcome
        elif stage == "consultation_held":
            deal.held.append(ms)
        self._decide(deal, held, stage == "proposal", worth)

    def _create(self, deal: DealSummary, stage: str, worth: float, regime: Regime, booked_by: str) -> None:
        dice, customer, seller = self._dice, deal.customer, deal.seller
        by = None if booked_by == "self" else seller
        diligence = self._clerk.diligence(seller, regime)
        known = {
            name: customer.fields.get(name) or customer.truth[name] for name in ("branch", "service_line", "job_type")
        }
        fields = {name: value if dice.chance(0.55 + 0.4 * diligence) else None for name, value in known.items()}
        deal.amount = round(worth * dice.around(1, 0.2), 2) if dice.chance(0.8 * diligence) else None
        if by is not None and dice.chance(0.02):
            deal.amount = 0.0 if dice.chance(0.3) else float(round(worth))
        horizon = 14 if regime.routing > 10 * MINUTE else 8
        if dice.chance(0.1 + 0.85 * diligence):
            deal.expected = local_date(deal.created, self._zone(deal)) + timedelta(
                days=round(dice.between(0.6, 1.6) * horizon)
            )
        bant = self._bant(diligence, deal.created) if by is not None and dice.chance(0.5) else {}
        self._rec.add(
            deal.created, "deal_created", customer.lead, deal.deal, by.rep_id if by else None,
            name=f"{customer.person.last_name} {customer.truth['job_type']}", pipeline="default", stage=stage,
            owner=seller.rep_id, amount=deal.amount, expected_close_date=deal.expected, **fields,
            **{name: bant.get(name) for name in ("budget_band", "is_decision_maker", "need", "wanted_by", "next_step")},
            loss_reason=None,
        )  # fmt: skip
        if not bant:
            self._fill_in(deal, deal.created + dice.between(0.5, 4) * DAY, self._bant(diligence, deal.created))

    def _bant(self, diligence: float, ms: int) -> dict:
        dice, clerk = self._dice, self._clerk
        filled = {
            "budget_band": clerk.typed("budget_band", dice.pick(BUDGETS), diligence * 0.8),
            "is_decision_maker": dice.chance(0.7) if dice.chance(diligence * 0.85) else None,
            "need": clerk.typed("need", dice.pick(NEEDS), diligence * 0.95),
            "wanted_by": local_date(ms, ZoneInfo("UTC")) + timedelta(days=dice.whole(2, 60))
            if dice.chance(diligence * 0.7)
            else None,
            "next_step": clerk.typed("next_step", dice.pick(NEXT_STEPS), diligence * 0.75),
        }
        return {name: value for name, value in filled.items() if value is not None}

    def _fill_in(self, deal: DealSummary, ms: float, values: dict) -> None:
        for name, value in values.items():
            ms += self._dice.whole(1, 60) * SECOND
            self._add(ms, "deal_field", deal, field=name, value=value)

    def _consult(self, deal: DealSummary, regime: Regime, booked_by: str) -> int | None:
        """Set meetings until one takes place; the moment of the move to the next stage, or None if it never came to that."""
        dice, set_at, by = self._dice, deal.created, booked_by
        for _ in range(3):
            starts = self._slot(deal, set_at + dice.around(regime.meeting_lead_days, 0.5) * DAY, set_at)
            rep = deal.seller.rep_id if by == "person" else None
            meeting = self._rec.activity(
                set_at, "meeting_set", deal.customer.lead, deal.deal, rep, starts_at=starts, by=by
            )
            if dice.chance(0.35):
                self._email(set_at + 30 * SECOND, deal, "outbound", automated=True)
            ends = starts + dice.whole(40, 90) * MINUTE
            if dice.chance(regime.shows_up):
                self._add(ends, "meeting_outcome", deal, activity_id=meeting, outcome="held")
                deal.held.append(ends)
                noted = ends + dice.between(0, 3) * HOUR if dice.chance(0.7) else ends + dice.around(1.2, 0.7) * DAY
                if dice.chance(0.12):
                    return int(noted)  # the stage is skipped: the next move goes further
                self._add(noted, "deal_stage", deal, stage="consultation_held")
                return int(noted)
            outcome = "no_show" if dice.chance(0.55) else "canceled"
            missed = ends if outcome == "no_show" else int(dice.between(set_at, starts))
            self._add(missed, "meeting_outcome", deal, activity_id=meeting, outcome=outcome)
            if not dice.chance(0.6):
                break
            set_at = self._open_at(deal, missed + dice.around(10, 1.0) * HOUR)
            by = "self" if dice.chance(0.2) else "person"
            if by == "person":
                self._call(
                    set_at - 2 * MINUTE if set_at - 2 * MINUTE > missed else set_at, deal, "outbound", "answered"
                )
        if dice.chance(regime.closes_out):
            self._close(deal, self._open_at(deal, set_at + dice.around(12, 0.7) * DAY), "lost")
        return None

    def _decide(self, deal: DealSummary, held: int, has_proposal: bool, worth: float) -> None:
        dice, regime = self._dice, regime_at(held)
        now = held
        is_slow = regime.routing > 10 * MINUTE
        if not has_proposal and not dice.chance(0.10):
            now = self._open_at(deal, held + dice.around(1.6 if is_slow else 0.5, 0.8) * DAY)
            self._add(now, "deal_stage", deal, stage="proposal")
        if dice.chance(0.93):
            quote = worth if deal.amount is None or dice.chance(0.6) else deal.amount
            if quote != deal.amount:
                deal.amount = quote
                self._add(now, "deal_amount", deal, amount=quote)  # with the quote, in the same moment
        if dice.chance(0.05):
            now = self._back_and_forth(deal, now)
        wins = dice.chance(min(0.9, regime.wins * deal.seller.skill))
        wait = dice.around(regime.decision_days * (1.0 if wins else 2.4), 0.8) * DAY
        decided = self._open_at(deal, now + wait)
        self._follow_up(deal, now, decided, regime)
        roll = dice.unit()
        if roll < 0.1 * (1 - regime.closes_out):
            return  # nobody ever decides
        if roll < 0.055:
            self._close(deal, decided, "disqualified")
            return
        if wins and dice.chance(0.12):
            deal.amount = round(worth * dice.between(0.8, 1.15), 2)
            self._add(decided - SECOND, "deal_amount", deal, amount=deal.amount)
        self._close(deal, decided, "won" if wins else "lost")

    def _back_and_forth(self, deal: DealSummary, now: int) -> int:
        """Back to the consultation and to the proposal again; or the same stage set twice; or two moves in one moment."""
        dice, roll = self._dice, self._dice.unit()
        if roll < 0.6:
            now = self._open_at(deal, now + dice.between(0.2, 4) * DAY)
            self._add(now, "deal_stage", deal, stage="consultation_held")
            now = self._open_at(deal, now + dice.between(0.2, 3) * DAY)
        elif roll < 0.8:
            self._add(now + SECOND, "deal_stage", deal, stage="consultation_scheduled")  # a slip …
            self._add(now + SECOND, "deal_stage", deal, stage="consultation_held")  # … and its repair, one millisecond
            now += 2 * SECOND
        self._add(now, "deal_stage", deal, stage="proposal")
        return now

    def _follow_up(self, deal: DealSummary, begin: int, end: int, regime: Regime) -> None:
        """Calls, e-mails, tasks and pushed dates between the proposal and the decision; sometimes another rep takes over."""
        dice = self._dice
        days = (end - begin) / DAY
        for _ in range(min(9, 2 + round(days * dice.between(0.3, 0.7)))):
            ms = self._open_at(deal, dice.between(begin, end))
            if ms >= end:
                continue
            if dice.chance(0.45):
                answered = dice.chance(0.5)
                self._call(ms, deal, "outbound", "answered" if answered else "no_answer")
            elif dice.chance(0.65):
                self._email(ms, deal, "outbound")
                if dice.chance(0.4):
                    self._email(min(end, ms + dice.around(4, 0.8) * HOUR), deal, "inbound")
            elif dice.chance(0.5):
                task = self._rec.activity(
                    ms, "task", deal.customer.lead, deal.deal, deal.seller.rep_id, due_at=int(ms + 2 * DAY)
                )
                if dice.chance(0.7):
                    self._add(min(end, ms + 1.5 * DAY), "task_done", deal, activity_id=task)
            else:
                self._email(ms, deal, "outbound", automated=True)
        while deal.expected is not None and dice.chance(0.7):
            due = self._open_at(deal, begin + ((deal.expected - local_date(begin, self._zone(deal))).days + 1) * DAY)
            if not begin < due < end:
                break
            deal.expected = local_date(due, self._zone(deal)) + timedelta(days=dice.whole(3, 21))
            self._add(due, "deal_close_date", deal, expected_close_date=deal.expected)
        if dice.chance(0.06):
            ms = int(dice.between(begin, end))
            others = [rep for rep in reps_at(deal.seller.branch, "sales_rep", ms) if rep is not deal.seller]
            if others:
                deal.seller = dice.pick(others)
                self._add(ms, "deal_owner", deal, owner=deal.seller.rep_id)

    def _close(self, deal: DealSummary, ms: int, stage: str, depth: int = 0) -> None:
        """Close, and perhaps reopen and close again."""
        dice = self._dice
        if not (depth == 0 and ms == deal.created):
            self._add(ms, "deal_stage", deal, stage=stage)
        deal.closed, deal.won = ms, ms if stage == "won" else None
        today = local_date(ms, self._zone(deal))
        if deal.expected != today:
            deal.expected = today
            self._add(ms, "deal_close_date", deal, expected_close_date=today)
        diligence = self._clerk.diligence(deal.seller, regime_at(ms))
        if stage == "lost" and dice.chance(diligence):
            self._add(
                ms + dice.whole(0, 90) * SECOND,
                "deal_field",
                deal,
                field="loss_reason",
                value=dice.weighted(LOSS_REASONS),
            )
        if stage != "disqualified" and depth < 2 and dice.chance({"won": 0.02, "lost": 0.04}[stage] * (1 + 3 * depth)):
            again = self._open_at(deal, ms + dice.between(0.5, 30) * DAY)
            self._add(again, "deal_stage", deal, stage=dice.pick(("proposal", "consultation_held", "proposal")))
            deal.closed = deal.won = None
            if dice.chance(0.85):
                self._close(
                    deal, self._open_at(deal, again + dice.around(5, 0.8) * DAY), dice.pick(("won", "lost")), depth + 1
                )

    def _zone(self, deal: DealSummary) -> ZoneInfo:
        return self._zones[deal.customer.branch]

    def _open_at(self, deal: DealSummary, ms: float) -> int:
        """That moment if the branch is open then, else some minutes after it opens."""
        hours = self._hours[deal.customer.branch]
        return int(ms) if hours.is_open(int(ms)) else hours.after(int(ms), self._dice.between(2, 200) * MINUTE)

    def _slot(self, deal: DealSummary, wanted: float, after: int) -> int:
        """A start on the half hour while the branch is open, after ``after``."""
        slot = self._open_at(deal, max(wanted, after + HOUR)) // HALF_HOUR * HALF_HOUR
        return slot if slot > after else slot + HALF_HOUR

    def _add(self, ms: float, kind: str, deal: DealSummary, **data: object) -> None:
        self._rec.add(ms, kind, deal.customer.lead, deal.deal, deal.seller.rep_id, **data)

    def _call(self, ms: float, deal: DealSummary, direction: str, outcome: str) -> None:
        seconds = round(self._dice.around(150, 0.8), 1) if outcome == "answered" else 0.0
        self._rec.activity(ms, "call", deal.customer.lead, deal.deal, deal.seller.rep_id, direction=direction, outcome=outcome,
                           duration_seconds=seconds)  # fmt: skip

    def _email(self, ms: float, deal: DealSummary, direction: str, automated: bool = False) -> None:
        rep = None if automated or direction == "inbound" else deal.seller.rep_id
        self._rec.activity(ms, "email", deal.customer.lead, deal.deal, rep, direction=direction, is_automated=automated)
