"""What follows from an offer and a sale: how many options the customer was shown, the work, the invoice and what was paid when.

Works on the rows of a ``Recorder`` after all else has happened to the deals; a deal that was merged away has no work of its own.
The events name the deal alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from demo.simulation.clock import DAY, HOUR, Dice, Weighted
from demo.simulation.record import Recorder, Row
from demo.simulation.world import CHANGE_MS

OPTIONS = {False: Weighted({1: 0.62, 2: 0.26, 3: 0.12}), True: Weighted({1: 0.22, 2: 0.30, 3: 0.38, 4: 0.10})}
MANNERS = Weighted({"at_once": 0.68, "in_parts": 0.19, "late": 0.10, "never": 0.03})


@dataclass
class _Deal:
    stages: list[tuple[int, str]] = field(default_factory=list)
    amount: float | None = None
    is_merged: bool = False


def play(dice: Dice, rec: Recorder) -> None:
    """Add what follows from the offers and sales that are there."""
    for number, deal in _deals(rec.in_order()).items():
        quoted = next((ms for ms, stage in deal.stages if stage in ("proposal", "won")), None)
        if quoted is None or deal.is_merged:
            continue
        rec.add(quoted, "estimate_sent", None, number, None, options=dice.weighted(OPTIONS[quoted >= CHANGE_MS]))
        if deal.stages[-1][1] == "won":
            _work(dice, rec, number, deal, deal.stages[-1][0])


def _deals(rows: list[Row]) -> dict[int, _Deal]:
    found: dict[int, _Deal] = {}
    for ms, kind, _, number, _, data in rows:
        if kind == "deal_created":
            found[number] = _Deal([(ms, data["stage"])], data["amount"])
        elif kind == "deal_stage" and found[number].stages[-1][1] != data["stage"]:
            found[number].stages.append((ms, data["stage"]))
        elif kind == "deal_amount":
            found[number].amount = data["amount"]
        elif kind == "deal_merged":
            found[number].is_merged = True
    return found


def _work(dice: Dice, rec: Recorder, number: int, deal: _Deal, won: int) -> None:
    """The job, its invoice, its payments; sooner since the process was changed."""

    def note(ms: float, kind: str, **data: float) -> None:
        rec.add(ms, kind, None, number, None, **data)

    is_new = won >= CHANGE_MS
    note(won, "job_created")
    if dice.chance(0.03):
        note(won + dice.between(0.5, 6) * DAY, "job_canceled")
        return
    done = won + dice.around(4, 0.7) * DAY
    note(done, "job_completed")
    if not deal.amount:
        return
    invoiced = done + (
        dice.between(1, 6) * HOUR if dice.chance(0.6 if is_new else 0.25) else dice.around(2.5, 0.6) * DAY
    )
    note(invoiced, "invoice_sent", amount=deal.amount)
    manner = dice.weighted(MANNERS)
    days = dice.around(7 if is_new else 11, 0.6) + (dice.between(25, 70) if manner == "late" else 0)
    if manner == "in_parts":
        first = round(deal.amount * dice.pick((0.3, 0.4, 0.5)), 2)
        note(invoiced + dice.between(0.05, 2) * DAY, "payment", amount=first)
        if dice.chance(0.9):
            note(invoiced + (2 + days) * DAY, "payment", amount=round(deal.amount - first, 2))
    elif manner != "never":
        note(invoiced + days * DAY, "payment", amount=deal.amount)
