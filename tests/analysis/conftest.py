"""Small random sales histories in the warehouse's tables, and the forecast computed from them the slow, plain way."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

ZONE = ZoneInfo("America/Chicago")
STAGES = {
    "inquiry": "open",
    "consultation": "open",
    "quote": "open",
    "won": "won",
    "lost": "lost",
    "paid": "post_sale",
}
START = datetime(2024, 1, 9, 15, 0)


@dataclass
class Deal:
    """One deal with all that ever happened to it. ``moves``: (at, stage). ``amounts``, ``owners``: (at, value)."""

    deal_id: str
    created_at: datetime
    branch: str | None
    service_line: str | None
    moves: list[tuple[datetime, str]]
    amounts: list[tuple[datetime, int | None]]
    owners: list[tuple[datetime, str | None]]
    amount_now: int | None = None
    rep_now: str | None = None

    def until(self, moment: datetime) -> Deal:
        """The deal as it was at ``moment``."""
        known = Deal(
            self.deal_id, self.created_at, self.branch, self.service_line, [], [], [], self.amount_now, self.rep_now
        )
        known.moves = [entry for entry in self.moves if entry[0] <= moment]
        known.amounts = [entry for entry in self.amounts if entry[0] <= moment]
        known.owners = [entry for entry in self.owners if entry[0] <= moment]
        if self.amounts:
            known.amount_now = known.amounts[-1][1] if known.amounts else None
        if self.owners:
            known.rep_now = known.owners[-1][1] if known.owners else None
        return known


@dataclass
class Company:
    deals: list[Deal] = field(default_factory=list)

    def until(self, moment: datetime) -> Company:
        return Company([deal.until(moment) for deal in self.deals if deal.created_at <= moment])


def random_company(seed: int, deals: int = 60, days: int = 300) -> Company:
    """A company with reopened, paid, undated, re-owned and re-priced deals; some without one history or another."""
    rng = random.Random(seed)
    company = Company()
    for number in range(deals):
        created = START + timedelta(seconds=0 if number == 0 else rng.randrange(days * 86_400))
        at = created - timedelta(days=rng.choice([0, 0, 3]))
        moves: list[Any] = []
        stages = ["inquiry", "consultation", "quote", rng.choice(["won", "won", "lost", "quote"])]
        if rng.random() < 0.25:
            stages += ["quote", rng.choice(["won", "lost"])]
        if stages[-1] == "won" and rng.random() < 0.3:
            stages += ["paid"]
        if rng.random() < 0.05:
            stages = []
        for stage in stages:
            if not moves or moves[-1][1] != stage:
                moves.append((at, stage))
            at += timedelta(seconds=rng.randrange(20 * 86_400))
        amounts = [
            (created + timedelta(days=rng.randrange(0, 30)), rng.choice([None, rng.randrange(100_00, 9_000_00)]))
            for _ in range(rng.choice([0, 1, 1, 2]))
        ]
        owners = [
            (created + timedelta(days=rng.choice([0, 0, 1, 12, 25])), rng.choice(["ann", "bob", "cyd", None]))
            for _ in range(rng.choice([0, 1, 1, 3]))
        ]
        deal = Deal(
            f"crm:{number:04}",
            created,
            rng.choice(["north", "west", None]),
            rng.choice(["hvac", "plumbing"]),
            moves,
            sorted(amounts, key=lambda entry: entry[0]),
            sorted(owners, key=lambda entry: entry[0]),
        )
        deal.amount_now = deal.amounts[-1][1] if deal.amounts else rng.choice([None, 2_500_00])
        deal.rep_now = deal.owners[-1][1] if deal.owners else rng.choice(["ann", None])
        company.deals.append(deal)
    return company


def warehouse(company: Company) -> duckdb.DuckDBPyConnection:
    """``company`` as the tables that the forecast reads. All branches are in the company's zone."""
    con = duckdb.connect()
    con.execute("""
        create schema marts; create schema intermediate; create schema process;
        create table process.stages (stage varchar, stage_order integer, kind varchar);
        create table marts.fct_deal (
            deal_id varchar, case_id varchar, created_at timestamp, created_date date, branch varchar, service_line varchar,
            amount decimal(18, 2), rep_current varchar, exchange_rate decimal(18, 8)
        );
        create table marts.fct_stage_transition (case_id varchar, sequence integer, to_stage varchar, moved_at timestamp, moved_date date);
        create table marts.dim_user (user_id varchar, rep varchar);
        create table intermediate.int_field_history (
            subject_type varchar, subject_id varchar, field varchar, value varchar, "at" timestamp, source_order bigint
        );
    """)
    con.executemany(
        "insert into process.stages values (?, ?, ?)", [[k, i, v] for i, (k, v) in enumerate(STAGES.items())]
    )
    con.executemany(
        "insert into marts.dim_user values (?, ?)", [[f"crm:{name}", name] for name in ("ann", "bob", "cyd")]
    )
    deals, moves, history = [], [], []
    for deal in company.deals:
        amount = None if deal.amount_now is None else deal.amount_now / 100
        row = [
            deal.deal_id,
            "case " + deal.deal_id,
            deal.created_at,
            local_date(deal.created_at),
            deal.branch,
            deal.service_line,
        ]
        deals.append([*row, amount, deal.rep_now, 1])
        for place, (at, stage) in enumerate(deal.moves):
            moves.append(["case " + deal.deal_id, place, stage, at, local_date(at)])
        for place, (at, cents) in enumerate(deal.amounts):
            history.append(["deal", deal.deal_id, "amount", None if cents is None else str(cents / 100), at, place])
        for place, (at, rep) in enumerate(deal.owners):
            history.append(["deal", deal.deal_id, "owner_id", None if rep is None else "crm:" + rep, at, place])
    for table, rows in (
        ("marts.fct_deal", deals),
        ("marts.fct_stage_transition", moves),
        ("intermediate.int_field_history", history),
    ):
        if rows:
            con.executemany(f"insert into {table} values ({', '.join('?' * len(rows[0]))})", rows)
    return con


