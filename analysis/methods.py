"""The forecasting methods: one number per segment, from what was known at one lock. Formulas: docs/kpis/forecast.md.

A method returns whole cents per segment (float64 holds them exactly), rounded once, half to even, or None where it makes no
forecast. Reading deals belongs to ``snapshots``, intervals to ``intervals``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

import numpy as np

from analysis.grid import Period, month_code
from analysis.snapshots import AGE_BUCKETS, DealHistory, OpenRows, Snapshot

SHRINKAGE = 10
NEW_DEAL_MONDAYS = 52
_NEAR_TIE = 1e-4  # cents; far more than a float sum can be off


def segment_sums(codes: np.ndarray, values: np.ndarray, segments: int) -> np.ndarray:
    """Sum of ``values`` per segment code, float64, length ``segments``."""
    return np.bincount(codes, weights=values, minlength=segments)


class SeasonalNaive:
    """The same month of the year before; where the data do not reach back so far, the mean of the complete months."""

    name = "seasonal_naive"

    def __init__(self, history: DealHistory, data_start: date) -> None:
        self._history = history
        self._first_complete = month_code(data_start) + (data_start.day > 1)

    def forecast(self, lock: int, known: Snapshot, period: Period) -> dict[str, np.ndarray] | None:
        """Cents per level and segment."""
        months: Sequence[int]
        if period.month - 12 >= self._first_complete:
            months = [period.month - 12]
        else:
            # Of the months before the running one every day is over at a Monday of the running one.
            months = range(self._first_complete, month_code(self._history.grid.mondays[lock]))
        if not months:
            return None
        counted = (known.won_month >= months[0]) & (known.won_month <= months[-1])
        cents = known.cents[counted]
        return {
            level: np.rint(segment_sums(codes[counted], cents, len(self._history.names[level])) / len(months))
            for level, codes in known.segments.items()
        }


@dataclass(frozen=True)
class _Learned:
    """Deals and wins per cell of the learning Mondays, and the known amounts of the deals won so far."""

    deals: np.ndarray
    wins: np.ndarray
    sold_cents: int
    sold_deals: int

    def chances(self) -> np.ndarray:
        """Shrunk share of wins per cell: the cell's to its stage's, the stage's to all."""
        return win_chances(self.deals, self.wins)

    def mean_cents(self) -> float:
        """Mean amount of what was sold; 0 before the first sale."""
        return self.sold_cents / self.sold_deals if self.sold_deals else 0.0


