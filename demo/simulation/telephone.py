"""What the telephone system knows of inbound calls: how long they rang, in which queue, how they ended; and the calls of people who are no leads.

Who calls as a lead, and when, is played in ``leads``. Calls of nobody known: suppliers, job seekers, wrong numbers, customers about an invoice.
"""

from __future__ import annotations

from demo.simulation.clock import MINUTE, Dice, OpenHours, Weighted
from demo.simulation.leads import Arrival
from demo.simulation.record import Recorder
from demo.simulation.world import CHANGE_MS, regime_at, reps_at

QUEUES = Weighted({"new_customers": 0.55, "service": 0.33, "office": 0.12})
OTHERS = 0.22  # calls of nobody known per call of a lead
_AREA = "847"  # where no customer lives: these numbers are nobody's


def complete(dice: Dice, rec: Recorder) -> int:
    """Add to every inbound call of a lead what the telephone system knows of it; returns how many there are."""
    count = 0
    for row in rec.in_order():
        if row[1] == "call" and row[5]["direction"] == "inbound":
            row[5] |= _ringing(dice, row[0], row[5]["outcome"] == "answered", True)
            count += 1
    return count


def others(dice: Dice, rec: Recorder, hours: dict[str, OpenHours], calls: list[Arrival]) -> None:
    """Calls of nobody known. Some of those that were missed are called back."""
    for number, call in enumerate(calls):
        # now and then the one before calls again
        digits = f"{_AREA}{(number - 1 if number and dice.chance(0.15) else number) + 2_000_000:07d}"
        regime, is_open = regime_at(call.ms), hours[call.branch].is_open(call.ms)
        is_answered = dice.chance(regime.call_answered if is_open else 0.12)
        rep = dice.pick(reps_at(call.branch, "intake_coordinator", call.ms)).rep_id
        _note(dice, rec, call.ms, rep if is_answered else None, digits, "inbound", is_answered)
        if not is_answered and dice.chance(0.6 if call.ms >= CHANGE_MS else 0.3):
            back = hours[call.branch].after(call.ms, dice.around(25, 1.0) * MINUTE)
            rep = dice.pick(reps_at(call.branch, "intake_coordinator", back)).rep_id
            _note(dice, rec, back, rep, digits, "outbound", dice.chance(0.6))


def _note(dice: Dice, rec: Recorder, ms: int, rep: str | None, number: str, direction: str, is_answered: bool) -> None:
    outcome = "answered" if is_answered else "missed" if direction == "inbound" else "no_answer"
    seconds = round(dice.around(95, 0.8), 1) if is_answered else 0.0
    more = _ringing(dice, ms, is_answered, False) if direction == "inbound" else {}
    rec.activity(
        ms,
        "call",
        None,
        None,
        rep,
        direction=direction,
        outcome=outcome,
        duration_seconds=seconds,
        number=number,
        **more,
    )


def _ringing(dice: Dice, ms: int, is_answered: bool, is_leads: bool) -> dict[str, object]:
    """How long it rang, where, how that ended, and what people say that it was about."""
    pace = 0.6 if ms >= CHANGE_MS else 1.0
    gave_up = not is_answered and dice.chance(0.55)
    rings = {"answered": (13 * pace, 0.7), "gave_up": (16.0, 1.0), "left": (28.0, 0.08)}
    wait = dice.around(*rings["answered" if is_answered else "gave_up" if gave_up else "left"])
    return {
        "wait_seconds": round(min(wait, 600.0), 1),
        "gave_up": gave_up,
        "is_voicemail": not is_answered and not gave_up and dice.chance(0.7),
        "queue": dice.weighted(QUEUES),
        "is_transferred": is_answered and dice.chance(0.08),
        "is_lead": None if not is_answered else is_leads and dice.chance(0.93),  # as people class it
    }