def local_date(moment: datetime) -> date:
    return moment.replace(tzinfo=UTC).astimezone(ZONE).date()


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=ZONE).astimezone(UTC).replace(tzinfo=None)


def next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


@dataclass(frozen=True)
class Known:
    """A deal as it is known at a moment."""

    state: str
    stage: str
    entered: datetime
    won_at: datetime | None
    month: date | None
    cents: int | None
    segments: dict[str, str]


def newest(entries: list, moment: datetime) -> Any:
    found = [value for at, value in entries if at <= moment]
    return found[-1] if found else None


def known(deal: Deal, moment: datetime) -> Known | None:
    """docs/kpis/forecast.md, "Known at L", read word by word; None where the deal does not exist."""
    moves = [move for move in deal.moves if move[0] <= moment]
    if deal.created_at > moment or not moves:
        return None
    entered, stage = moves[-1]
    state = STAGES[stage]
    won_at = None
    if state in ("won", "post_sale"):
        stay: list[Any] = []
        for move in reversed(moves):
            if STAGES[move[1]] not in ("won", "post_sale"):
                break
            stay.insert(0, move)
        wins = [at for at, name in stay if STAGES[name] == "won"]
        won_at = wins[-1] if wins else stay[0][0]
    cents = newest(deal.amounts, moment) if deal.amounts else deal.amount_now
    at = won_at or moment
    if not deal.owners:
        rep = deal.rep_now
    elif any(entry[0] <= at for entry in deal.owners):
        rep = newest(deal.owners, at)
    else:
        rep = deal.owners[0][1] if deal.owners[0][0] <= moment else None
    segments = {
        "total": "total",
        "rep": rep or "(none)",
        "branch": deal.branch or "(none)",
        "service_line": deal.service_line or "(none)",
    }
    state = "won" if won_at else state
    return Known(state, stage, entered, won_at, local_date(won_at).replace(day=1) if won_at else None, cents, segments)


def bucket(since: datetime, moment: datetime) -> int:
    weeks = (moment - since) // timedelta(days=7)
    return weeks if weeks <= 3 else 4 if weeks <= 7 else 5


def horizon_bucket(horizon: int) -> int:
    return 0 if horizon <= 7 else 1 if horizon <= 30 else 2 if horizon <= 60 else 3


def half_even(value: Fraction) -> int:
    return round(value)  # Python rounds a Fraction half to even


