"""The chain from the appointment to the money: appointments held, estimates sold, jobs done, invoices and payments. docs/kpis/chain.md."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pandas as pd

from demo.truth.clock import local_date, local_days
from demo.truth.facts import Facts
from demo.truth.records import Deal

APPOINTMENTS = ("held", "no_show", "canceled")


def appointments(outcome: str) -> Callable[[Facts], pd.DataFrame]:
    """Appointments of counted records whose time has come and of which is known what became of them. It is so: ``outcome``."""

    def observe(facts: Facts) -> pd.DataFrame:
        rows = []
        for activity in facts.book.activities:
            if activity.type != "meeting" or activity.outcome not in APPOINTMENTS or activity.at > facts.book.as_of:
                continue
            lead = activity.lead or (activity.deal.lead if activity.deal else None)
            record = next((one for one in (activity.deal, lead) if one is not None and one.counts), None)
            if record is None:
                continue
            day = local_date(activity.at, record.zone)
            rep = activity.rep or record.owner_at(activity.created)
            rows.append({"on": day, "y": int(activity.outcome == outcome), **facts.segments(record, rep, day)})
        return facts.frame(rows, ["on", "y"])

    return observe


def _deals(facts: Facts, observe: Callable[[Deal], tuple[datetime, float | None] | None]) -> pd.DataFrame:
    """One row for each counted deal of which ``observe`` tells a moment and a number; rep and process version: of the moment
    when it was offered, else when it was created."""
    rows = []
    for deal in facts.book.counted_deals():
        seen = observe(deal)
        if seen is not None:
            day = local_date(seen[0], deal.zone)
            owned = _presented(deal) or deal.created
            segments = facts.segments(deal, deal.owner_at(owned), local_date(owned, deal.zone))
            rows.append({"on": day, "y": seen[1], **segments})
    return facts.frame(rows, ["on", "y"])


def _presented(deal: Deal) -> datetime | None:
    return min((at for at, _ in deal.offers), default=None)


def estimates_sold(facts: Facts) -> pd.DataFrame:
    """Deals with an estimate, by the day on which the customer got it. It is so: the deal is won now."""

    def observe(deal: Deal) -> tuple[datetime, float | None] | None:
        at = _presented(deal)
        return None if at is None else (at, int(facts.journeys.of_deal[deal.id].state == "won"))

    return _deals(facts, observe)


def options(facts: Facts) -> pd.DataFrame:
    """How many options the customer was offered."""

    def observe(deal: Deal) -> tuple[datetime, float | None] | None:
        at, known = _presented(deal), [count for _, count in deal.offers if count is not None]
        return (at, sum(known)) if at is not None and known else None

    return _deals(facts, observe)


def unsold(part: str) -> Callable[[Facts], pd.DataFrame]:
    """Deals that are open longer after their first estimate than the last open stage allows: count, amount or age in days."""

    def observe(facts: Facts) -> pd.DataFrame:
        limit = facts.book.settings.open_stages[-1].days_in_stage

        def one(deal: Deal) -> tuple[datetime, float | None] | None:
            at = _presented(deal)
            if at is None or limit is None or not facts.journeys.of_deal[deal.id].is_open:
                return None
            age = local_days(at, facts.book.as_of, deal.zone)
            if age is None or age <= limit:
                return None
            return at, {"count": 1, "amount": (deal.cents or 0) / 100, "age": age}[part]

        return _deals(facts, one)

    return observe


def jobs_completed(facts: Facts) -> pd.DataFrame:
    """Jobs by the day on which they were made. It is so: the work is done."""
    return _deals(
        facts, lambda deal: (deal.job_created, int(deal.job_completed is not None)) if deal.job_created else None
    )


def days_to_invoice(facts: Facts) -> pd.DataFrame:
    """Days from the end of the work to the first invoice, by the day of the invoice; one sent before: 0."""

    def observe(deal: Deal) -> tuple[datetime, float | None] | None:
        sent = min((at for at, _ in deal.invoices), default=None)
        if sent is None or deal.job_completed is None:
            return None
        return sent, max(0.0, local_days(deal.job_completed, sent, deal.zone) or 0.0)

    return _deals(facts, observe)


def days_to_pay(facts: Facts) -> pd.DataFrame:
    """Days from the first invoice to the moment at which all was paid, by the day of the latter."""

    def observe(deal: Deal) -> tuple[datetime, float | None] | None:
        if not deal.invoices:
            return None
        owed = sum(cents for _, cents in deal.invoices)
        for at, cents in sorted(deal.payments):
            owed -= cents
            if owed <= 0:
                return at, local_days(min(deal.invoices)[0], at, deal.zone)
        return None

    return _deals(facts, observe)


def collected(facts: Facts) -> pd.DataFrame:
    """Payments by their day; rep = the deal's owner then."""
    rows = []
    for deal in facts.book.counted_deals():
        for at, cents in deal.payments:
            day = local_date(at, deal.zone)
            rows.append({"on": day, "y": cents / 100, **facts.segments(deal, deal.owner_at(at), day)})
    return facts.frame(rows, ["on", "y"])
