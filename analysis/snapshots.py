"""What was known about every deal at a moment: state, amount, owner, segments. No forecasting here (``methods``).

All arrays are over the counted deals in one fixed order. Times are UTC microseconds, money is integer cents.
The rules are docs/kpis/forecast.md; nothing later than the moment asked for is ever looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import duckdb
import numpy as np
import pandas as pd

from analysis.grid import Grid

OPEN, WON, CLOSED = 0, 1, 2
NEVER = np.iinfo(np.int64).max
NONE = "(none)"
LEVELS = ("total", "rep", "branch", "service_line")
_AGE_EDGES = np.array([1, 2, 3, 4, 8])  # whole weeks: 0, 1, 2, 3, 4-7, 8+
AGE_BUCKETS = len(_AGE_EDGES) + 1
_WEEK = 7 * 24 * 3600 * 1_000_000

_DEALS = """
    select
        deals.deal_id, deals.case_id, deals.created_at, deals.created_date, deals.branch, deals.service_line,
        cast(deals.amount * 100 as bigint) as cents, deals.rep_current as rep
    from marts.fct_deal as deals
    where deals.created_at <= $as_of
    order by deals.deal_id
"""
_LEDGER = """
    select
        deals.deal_id, moves.to_stage as stage, stages.kind, moves.moved_at,
        year(moves.moved_date) * 12 + month(moves.moved_date) - 1 as month
    from marts.fct_stage_transition as moves
    inner join marts.fct_deal as deals on moves.case_id = deals.case_id
    inner join process.stages as stages on moves.to_stage = stages.stage
    where moves.moved_at <= $as_of
    order by deals.deal_id, moves.sequence
"""
_AMOUNTS = """
    select
        history.subject_id as deal_id, history.at,
        cast(cast(round(try_cast(history.value as decimal(20, 2)) * deals.exchange_rate, 2) as decimal(18, 2)) * 100 as bigint) as cents
    from intermediate.int_field_history as history
    inner join marts.fct_deal as deals on history.subject_id = deals.deal_id
    where history.subject_type = 'deal' and history.field = 'amount' and history.at <= $as_of
        and not coalesce(try_cast(history.value as decimal(18, 2)) not between 0 and 1000000000000, false)
    order by history.subject_id, history.at, history.source_order, history.value
"""
_OWNERS = """
    select history.subject_id as deal_id, history.at, users.rep
    from intermediate.int_field_history as history
    left join marts.dim_user as users on history.value = users.user_id
    where history.subject_type = 'deal' and history.field = 'owner_id' and history.at <= $as_of
    order by history.subject_id, history.at, history.source_order, history.value