def quantile(values: list[int], share: Fraction) -> Fraction:
    ordered = sorted(values)
    place = (len(ordered) - 1) * share
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def slow_forecast(company: Company, as_of: datetime) -> dict[tuple, tuple]:
    """(lock, month, method, level, segment) -> (forecast, low, high, deals open) in cents; plain loops and fractions."""
    company = company.until(as_of)
    created = min(deal.created_at for deal in company.deals)
    data_start = min(local_date(deal.created_at) for deal in company.deals)
    mondays, day = [], created.date() - timedelta(days=created.weekday() + 7)
    while midnight(day) <= as_of:
        if midnight(day) >= created:
            mondays.append(day)
        day += timedelta(days=7)
    states = {monday: {deal.deal_id: known(deal, midnight(monday)) for deal in company.deals} for monday in mondays}
    births = {deal.deal_id: deal.created_at for deal in company.deals}
    locks: dict[tuple, tuple] = {}
    for lock in mondays:
        now = {key: state for key, state in states[lock].items() if state}
        month = lock.replace(day=1)
        while (horizon := (next_month(month) - timedelta(days=1) - lock).days) <= 90:
            for level in ("total", "rep", "branch", "service_line"):
                for segment in {state.segments[level] for state in now.values()}:
                    mine = {key: state for key, state in now.items() if state.segments[level] == segment}
                    opened = sum(state.state == "open" for state in mine.values())
                    for method, cents in (
                        ("seasonal_naive", naive(mine, month, lock, data_start)),
                        ("stage_age_pipeline", pipeline(now, mine, month, lock, mondays, states, births)),
                    ):
                        if cents is None:
                            continue
                        locks[lock, month, method, level, segment] = (half_even(cents), horizon, opened)
            month = next_month(month)
    return {key: (value[0], *ends(key, value, locks, states), value[2]) for key, value in locks.items()}


def naive(mine: dict[str, Known], month: date, lock: date, data_start: date) -> Fraction | None:
    year_before = month.replace(year=month.year - 1)
    months = [year_before]
    if year_before < data_start:
        months, first = [], data_start if data_start.day == 1 else next_month(data_start)
        while next_month(first) <= lock:
            months.append(first)
            first = next_month(first)
    if not months:
        return None
    return Fraction(sum(state.cents or 0 for state in mine.values() if state.month in months), len(months))


def pipeline(
    now: dict, mine: dict, month: date, lock: date, mondays: list[date], states: dict, births: dict
) -> Fraction | None:
    gap = max((month - lock).days, 0)
    days = (next_month(month) - max(lock, month)).days
    learning = [monday for monday in mondays if monday + timedelta(days=gap + days) <= lock]
    if not learning:
        return None
    cells: dict[tuple, list[int]] = {}
    for monday in learning:
        begin, end = midnight(monday + timedelta(days=gap)), midnight(monday + timedelta(days=gap + days))
        for key, then in states[monday].items():
            if then and then.state == "open":
                won_at = now[key].won_at
                cells.setdefault((then.stage, bucket(then.entered, midnight(monday))), []).append(
                    int(bool(won_at and begin < won_at <= end))
                )
    everything = [win for wins in cells.values() for win in wins]
    overall = Fraction(sum(everything), len(everything)) if everything else Fraction(0)
    sold = [state.cents for state in now.values() if state.state == "won" and state.cents is not None]
    mean = Fraction(sum(sold), len(sold)) if sold else Fraction(0)
    total = Fraction(sum(state.cents or 0 for state in mine.values() if state.month == month))
    for state in mine.values():
        if state.state == "open":
            same_stage = [win for (stage, _), wins in cells.items() if stage == state.stage for win in wins]
            cell = cells.get((state.stage, bucket(state.entered, midnight(lock))), [])
            stage_share = (sum(same_stage) + 10 * overall) / (len(same_stage) + 10)
            total += (mean if state.cents is None else state.cents) * (sum(cell) + 10 * stage_share) / (len(cell) + 10)
    fresh = 0
    for monday in learning[-52:]:
        begin, end = midnight(monday + timedelta(days=gap)), midnight(monday + timedelta(days=gap + days))
        for key, state in mine.items():
            if state.won_at and births[key] > midnight(monday) and begin < state.won_at <= end:
                fresh += state.cents or 0
    return total + Fraction(fresh, len(learning[-52:]))


def ends(key: tuple, value: tuple, locks: dict, states: dict) -> tuple[int | None, int | None]:
    lock, _, method, level, segment = key
    errors = []
    for (_, month, *rest), other in locks.items():
        if (
            rest == [method, level, segment]
            and next_month(month) <= lock
            and horizon_bucket(other[1]) == horizon_bucket(value[1])
        ):
            actual = sum(
                state.cents or 0
                for state in states[lock].values()
                if state and state.month == month and state.segments[level] == segment
            )
            errors.append(actual - other[0])
    if len(errors) < 8:
        return None, None
    low, high = (half_even(value[0] + quantile(errors, Fraction(tenths, 10))) for tenths in (1, 9))
    return low, high


@dataclass(frozen=True)
class Tools:
    """What the tests use; a fixture, because test modules do not import each other."""

    random_company: Callable[..., Company] = random_company
    warehouse: Callable[[Company], duckdb.DuckDBPyConnection] = warehouse
    slow_forecast: Callable[[Company, datetime], dict] = slow_forecast
    Company: type[Company] = Company
    Deal: type[Deal] = Deal
    zone: str = "America/Chicago"
    start: datetime = START


@pytest.fixture(scope="session")
def tools() -> Tools:
    return Tools()
