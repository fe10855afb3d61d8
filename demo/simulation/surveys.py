"""Surveys after a consultation and after the job: who is asked, who answers what, who stops half way."""

from __future__ import annotations

from collections import Counter

from demo.log import POST_CONSULTATION, POST_JOB
from demo.simulation.clock import DAY, HOUR, SECOND, Dice
from demo.simulation.deals import DealSummary
from demo.simulation.leads import LeadSummary
from demo.simulation.record import Recorder
from demo.simulation.world import regime_at

COMMENTS = (
    "Great work, very friendly.", "Took too long to hear back.", "Technician was on time.", "Price was higher than the quote.",
    "Clean and quick!", "Still waiting for the paperwork…", "=SUM(1,2) was on the invoice?", "Sehr gut, danke schön", "👍",
    "They left a mess in the hallway,\nbut came back to clean it.", "Would call again", 'He said "tomorrow" three times.',
)  # fmt: skip
_TOKEN = "abcdefghijklmnopqrstuvwxyz0123456789"


def play(dice: Dice, rec: Recorder, deals: list[DealSummary], leads: list[LeadSummary]) -> None:
    """Ask after every consultation and every won job; add answers that come without a link of their own."""
    for deal in deals:
        if deal.held and dice.chance(0.92):
            _ask(dice, rec, POST_CONSULTATION, deal, int(deal.held[-1] + dice.between(18, 30) * HOUR), 0.39)
        if deal.won is not None and dice.chance(0.95):
            _ask(dice, rec, POST_JOB, deal, int(deal.won + dice.between(4, 15) * DAY), 0.51)
    _unlinked(dice, rec, leads)


def _ask(dice: Dice, rec: Recorder, form: str, deal: DealSummary, ms: int, response_rate: float) -> None:
    lead = deal.customer.lead
    rec.add(ms, "survey_sent", lead, deal.deal, None, form_id=form)
    if not dice.chance(response_rate):
        if dice.chance(0.09):
            _partial(dice, rec, form, lead, deal.deal, ms + dice.around(9, 1.0) * HOUR, _token(dice))
        return
    at = ms + dice.around(10, 1.1) * HOUR
    token = _token(dice)
    if dice.chance(0.06):
        _partial(
            dice,
            rec,
            form,
            lead,
            deal.deal,
            at - dice.between(0.2, 3) * HOUR if at - 3 * HOUR > ms else ms + SECOND,
            token,
        )
        at += HOUR
    email = deal.customer.person.email if dice.chance(0.6) else None
    _answer(dice, rec, form, lead, deal.deal, at, token, regime_at(deal.held[-1] if deal.held else deal.created).satisfaction
            + 1.2 * (deal.seller.skill - 1), email, hidden=True)  # fmt: skip
    if dice.chance(0.015):  # the same person once more: another response
        _answer(dice, rec, form, lead, deal.deal, at + DAY, _token(dice), 0.0, email, hidden=True)


def _unlinked(dice: Dice, rec: Recorder, leads: list[LeadSummary]) -> None:
    """Answers through the public link: by an address that belongs to one lead only, by an unknown one, or by none."""
    typed = Counter(row[5]["email"] for row in rec.rows if row[1] == "lead_created")
    edited = {row[2] for row in rec.rows if row[1] == "lead_field" and row[5]["field"] == "email"}
    now = {row[2]: row[5]["email"] for row in rec.rows if row[1] == "lead_created"}
    later = {row[5]["value"] for row in rec.rows if row[1] == "lead_field" and row[5]["field"] == "email"}
    for lead in leads:
        if lead.duplicates or lead.duplicate_of or lead.lead in edited or not dice.chance(0.02):
            continue
        at = lead.created + dice.between(2, 40) * DAY
        email, roll = now[lead.lead], dice.unit()
        if roll < 0.6 and email and "@" in email and typed[email] == 1 and email not in later:
            _answer(dice, rec, POST_CONSULTATION, lead.lead, None, at, _token(dice), 0.0, email, hidden=False)
        elif roll < 0.8:
            _answer(
                dice,
                rec,
                POST_JOB,
                None,
                None,
                at,
                _token(dice),
                0.0,
                f"neighbour{lead.lead}@elsewhere.example",
                hidden=False,
            )
        else:
            _answer(dice, rec, POST_JOB, None, None, at, _token(dice), 0.0, None, hidden=False)


def _answer(
    dice: Dice,
    rec: Recorder,
    form: str,
    lead: int | None,
    deal: int | None,
    at: float,
    token: str,
    lift: float,
    email: str | None,
    hidden: bool,
) -> None:
    level = dice.around(1, 0.28) * 7.9 + 0.8 * lift
    nps = max(0, min(10, round(level)))
    csat = max(1, min(5, round(level / 2 + dice.between(-0.6, 0.7))))
    rec.add(
        _second(at), "survey_response", lead, deal, None, form_id=form, response_id=token,
        nps_score=nps if dice.chance(0.95) else None, csat_score=csat if dice.chance(0.93) else None,
        comment=dice.pick(COMMENTS) if dice.chance(0.35) else None, email=email, is_hidden_linked=hidden,
    )  # fmt: skip


def _partial(dice: Dice, rec: Recorder, form: str, lead: int | None, deal: int | None, at: float, token: str) -> None:
    rec.add(_second(at), "survey_partial", lead, deal, None, form_id=form, response_id=token,
            nps_score=dice.whole(0, 10) if dice.chance(0.6) else None, csat_score=None, comment=None, email=None,
            is_hidden_linked=True)  # fmt: skip


def _second(ms: float) -> int:
    return int(ms) // SECOND * SECOND


def _token(dice: Dice) -> str:
    return "".join(dice.pick(_TOKEN) for _ in range(24))
