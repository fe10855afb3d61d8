"""The long format of the KPI marts: observations → one row per period, segment and further keys. What is computed is the caller's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from demo.truth.clock import GRAINS, period_starts

SEGMENTS = (
    "branch", "rep", "team", "channel", "campaign", "service_line", "job_type", "customer_type", "process_version", "pipeline",
)  # fmt: skip
KEYS = ["period_grain", "period_start_date", "segment_type", "segment"]
NONE = "(none)"


def rollup(
    frame: pd.DataFrame,
    date: str | None,
    values: Callable[[np.ndarray], dict[str, Any]],
    keys: Sequence[str] = (),
    grains: Sequence[str] = GRAINS,
    segments: Sequence[str] = SEGMENTS,
) -> pd.DataFrame:
    """``values`` of the row numbers of every group. Rows without a date are in the period ``all`` only; a null segment is (none)."""
    rows = []
    for grain, segment_type, codes, labels in _groupings(frame, date, keys, grains, segments):
        order = np.argsort(codes, kind="stable")
        order = order[codes[order] >= 0]
        cuts = np.flatnonzero(np.diff(codes[order])) + 1
        for members in np.split(order, cuts) if len(order) else ():
            period, segment, *key = labels[codes[members[0]]]
            rows.append((grain, period, segment_type, segment, *key, values(members)))
    columns = [*KEYS, *keys]
    head = pd.DataFrame([row[:-1] for row in rows], columns=columns, dtype=object)
    names = list(values(np.arange(0)))  # the columns are the same where there is nothing to compute
    return pd.concat([head, pd.DataFrame([row[-1] for row in rows], columns=names)], axis=1)


def sums(
    frame: pd.DataFrame, date: str | None, columns: Sequence[str], keys: Sequence[str] = (), **options: Any
) -> pd.DataFrame:
    """Sums of whole-number columns of every group; as ``rollup``, but fast."""
    parts = []
    numbers = {name: frame[name].to_numpy(dtype=np.int64) for name in columns}
    for grain, segment_type, codes, labels in _groupings(
        frame, date, keys, options.get("grains", GRAINS), options.get("segments", SEGMENTS)
    ):
        order = np.argsort(codes, kind="stable")
        order = order[codes[order] >= 0]
        starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
        part = pd.DataFrame(labels, columns=["period_start_date", "segment", *keys], dtype=object)
        part.insert(0, "period_grain", grain)
        part.insert(2, "segment_type", segment_type)
        for name, of in numbers.items():
            part[name] = np.add.reduceat(of[order], starts) if len(starts) else np.zeros(0, dtype=np.int64)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)[[*KEYS, *keys, *columns]]


def _groupings(
    frame: pd.DataFrame, date: str | None, keys: Sequence[str], grains: Sequence[str], segments: Sequence[str]
) -> Iterator[tuple[str, str, np.ndarray, list[tuple]]]:
    """Per grain and segment type: the group number of every row (−1: in none), and (period, segment, *keys) of every group."""
    size = len(frame)
    periods = {"all": _coded([None] * size)}
    if date is not None:
        periods |= {grain: _coded(period_starts(list(frame[date]), grain)) for grain in grains}
    named = {"total": _coded(["total"] * size)}
    named |= {name: _coded(frame[name].astype(object).where(frame[name].notna(), NONE)) for name in segments}
    further = [_coded(frame[key].astype(object)) for key in keys]
    for grain, (starts, days) in periods.items():
        known = np.ones(size, dtype=bool)
        if grain != "all":
            known = np.array([day is not None for day in days], dtype=bool)[starts] if days else known
        for segment_type, segment in named.items():
            parts = [(starts, days), segment, *further]
            number = np.zeros(size, dtype=np.int64)
            for places, words in parts:
                number = number * len(words) + places
            found, place = np.unique(number[known], return_inverse=True)
            codes = np.full(size, -1, dtype=np.int64)
            codes[known] = place
            labels = []
            for one in found.tolist():
                label = []
                for _, words in reversed(parts):
                    one, at = divmod(one, len(words))
                    label.append(words[at])
                labels.append(tuple(reversed(label)))
            yield grain, segment_type, codes, labels


def _coded(values: Iterable[Any]) -> tuple[np.ndarray, list[Any]]:
    """The number of each value, and the values by their number."""
    known: dict[Any, int] = {}
    numbers = [known.setdefault(value, len(known)) for value in values]
    return np.array(numbers, dtype=np.int64), list(known)
