"""What happens to records beside the sales work: merged, archived, restored, handed over, and a rep who leaves.

Works on the rows of a ``Recorder`` in order of time; journeys are not played here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from demo.simulation.clock import DAY, HOUR, Dice
from demo.simulation.deals import DealSummary
from demo.simulation.leads import LeadSummary
from demo.simulation.record import Recorder, Row
from demo.simulation.world import AS_OF_MS, LEFT_AT, REPS, reps_at

CLOSED = ("won", "lost", "disqualified")
KIND, LEAD, DEAL, REP, DATA = 1, 2, 3, 4, 5


@dataclass
class Plan:
    """Who is merged into whom and when, and who is archived from when to when (None: for good). Numbers, not ids."""

    merged: dict[int, tuple[int, int]] = field(default_factory=dict)  # number → (ms, into)
    archived: dict[int, tuple[int, int | None]] = field(default_factory=dict)  # number → (from, to)

    @property
    def touched(self) -> set[int]:
        """Numbers that take part in anything already."""
        return set(self.merged) | {into for _, into in self.merged.values()} | set(self.archived)


def plan_leads(dice: Dice, leads: list[LeadSummary]) -> Plan:
    """Merge nearly half of the duplicates into the older lead; archive some others."""
    plan, by_number = Plan(), {lead.lead: lead for lead in leads}
    for lead in leads:
        into = by_number.get(lead.duplicate_of) if lead.duplicate_of else None
        at = int(lead.created + dice.between(0.05, 12) * DAY)
        if (
            into
            and into.created < lead.created
            and at < AS_OF_MS
            and dice.chance(0.45)
            and not plan.touched & {lead.lead, into.lead}
        ):
            plan.merged[lead.lead] = (at, into.lead)
    _archive(dice, plan, [(lead.lead, lead.created) for lead in leads], 0.013)
    return plan


def plan_deals(dice: Dice, deals: list[DealSummary]) -> Plan:
    """Merge some second deals into the first one of their lead; archive some others."""
    plan, first = Plan(), {}
    for deal in deals:
        if not deal.is_second:
            first[deal.customer.lead] = deal
        elif dice.chance(0.2):
            at = int(max(deal.created, first[deal.customer.lead].created) + dice.between(0.1, 6) * DAY)
            if at < AS_OF_MS:
                plan.merged[deal.deal] = (at, first[deal.customer.lead].deal)
    _archive(dice, plan, [(deal.deal, deal.created) for deal in deals], 0.014)
    return plan


def _archive(dice: Dice, plan: Plan, records: list[tuple[int, int]], share: float) -> None:
    taken = plan.touched
    for number, created in records:
        begins = int(created + dice.around(12, 1.2) * DAY)
        if dice.chance(share) and number not in taken and begins < AS_OF_MS:
            ends = int(begins + dice.between(0.2, 9) * DAY) if dice.chance(0.3) else None
            plan.archived[number] = (begins, ends)


def apply(rec: Recorder, leads: Plan, deals: Plan) -> None:
    """Put the plans into effect: what happens to a merged record afterwards happens to the survivor, an archived one is not edited."""
    kept = []
    for row in rec.in_order():
        if _is_void(row, LEAD, "lead_", leads) or _is_void(row, DEAL, "deal_", deals):
            continue
        for column, plan in ((LEAD, leads), (DEAL, deals)):
            merge = plan.merged.get(row[column])
            if merge and row[0] > merge[0]:
                row[column] = merge[1]
        kept.append(row)
    rec.rows = kept
    for prefix, column, plan in (("lead", LEAD, leads), ("deal", DEAL, deals)):
        for number, (ms, into) in plan.merged.items():
            _note(rec, ms, f"{prefix}_merged", column, number, into=into)
        for number, (begins, ends) in plan.archived.items():
            _note(rec, begins, f"{prefix}_archived", column, number)
            if ends is not None and ends <= AS_OF_MS:
                _note(rec, ends, f"{prefix}_unarchived", column, number)


def _note(rec: Recorder, ms: int, kind: str, column: int, number: int, **data: int) -> None:
    rec.add(ms, kind, number if column == LEAD else None, number if column == DEAL else None, None, **data)


def _is_void(row: Row, column: int, prefix: str, plan: Plan) -> bool:
    """Whether the row edits a record that is gone or archived at that moment."""
    if not row[KIND].startswith(prefix) or row[KIND].endswith("_created"):
        return False
    merge, window = plan.merged.get(row[column]), plan.archived.get(row[column])
    if merge and row[0] > merge[0]:
        return True
    return bool(window and window[0] <= row[0] and (window[1] is None or row[0] <= window[1]))


def reassign(dice: Dice, rec: Recorder, leads: list[LeadSummary], plan: Plan) -> None:
    """Hand some leads to a colleague, days after they came in."""
    for lead in leads:
        if not dice.chance(0.03) or lead.lead in plan.touched:
            continue
        ms = int(lead.created + dice.between(2 * HOUR, 20 * DAY))
        branch = dice.pick(("chicago", "naperville", "denver")) if dice.chance(0.1) else None
        rec.add(
            ms, "lead_owner", lead.lead, None, None, owner=None, branch=branch
        )  # the colleague is chosen in ``depart``


def depart(dice: Dice, rec: Recorder, leads: Plan, deals: Plan) -> None:
    """The rep who leaves: open leads and deals change hands in one moment; colleagues do what would have been theirs afterwards."""
    gone = next(rep for rep in REPS.values() if rep.left is not None)
    heirs = [rep.rep_id for rep in reps_at(gone.branch, "sales_rep", LEFT_AT)]
    state: dict[str, dict[int, list[Any]]] = {"lead": {}, "deal": {}}  # number → [owner, is open]
    rows, handed_over = [], False
    for row in rec.in_order():
        if not handed_over and row[0] > LEFT_AT:
            rows += _hand_over(state, gone.rep_id, heirs, leads, deals)
            handed_over = True
        _settle_owner(dice, row, state["lead"])
        if row[0] > LEFT_AT:
            heir = heirs[(row[LEAD] or row[DEAL] or 0) % len(heirs)]
            if row[REP] == gone.rep_id:
                row[REP] = heir
            if row[DATA].get("owner") == gone.rep_id:
                row[DATA] = {**row[DATA], "owner": heir}
        _follow(row, state)
        rows.append(row)
    rec.rows = rows


def _settle_owner(dice: Dice, row: Row, leads: dict) -> None:
    """Choose the colleague of a hand-over that ``reassign`` noted: another one of the branch of today's owner, or of the named one."""
    if row[KIND] != "lead_owner" or row[DATA]["owner"] is not None:
        return
    today = leads.get(row[LEAD], [None])[0]
    branch = row[DATA]["branch"] or (REPS[today].branch if today else "chicago")
    others = [rep for rep in reps_at(branch, "sales_rep", row[0]) if rep.rep_id != today]
    row[DATA] = {"owner": dice.pick(others).rep_id}


def _follow(row: Row, state: dict[str, dict]) -> None:
    kind, data = row[KIND], row[DATA]
    subject, _, change = kind.partition("_")
    if subject not in state:
        return
    number = row[LEAD] if subject == "lead" else row[DEAL]
    record = state[subject].setdefault(number, [None, True])
    if change in ("created", "owner"):
        record[0] = data["owner"]
    if change == "stage" or (kind == "deal_created"):
        record[1] = data["stage"] not in CLOSED


def _hand_over(state: dict, gone: str, heirs: list[str], leads: Plan, deals: Plan) -> list[Row]:
    rows = []
    for subject, plan in (("lead", leads), ("deal", deals)):
        for number, (owner, is_open) in state[subject].items():
            is_void = (number in plan.merged and plan.merged[number][0] <= LEFT_AT) or number in plan.archived
            if owner == gone and is_open and not is_void:
                heir = heirs[number % len(heirs)]
                lead, deal = (number, None) if subject == "lead" else (None, number)
                rows.append([LEFT_AT, f"{subject}_owner", lead, deal, None, {"owner": heir}])
                state[subject][number][0] = heir
    return rows