class StageAgePipeline:
    """Won so far + open deals × learned chance of their stage and age + what deals not yet created usually bring."""

    name = "stage_age_pipeline"

    def __init__(self, history: DealHistory) -> None:
        self._history = history
        self._rows: OpenRows = history.open_rows()
        self._cells = max(len(history.stages), 1) * AGE_BUCKETS
        self._shifted: dict[int, np.ndarray] = {}

    def forecast(self, lock: int, known: Snapshot, period: Period) -> dict[str, np.ndarray] | None:
        """Cents per level and segment."""
        weeks = -(-(period.gap + period.days) // 7)  # the newest learning Monday is so many Mondays before the lock
        learning = lock - weeks + 1
        if learning <= 0:
            return None
        opens, closes = self._window(period.gap), self._window(period.gap + period.days)
        learned = self._learn(known, learning, opens, closes)
        cell = known.stage * AGE_BUCKETS + known.age
        amount = np.where(known.has_amount, known.cents, learned.mean_cents())
        expected = np.where(known.is_open, amount * learned.chances()[cell], 0.0)
        new = self._new_deals(known, learning, opens, closes)
        won = np.where(known.won_month == period.month, known.cents, 0)
        mondays = min(learning, NEW_DEAL_MONDAYS)
        totals = {}
        for level, codes in known.segments.items():
            size = len(self._history.names[level])
            sure, fresh = segment_sums(codes, won, size), segment_sums(codes, new, size)
            totals[level] = sure + fresh / mondays + segment_sums(codes, expected, size)
            for segment in np.flatnonzero(np.abs(totals[level] % 1 - 0.5) < _NEAR_TIE):
                mine = known.is_open & (codes == segment)
                known_part = int(sure[segment]) + Fraction(int(fresh[segment]), mondays)
                totals[level][segment] = round(known_part + _expected_exactly(learned, cell[mine], known, mine))
        return {level: np.rint(cents) for level, cents in totals.items()}

    def _window(self, days: int) -> np.ndarray:
        if days not in self._shifted:
            self._shifted[days] = self._history.grid.shifted(days)
        return self._shifted[days]

    def _learn(self, known: Snapshot, learning: int, opens: np.ndarray, closes: np.ndarray) -> _Learned:
        end = self._rows.start[learning]
        monday, cell = self._rows.monday[:end], self._rows.cell[:end]
        won_at = known.won_at[self._rows.deal[:end]]
        wins = (won_at > opens[monday]) & (won_at <= closes[monday])
        sold = known.is_won & known.has_amount
        return _Learned(
            deals=np.bincount(cell, minlength=self._cells),
            wins=np.bincount(cell[wins], minlength=self._cells),
            sold_cents=int(known.cents[sold].sum()),
            sold_deals=int(sold.sum()),
        )

    def _new_deals(self, known: Snapshot, learning: int, opens: np.ndarray, closes: np.ndarray) -> np.ndarray:
        """Amount × number of the newest learning Mondays for which the deal was new and won in the window."""
        first = max(0, learning - NEW_DEAL_MONDAYS)
        at, opens, closes = self._history.grid.at[first:learning], opens[first:learning], closes[first:learning]
        deals = np.flatnonzero(known.is_won)
        created, won_at = self._history.created[deals], known.won_at[deals]
        # Mondays ascend, so those that fit are a range: closes >= win, opens < win, Monday < creation.
        begin = np.searchsorted(closes, won_at, side="left")
        end = np.minimum(np.searchsorted(opens, won_at, side="left"), np.searchsorted(at, created, side="left"))
        times = np.zeros(self._history.size, dtype=np.int64)
        times[deals] = np.maximum(end - begin, 0)
        return times * known.cents


def _expected_exactly(learned: _Learned, cells: np.ndarray, known: Snapshot, mine: np.ndarray) -> Fraction:
    """P of a segment as a fraction: floats can't tell which side of half a cent they are on."""
    all_deals, all_wins = int(learned.deals.sum()), int(learned.wins.sum())
    overall = Fraction(all_wins, all_deals) if all_deals else Fraction(0)
    mean = Fraction(learned.sold_cents, learned.sold_deals) if learned.sold_deals else Fraction(0)
    total = Fraction(0)
    for cell in np.unique(cells):
        stage = slice(cell // AGE_BUCKETS * AGE_BUCKETS, (cell // AGE_BUCKETS + 1) * AGE_BUCKETS)
        of_stage = (int(learned.wins[stage].sum()) + SHRINKAGE * overall) / (
            int(learned.deals[stage].sum()) + SHRINKAGE
        )
        chance = (int(learned.wins[cell]) + SHRINKAGE * of_stage) / (int(learned.deals[cell]) + SHRINKAGE)
        here = cells == cell
        known_cents = int(known.cents[mine][here & known.has_amount[mine]].sum())
        total += chance * (known_cents + int((here & ~known.has_amount[mine]).sum()) * mean)
    return total


def win_chances(deals: np.ndarray, wins: np.ndarray) -> np.ndarray:
    """Shrunk share of wins per cell (stage × age bucket, flattened): cell to its stage, stage to all, weight 10 each."""
    deals, wins = deals.reshape(-1, AGE_BUCKETS), wins.reshape(-1, AGE_BUCKETS)
    overall = wins.sum() / deals.sum() if deals.sum() else 0.0
    stage = (wins.sum(axis=1) + SHRINKAGE * overall) / (deals.sum(axis=1) + SHRINKAGE)
    return ((wins + SHRINKAGE * stage[:, None]) / (deals + SHRINKAGE)).reshape(-1)


def methods(history: DealHistory, data_start: date) -> list[SeasonalNaive | StageAgePipeline]:
    """All methods on ``history``. ``data_start``: local date on which the first counted deal was created."""
    return [SeasonalNaive(history, data_start), StageAgePipeline(history)]
