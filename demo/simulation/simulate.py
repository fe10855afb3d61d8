"""The simulation's entry: from a seed to the company's event log. The parts are played in ``leads``, ``deals``, ``telephone``,
``aftermath``, ``work``, ``surveys`` and ``web``; nothing is read from outside.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta

import numpy as np
import pandas as pd

from demo.log import CompanyLog, to_ms
from demo.simulation import aftermath, surveys, telephone, web, work
from demo.simulation.clock import DAY, HOUR, MINUTE, Dice
from demo.simulation.deals import Customer, DealJourneys
from demo.simulation.leads import Arrival, LeadJourneys, LeadSummary, arrivals
from demo.simulation.people import Clerk, home_branch, new_person
from demo.simulation.record import Recorder, close
from demo.simulation.world import (
    AS_OF,
    AS_OF_MS,
    BRANCH_WEIGHTS,
    BRANCHES,
    CHANGE_AT,
    COMPANY_ZONE,
    DAYS,
    JOBS,
    LINE_WEIGHTS,
    REPS,
    open_hours,
    regime_at,
    reps_at,
)

INQUIRIES = 5_640  # at scale 1, without those that come back
DEALS_WITHOUT_LEAD = 95
QUIET = HOUR  # nothing happens in the last hour before as_of: it is left for ``mutate``


def simulate(seed: int, scale: float = 1.0, days: int = DAYS) -> CompanyLog:
    """Two years of the company, or its last ``days``. Pure: the same arguments give the same log.

    ``scale`` multiplies the volumes (1.0: some 6,000 leads in two years); ValueError unless 0 < scale.
    """
    if scale <= 0:
        raise ValueError(f"scale must be above 0, not {scale}")
    start, share = AS_OF - timedelta(days=days), scale * days / DAYS
    arriving, living, asking, browsing, ringing, working = (
        np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(6)
    )
    dice, rec = Dice(living), Recorder()
    hours, clerk = open_hours(), Clerk(dice)
    deals = DealJourneys(dice, rec, clerk, hours)
    leads = LeadJourneys(dice, rec, clerk, hours, deals)
    for arrival in arrivals(arriving, max(1, round(INQUIRIES * share)), start):
        _come_back(dice, leads, leads.play(arrival), arrival)
    _deals_without_lead(dice, deals, clerk, max(1, round(DEALS_WITHOUT_LEAD * share)), to_ms(start))
    surveys.play(Dice(asking), rec, deals.deals, leads.leads)
    calls = telephone.complete(Dice(ringing), rec)
    nobodys = list(arrivals(ringing, max(1, round(telephone.OTHERS * calls)), start))
    telephone.others(Dice(ringing), rec, hours, nobodys)
    lead_plan, deal_plan = aftermath.plan_leads(dice, leads.leads), aftermath.plan_deals(dice, deals.deals)
    aftermath.reassign(dice, rec, leads.leads, lead_plan)
    aftermath.apply(rec, lead_plan, deal_plan)
    aftermath.depart(dice, rec, lead_plan, deal_plan)
    work.play(Dice(working), rec)
    rows = rec.in_order()
    forms = [(row[0], row[5]["channel"]) for row in rows if row[1] == "lead_created" and row[5]["created_by"] == "form"]
    return CompanyLog(
        seed=seed,
        scale=scale,
        start=start,
        change_at=CHANGE_AT,
        as_of=AS_OF,
        timezone=COMPANY_ZONE,
        reps=_reps(),
        branches=pd.DataFrame([{"branch": b.key, "label": b.label, "timezone": b.timezone} for b in BRANCHES.values()]),
        events=close(rows, AS_OF_MS - QUIET),
        web_events=web.play(browsing, forms, scale, to_ms(start)),
    )


def _come_back(dice: Dice, leads: LeadJourneys, first: LeadSummary, arrival: Arrival) -> None:
    """Some people ask twice within a day or so (a duplicate), some return months later with another wish."""
    again, ms = first, arrival.ms
    chance = 0.032
    while dice.chance(chance):
        ms = int(ms + dice.around(7, 1.0) * HOUR)
        if ms >= AS_OF_MS:
            return
        again = leads.play(
            Arrival(ms, arrival.service_line, arrival.branch, of=first.person, again=True), duplicate_of=again
        )
        chance = 0.3
    if dice.chance(0.03):
        ms = int(ms + dice.between(20, 400) * DAY)
        if ms < AS_OF_MS:
            line = dice.pick(tuple(LINE_WEIGHTS))
            leads.play(Arrival(ms, line, arrival.branch, of=first.person))


def _deals_without_lead(dice: Dice, deals: DealJourneys, clerk: Clerk, count: int, start_ms: int) -> None:
    """Reps open deals for customers they know, without a lead."""
    hours = open_hours()
    for number in range(count):
        branch = dice.weighted(BRANCH_WEIGHTS)
        ms = hours[branch].after(int(dice.between(start_ms, AS_OF_MS - 2 * HOUR)), dice.between(1, 60) * MINUTE)
        line = dice.pick(tuple(LINE_WEIGHTS))
        truth = {"branch": branch, "service_line": line, "job_type": dice.weighted(JOBS[line])}
        person = new_person(dice, home_branch(branch), 900_000 + number)
        seller = dice.pick(reps_at(branch, "sales_rep", ms))
        deals.open(
            ms, Customer(None, ms, person, branch, dict(truth), truth), seller, regime_at(ms), booked_by="person"
        )


def _reps() -> pd.DataFrame:
    rows = [
        {**asdict(rep), "name": rep.name, "email": rep.email, "is_active": rep.left is None} for rep in REPS.values()
    ]
    columns = ["rep_id", "name", "first_name", "last_name", "email", "team", "branch", "role", "is_active"]
    return pd.DataFrame(rows)[columns]
