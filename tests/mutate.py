"""Goes on working in the company for an hour: changes to some deals at the end of the log, as people would make them in the CRM."""

from __future__ import annotations

import numpy as np
import pandas as pd

from demo.log import CompanyLog, Event, to_ms
from demo.simulation.clock import HOUR, Dice, from_ms, local_date
from demo.simulation.world import BRANCHES, LOSS_REASONS, reps_at

NEXT = {
    "consultation_scheduled": ("consultation_held", "proposal", "lost"),
    "consultation_held": ("proposal", "won", "lost", "disqualified"),
    "proposal": ("won", "won", "lost", "consultation_held"),
    "won": ("proposal",),
    "lost": ("proposal", "consultation_held"),
    "disqualified": ("consultation_scheduled",),
}


def mutate(log: CompanyLog, n: int = 50, seed: int = 0) -> CompanyLog:
    """A log in which ``n`` more deals changed in the last hour before ``as_of``: their stage, amount or owner.

    Open deals first. ValueError if fewer than ``n`` deals can be changed. The same arguments give the same log.
    """
    dice = Dice(np.random.default_rng([log.seed, seed, n]))
    deals = _changeable(log)
    if len(deals) < n:
        raise ValueError(f"only {len(deals)} deals can be changed, not {n}")
    begins, ends = to_ms(log.as_of) - HOUR + 1_000, to_ms(log.as_of)
    branch_of = dict(zip(log.reps["rep_id"], log.reps["branch"], strict=True))
    added: list[Event] = []
    for deal in deals.head(n).itertuples():
        ms = dice.whole(begins, ends)
        branch = branch_of[deal.owner]
        roll = dice.unit()

        def note(
            kind: str,
            rep: str = deal.owner,
            lead: str | None = deal.lead_id,
            one: str = deal.Index,
            at: int = ms,
            **data: object,
        ) -> None:
            added.append(Event(from_ms(at), kind, lead, one, rep, data))

        if roll < 0.6:
            stage = dice.pick(NEXT[deal.stage])
            note("deal_stage", stage=stage)
            if stage in ("won", "lost"):
                note("deal_close_date", expected_close_date=local_date(ms, BRANCHES[branch].zone))
            if stage == "lost":
                note("deal_field", field="loss_reason", value=dice.weighted(LOSS_REASONS))
        elif roll < 0.8:
            note("deal_amount", amount=round(dice.around(deal.amount if deal.amount else 900, 0.3), 2))
        else:
            others = [rep.rep_id for rep in reps_at(branch, "sales_rep", ms) if rep.rep_id != deal.owner]
            note("deal_owner", owner=dice.pick(others))
    return log.with_events(added)


def _changeable(log: CompanyLog) -> pd.DataFrame:
    """Deals that exist and were quiet in the last hour, by deal: ``lead_id, stage, owner, amount``; open ones first."""
    deals: dict[str, dict] = {}
    gone: set[str] = set()
    merged_leads: dict[str, str] = {}
    quiet_since = pd.Timestamp(log.as_of) - pd.Timedelta(hours=1)
    events = log.events
    for at, kind, lead, deal, data in zip(
        *(events[name] for name in ("at", "kind", "lead_id", "deal_id", "data")), strict=True
    ):
        if kind == "lead_merged":
            merged_leads[lead] = data["into"]
        if deal is None:
            continue
        if kind == "deal_created":
            deals[deal] = {"lead_id": lead, "stage": data["stage"], "owner": data["owner"], "amount": data["amount"]}
        elif kind == "deal_stage":
            deals[deal]["stage"] = data["stage"]
        elif kind == "deal_owner":
            deals[deal]["owner"] = data["owner"]
        elif kind == "deal_amount":
            deals[deal]["amount"] = data["amount"]
        if kind in ("deal_archived", "deal_merged") or (at > quiet_since and kind.startswith("deal_")):
            gone.add(deal)
        elif kind == "deal_unarchived":
            gone.discard(deal)
    frame = pd.DataFrame.from_dict({one: row for one, row in deals.items() if one not in gone}, orient="index")
    frame["lead_id"] = frame["lead_id"].map(lambda lead: merged_leads.get(lead, lead))
    frame["is_closed"] = frame["stage"].isin(["won", "lost", "disqualified"])
    frame["amount"] = frame["amount"].astype(object).where(frame["amount"].notna(), None)
    return frame.sort_values(["is_closed"], kind="stable")