"""


class AsOf:
    """Values of one field over time, per deal, for "the newest at or before" in O(log n) on the Mondays of a grid.

    ``deal``: deal index of each entry, ``index``: the first Monday at which it is known; both in order of deal and time.
    """

    def __init__(self, deals: int, mondays: int, deal: np.ndarray, index: np.ndarray) -> None:
        self._width = mondays + 1
        self._key = deal * self._width + index
        self._deal = deal
        self._deals = np.arange(deals)
        self.first = np.searchsorted(deal, self._deals, side="left")
        self.has_any = np.bincount(deal, minlength=deals) > 0

    def at(self, monday: int) -> np.ndarray:
        """Entry of every deal at Monday ``monday``: its position, -1 where there is none yet."""
        position = np.searchsorted(self._key, self._deals * self._width + monday, side="right") - 1
        return np.where(_or_last(self._deal, -1)[position] == self._deals, position, -1)


@dataclass(frozen=True)
class Snapshot:
    """Everything known at one Monday; arrays over all deals. ``won_at`` is NEVER where the deal is not won then.

    ``cents`` holds 0 where ``has_amount`` is false. ``segments``: per level the code into ``DealHistory.names``.
    """

    at: int
    exists: np.ndarray
    is_open: np.ndarray
    is_won: np.ndarray
    stage: np.ndarray
    age: np.ndarray
    won_at: np.ndarray
    won_month: np.ndarray
    cents: np.ndarray
    has_amount: np.ndarray
    segments: dict[str, np.ndarray]


@dataclass(frozen=True)
class OpenRows:
    """One row per deal and Monday at which it was open, by Monday. ``start[m]``: first row of Monday m (length M + 1)."""

    deal: np.ndarray
    monday: np.ndarray
    cell: np.ndarray
    start: np.ndarray


def _or_last(values: np.ndarray, default: int | bool) -> np.ndarray:
    """``values`` with ``default`` behind them, so that position -1 ("no entry") reads the default, also without any entry."""
    return np.append(values, np.array([default], dtype=values.dtype))


def _times(values: pd.Series) -> np.ndarray:
    return values.to_numpy(dtype="datetime64[us]").astype(np.int64)


def win_entries(deal: np.ndarray, kind: np.ndarray, is_won_stage: np.ndarray) -> np.ndarray:
    """Position of the entry that made the win, for each entry of a stay in won or post-sale stages (else any number).

    The last entry into a won stage of the stay so far; where there is none, the first entry of the stay.
    """
    goes_on = np.zeros(len(deal), dtype=bool)
    goes_on[1:] = (deal[1:] == deal[:-1]) & (kind[1:] == WON) & (kind[:-1] == WON)
    own = is_won_stage | ~goes_on
    return np.maximum.accumulate(np.where(own, np.arange(len(deal)), 0))


def age_bucket(elapsed: np.ndarray) -> np.ndarray:
    """Bucket (0-5) of an age in microseconds."""
    return np.searchsorted(_AGE_EDGES, elapsed // _WEEK, side="right")


class DealHistory:
    """The counted deals with their ledger, amounts and owners, on a grid of Mondays."""

    def __init__(self, con: duckdb.DuckDBPyConnection, deals: pd.DataFrame, grid: Grid, as_of: datetime) -> None:
        self.grid = grid
        self.size = len(deals)
        self.created = _times(deals["created_at"])
        self._cents_now = deals["cents"].fillna(0).to_numpy(dtype=np.int64)
        self._has_amount_now = deals["cents"].notna().to_numpy()
        index = pd.Index(deals["deal_id"])
        parameters = {"as_of": as_of}
        self._read_ledger(con.execute(_LEDGER, parameters).df(), index)
        self._read_amounts(con.execute(_AMOUNTS, parameters).df(), index)
        owners = con.execute(_OWNERS, parameters).df()
        self._read_segments(deals, owners, index)

    def _placed(self, rows: pd.DataFrame, index: pd.Index) -> tuple[pd.DataFrame, AsOf]:
        deal = index.get_indexer(rows["deal_id"])
        rows = rows[deal >= 0].reset_index(drop=True)
        deal = deal[deal >= 0].astype(np.int64)
        time = rows.columns[rows.columns.isin(["moved_at", "at"])][0]
        rows["time"] = _times(rows[time])
        order = np.lexsort((np.arange(len(rows)), deal))
        rows, deal = rows.iloc[order].reset_index(drop=True), deal[order]
        rows["deal"] = deal
        known = np.searchsorted(self.grid.at, rows["time"].to_numpy(), side="left")
        return rows, AsOf(self.size, len(self.grid.at), deal, known)

    def _read_ledger(self, rows: pd.DataFrame, index: pd.Index) -> None:
        rows, self._ledger = self._placed(rows, index)
        codes, stages = pd.factorize(rows["stage"], sort=True)
        self.stages = list(stages)
        kinds = rows["kind"].map({"open": OPEN, "won": WON, "post_sale": WON}).fillna(CLOSED).to_numpy(dtype=np.int64)
        self._row_deal = rows["deal"].to_numpy(dtype=np.int64)
        self._stage = _or_last(codes.astype(np.int64), 0)
        self._kind = _or_last(kinds, CLOSED)
        self._entered = _or_last(rows["time"].to_numpy(dtype=np.int64), 0)
        self._win = _or_last(win_entries(self._row_deal, kinds, (rows["kind"] == "won").to_numpy()), -1)
        self._month = _or_last(rows["month"].fillna(-1).to_numpy(dtype=np.int64), -1)

    def _read_amounts(self, rows: pd.DataFrame, index: pd.Index) -> None:
        rows, self._amounts = self._placed(rows, index)
        self._amount_cents = _or_last(rows["cents"].fillna(0).to_numpy(dtype=np.int64), 0)
        self._amount_known = _or_last(rows["cents"].notna().to_numpy(dtype=bool), False)

    def _read_segments(self, deals: pd.DataFrame, owners: pd.DataFrame, index: pd.Index) -> None:
        owners, self._owners = self._placed(owners, index)
        self.names: dict[str, list[str]] = {"total": ["total"]}
        self._fixed = {"total": np.zeros(self.size, dtype=np.int64)}
        for level in ("branch", "service_line"):
            codes, names = pd.factorize(deals[level].fillna(NONE), sort=True)
            self._fixed[level], self.names[level] = codes.astype(np.int64), list(names)
        reps = pd.concat([deals["rep"], owners["rep"]]).fillna(NONE)
        codes, names = pd.factorize(reps, sort=True)
        names = list(names)
        if NONE not in names:
            names.append(NONE)
        self.names["rep"] = names
        self._rep_now = codes[: self.size].astype(np.int64)
        self._owner_rep = _or_last(codes[self.size :].astype(np.int64), names.index(NONE))
        self._owner_at_entry = self._newest_owner(owners)

    def _newest_owner(self, owners: pd.DataFrame) -> np.ndarray:
        """Position of the newest owner entry at or before each ledger entry; -1 where there is none (and behind the last)."""
        entries = pd.DataFrame({"deal": self._row_deal, "time": self._entered[:-1]}).reset_index()
        history = owners[["deal", "time"]].reset_index(names="position")
        found = pd.merge_asof(
            entries.sort_values("time", kind="stable"), history.sort_values("time", kind="stable"), on="time", by="deal"
        ).sort_values("index")
        return _or_last(found["position"].fillna(-1).to_numpy(dtype=np.int64), -1)

    def _reps(self, monday: int, win: np.ndarray, is_won: np.ndarray) -> np.ndarray:
        known = self._owners.at(monday)
        at_win = self._owner_at_entry[win]
        # Before the first owner entry: that entry, if it is known by now.
        first = np.where(known >= 0, self._owners.first, -1)
        position = np.where(is_won, np.where(at_win >= 0, at_win, first), known)
        return np.where(self._owners.has_any, self._owner_rep[position], self._rep_now)

    def snapshot(self, monday: int) -> Snapshot:
        """All that is known at Monday number ``monday``."""
        at = int(self.grid.at[monday])
        row = self._ledger.at(monday)
        exists = (self.created <= at) & (row >= 0)
        kind = np.where(exists, self._kind[row], CLOSED)
        is_open, is_won = exists & (kind == OPEN), exists & (kind == WON)
        entered, win = self._entered[row], self._win[row]
        entry, dated = self._amounts.at(monday), self._amounts.has_any
        return Snapshot(
            at=at,
            exists=exists,
            is_open=is_open,
            is_won=is_won,
            stage=self._stage[row],
            age=age_bucket(at - entered),
            won_at=np.where(is_won, self._entered[win], NEVER),
            won_month=np.where(is_won, self._month[win], -1),
            cents=np.where(dated, self._amount_cents[entry], self._cents_now),
            has_amount=np.where(dated, self._amount_known[entry], self._has_amount_now),
            segments={**self._fixed, "rep": self._reps(monday, win, is_won)},
        )

    def open_rows(self) -> OpenRows:
        """The deals open at each Monday with their cell (stage, age bucket) then: what rates are learned from."""
        mondays, entered, deal = self.grid.at, self._entered[:-1], self._row_deal
        left = np.full(len(entered), NEVER)
        left[:-1] = np.where(deal[1:] == deal[:-1], entered[1:], NEVER)
        begin = np.searchsorted(mondays, np.maximum(entered, self.created[deal]), side="left")
        end = np.searchsorted(mondays, left, side="left")
        count = np.where(self._kind[:-1] == OPEN, np.maximum(end - begin, 0), 0)
        row = np.repeat(np.arange(len(count)), count)
        offset = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
        monday = begin[row] + offset
        order = np.argsort(monday, kind="stable")
        row, monday = row[order], monday[order]
        age = age_bucket(mondays[monday] - self._entered[row])
        return OpenRows(
            deal=self._row_deal[row],
            monday=monday,
            cell=self._stage[row] * AGE_BUCKETS + age,
            start=np.searchsorted(monday, np.arange(len(mondays) + 1), side="left"),
        )


def read_deals(con: duckdb.DuckDBPyConnection, as_of: datetime) -> pd.DataFrame:
    """The counted deals created up to ``as_of``, one row each, ordered by id."""
    return con.execute(_DEALS, {"as_of": as_of}).df()
