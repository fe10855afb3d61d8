"""Answers beside those of another time, or beside targets. What a period, a window of the scorecard or a target is, is said elsewhere: here they are put side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from math import sqrt
from typing import TYPE_CHECKING, Any

from metrics.answers import Answer, Column, Role
from salesgauge.errors import ConfigurationError

if TYPE_CHECKING:
    from metrics.store import MetricStore

# A trend is as long as the windows of the scorecard
PERIODS = 13
COMPARISONS = ("previous_period", "previous_year", "before", "target")
_ENDS: tuple[Role, Role] = ("low", "high")
_COUNTS = ("n", "is_low_n")
_DAYS = {"day": 1, "week": 7}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
# 52 weeks: the same weekdays, as the scorecard has them.
_A_YEAR = {"days": 364, "months": 12}


@dataclass(frozen=True)
class _Back:
    """How far back another period begins."""

    days: int = 0
    months: int = 0

    def of(self, start: date) -> date:
        if self.days:
            return start - timedelta(days=self.days)
        months = start.year * 12 + start.month - 1 - self.months
        return start.replace(year=months // 12, month=months % 12 + 1)

    @property
    def interval(self) -> str:
        return f"{self.days} days" if self.days else f"{self.months} months"


def compared(
    store: MetricStore, metrics: Sequence[str], by: Sequence[str], grain: str | None, where: str | None, to: str
) -> Answer:
    """The answer with further columns of each metric. ``to`` is one of ``COMPARISONS``.

    ``previous_period``, ``previous_year`` (of each period of ``grain``; weeks and days: 52 weeks before) and ``before`` (the newest 13 weeks beside the
    baseline of the scorecard): ``<metric>_before`` with its n, ``<metric>_change`` and its MOVER interval where the values have one. ``target``:
    ``<metric>_target``, ``<metric>_to_target``, ``<metric>_is_met``. ConfigurationError: it can't be compared so.
    """
    if to not in COMPARISONS:
        raise ConfigurationError(f"There is no comparison {to!r}. Comparisons: {', '.join(COMPARISONS)}")
    if to == "target":
        return _with_targets(store, metrics, store.ask(metrics, by, grain, where))
    if to == "before":
        return _with_baseline(store, metrics, by, grain, where)
    if grain is None:
        raise ConfigurationError(f"--compare {to} compares periods: say which, for example --grain month")
    back = _back(grain, to)
    now = then = store.ask(metrics, by, grain, where)
    if where and "metric_time" in where.lower():  # the condition would leave the period before the first one out
        then = store.ask(metrics, by, grain, where, moved=back.interval)
    answer = _beside(now, then, lambda key: (back.of(key[0]) if key[0] else None, *key[1:]))
    as_of = store.as_of_date
    last = max((row[0] for row in answer.rows if row[0]), default=None)
    if last and _back(grain, "previous_period").of(as_of) < last <= as_of:
        answer = replace(
            answer, notes=(*answer.notes, f"The {grain} of {last} is not over: the data are as of {as_of}.")
        )
    return answer


def newest_periods(store: MetricStore, grain: str, where: str | None = None) -> str:
    """``where`` for the newest ``PERIODS`` complete periods of ``grain`` alone: those before the period in which the data end."""
    end = store.period_start(grain, store.as_of_date)
    first = end
    for _ in range(PERIODS):
        first = _back(grain, "previous_period").of(first)
    span = f"metric_time >= '{first}' and metric_time < '{end}'"
    return f"({where}) and {span}" if where else span


def _back(grain: str, to: str) -> _Back:
    if grain in _DAYS:
        return _Back(days=_DAYS[grain] if to == "previous_period" else _A_YEAR["days"])
    return _Back(months=_MONTHS[grain] if to == "previous_period" else _A_YEAR["months"])


def _beside(now: Answer, then: Answer, key_then: Callable[[tuple[Any, ...]], tuple[Any, ...]]) -> Answer:
    """``now`` with the values of ``then`` beside each metric, by key."""
    others = {tuple(row[: then.keys]): dict(zip(then.names, row, strict=True)) for row in then.rows}
    first = min((key[0] for key in others if key and isinstance(key[0], date)), default=None)
    of = {
        column.metric: [one for one in now.columns if one.metric == column.metric] for column in now.columns[now.keys :]
    }
    columns = list(now.columns[: now.keys])
    for group in of.values():
        columns += [*group, *_columns_beside(group)]
    rows = []
    for row in now.rows:
        key, mine = key_then(tuple(row[: now.keys])), dict(zip(now.names, row, strict=True))
        cells = list(row[: now.keys])
        for metric, group in of.items():
            other = others.get(key)
            if other is None:
                is_known = group[0].is_sum and not (isinstance(first, date) and key[0] and key[0] < first)
                other = {metric: 0 if is_known else None, f"{metric}_n": 0, f"{metric}_is_low_n": True}
            cells += [*(mine[column.name] for column in group), other[metric]]
            cells += [other[column.name] for column in group if column.role in _COUNTS]
            cells.append(_difference(mine[metric], other[metric]))
            if any(column.role == "low" for column in group):
                cells += _mover(mine, other, metric)
        rows.append(cells)
    return Answer(tuple(columns), rows, now.notes)


def _columns_beside(group: Sequence[Column]) -> list[Column]:
    metric, unit = group[0].metric, group[0].unit
    before, change = f"{metric}_before", f"{metric}_change"
    columns = [Column(before, "value", before, unit, short="before")]
    columns += [
        Column(f"{before}_{column.role}", column.role, before, unit) for column in group if column.role in _COUNTS
    ]
    columns.append(Column(change, "value", change, unit, is_change=True, short="change"))
    if any(column.role == "low" for column in group):
        columns += [Column(f"{change}_{role}", role, change, unit, is_change=True) for role in _ENDS]
    return columns


def _difference(a: Any, b: Any) -> Any:
    return None if a is None or b is None else a - b


def _mover(now: Mapping[str, Any], then: Mapping[str, Any], name: str) -> list[float | None]:
    """The interval of the difference of two estimates (Zou & Donner 2008); ``mover_low`` and ``mover_high`` of the macros."""
    ends = [one.get(f"{name}{part}") for one in (now, then) for part in ("", "_low", "_high")]
    if any(end is None for end in ends):
        return [None, None]
    a, a_low, a_high, b, b_low, b_high = (float(end) for end in ends if end is not None)
    return [(a - b) - sqrt((a - a_low) ** 2 + (b_high - b) ** 2), (a - b) + sqrt((a_high - a) ** 2 + (b - b_low) ** 2)]


def _with_baseline(
    store: MetricStore, metrics: Sequence[str], by: Sequence[str], grain: str | None, where: str | None
) -> Answer:
    if grain is not None or (where and "metric_time" in where.lower()):
        raise ConfigurationError(
            "--compare before has periods of its own, those of the scorecard: leave --grain and metric_time out."
        )
    windows = store.scorecard_windows()
    if "baseline" not in windows:
        raise ConfigurationError(
            "There is nothing before: process.yml names no process version (process.versions) that is in force at the data's as_of."
        )
    now, then = (
        store.ask(metrics, by, None, f"({where}) and {span}" if where else span)
        for span in (
            f"metric_time between '{first}' and '{last}'" for first, last in (windows["current"], windows["baseline"])
        )
    )
    notes = [
        f"{word}: {first} to {last}."
        for word, (first, last) in (("Now", windows["current"]), ("Before", windows["baseline"]))
    ]
    return replace(_beside(now, then, lambda key: key), notes=tuple(notes))


def _with_targets(store: MetricStore, metrics: Sequence[str], answer: Answer) -> Answer:
    targets = {metric: store.targets(metric) for metric in metrics}
    if not any(targets.values()):
        raise ConfigurationError(f"process.yml has no target (targets:) of {', '.join(metrics)}.")
    columns: list[Column] = list(answer.columns[: answer.keys])
    places: list[tuple[str, int, int]] = []
    for metric in metrics:
        of = [place for place, column in enumerate(answer.columns) if column.metric == metric]
        places.append((metric, of[0], of[-1] + 1))
        unit = answer.columns[of[0]].unit
        columns += [
            *(answer.columns[place] for place in of),
            Column(f"{metric}_target", "value", f"{metric}_target", unit, short="target"),
            Column(f"{metric}_to_target", "value", f"{metric}_to_target", unit, is_change=True, short="to target"),
            Column(f"{metric}_is_met", "value", f"{metric}_is_met", short="met"),
        ]
    rows = []
    for row in answer.rows:
        keys = dict(zip(answer.names, row[: answer.keys], strict=False))
        cells = list(row[: answer.keys])
        for metric, first, end in places:
            value, target = row[first], _target_of(targets[metric], keys)
            cells += row[first:end]
            if target is None:
                cells += [None, None, None]
                continue
            is_met = (
                None if value is None else value >= target.value if target.direction == "up" else value <= target.value
            )
            cells += [target.value, _difference(value, target.value), is_met]
        rows.append(cells)
    return replace(answer, columns=tuple(columns), rows=rows)


@dataclass(frozen=True)
class Target:
    """What ``process.yml`` wants of a KPI. ``stages``: from and to, null for a KPI that has none; ``segment``: type and name, null for the company."""

    value: float
    direction: str
    stages: tuple[str | None, str | None] = (None, None)
    segment: tuple[str | None, str | None] = (None, None)


def _target_of(targets: Sequence[Target], keys: Mapping[str, Any]) -> Target | None:
    """The target that is about the row: of its segment, else of the company; of its stages."""
    stages = (keys.get("from_stage"), keys.get("to_stage"))
    fitting = [one for one in targets if one.stages == stages]
    own = [one for one in fitting if one.segment[0] and keys.get(one.segment[0]) == one.segment[1]]
    return next(iter([*own, *(one for one in fitting if one.segment[0] is None)]), None)
