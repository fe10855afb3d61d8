"""SQL of what stands beside a value: n and the 95 % interval, over the fact that the KPI is declared of; the rows behind both; and the days that the scorecard
compares.

The formulas are those of the marts: the macros of ``dbt_project/macros`` that dbt renders for them are rendered here too, so that each stands once. The
declaration is that of the asked version (``config.meta`` in its manifest). The value itself is MetricFlow's (``engine``).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from salesgauge.settings import PROJECT_ROOT

FOLDER = PROJECT_ROOT / "dbt_project" / "macros"
FILES = ("statistics.sql", "kpi_rollup.sql", "kpis.sql", "scorecard.sql")
# What has an interval, and what an n: of a count the value is its n.
WITH_INTERVAL = frozenset({"share", "odds", "mean", "points", "median", "weighted"})
WITHOUT_N = frozenset({"count"})
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# Prefix of the sums that the macros name.
_SUMS = "sums"


def is_known(declared: Mapping[str, Any]) -> bool:
    """Whether the metric is declared as a KPI: parts of metrics are not, nor were any before KPIs were declared."""
    return bool(declared.get("kind"))


def estimate_sql(declared: Mapping[str, Any], groups: Mapping[str, str], condition: str | None) -> str:
    """One row per combination of ``groups`` with the columns ``n``, ``low``, ``high`` and ``is_low_n``; null where the kind has none.

    ``groups``: names of the columns of the answer → SQL over the fact. ``condition``: what the question asks, likewise. Of a KPI per another one give
    the declaration of the latter: its n is that.
    """
    kind, macros = declared["kind"], _macros()
    sums = macros.kpi_sums_of(kind, macros.kpi_y(declared), declared.get("denominator") or "", _SUMS)
    parts = {part: macros.kpi_estimate_of(kind, part, _SUMS) for part in ("n", "low", "high")}
    parts["is_low_n"] = macros.is_low_n(parts["n"])
    # A column of the answer may be called as one of the fact that holds something else.
    keys = {f"key_{place}": name for place, name in enumerate(groups)}
    columns = [f'{key} as "{name}"' for key, name in keys.items()] + [f"{sql} as {part}" for part, sql in parts.items()]
    by = f" group by {', '.join(keys)}" if keys else ""
    rows = _rows(declared, dict(zip(keys, groups.values(), strict=True)), condition)
    return f"select {', '.join(columns)} from (select {', '.join([*keys, sums])} from ({rows}) as fact{by}) as summed"


def observations_sql(declared: Mapping[str, Any], columns: Mapping[str, str], condition: str | None) -> str:
    """The rows behind a value: what counts in it, with ``columns`` (name → SQL over the fact), the day, and ``y`` and ``x`` as macros/kpis.sql says of each kind."""
    macros, keys = _macros(), {f"key_{place}": name for place, name in enumerate(columns)}
    rows = _rows(declared, dict(zip(keys, columns.values(), strict=True)), condition)
    shown = [f'{key} as "{name}"' for key, name in keys.items()]
    y, x = macros.kpi_y(declared), macros.kpi_x(declared)
    shown += [f"{declared['date']} as on_date", f"{y} as y", f"{x} as x"]
    return f"select {', '.join(shown)} from ({rows}) as fact where ({y}) is not null and ({x}) is not null order by on_date desc nulls last, {', '.join(keys)}"


def columns_of(declared: Mapping[str, Any]) -> str:
    """The fact whose columns a question can name. One whose rows are put together of others' (``cells``) has theirs."""
    return str(declared["cells"]["fact"] if declared.get("cells") else declared["fact"])


def rows_of(declared: Mapping[str, Any]) -> list[str]:
    """Which rows of its fact the KPI is about, as conditions; none = all. What has a default is left to whoever asks."""
    parts = [declared["where"]] if declared.get("where") else []
    return parts + (["is_next_stage"] if declared.get("pairs") == "next" else [])


def _rows(declared: Mapping[str, Any], keys: Mapping[str, str], condition: str | None) -> str:
    """The rows that are asked of, with the columns ``keys`` (name → SQL) beside those of the fact."""
    columns = [f"{sql} as {name}" for name, sql in keys.items()]
    conditions = [f"({part})" for part in (*rows_of(declared), condition) if part]
    where = f" where {' and '.join(conditions)}" if conditions else ""
    if cells := declared.get("cells"):
        sums = [f"{sql} as {name}" for name, sql in cells["sums"].items()]
        return f"select {', '.join([*columns, *cells['of'], *sums])} from marts.{cells['fact']}{where} group by all"
    return f"select {', '.join(['*', *columns])} from marts.{declared['fact']}{where}"


def period_of(grain: str, date: str, calendar: tuple[str, int]) -> str:
    """The first day of the period of ``date``. ``calendar``: on which day weeks begin, in which month years."""
    return str(_macros(calendar).period_start(grain, date)).strip()


def scorecard_windows(calendar: tuple[str, int]) -> str:
    """The days that the scorecard compares: ``window_id`` (current, baseline), ``start_date``, ``end_date``."""
    return str(
        _macros(calendar).scorecard_windows("process.run", "process.versions", "marts.fct_lead", "marts.fct_deal")
    )


@cache
def _macros(calendar: tuple[str, int] = ("mon", 1)) -> Any:
    """The macros as functions. dbt's own words are not at hand: macros that ask the graph or for a relation can't be called."""
    from jinja2 import Environment

    first_day, first_month = calendar
    told = {"week_starts_on": _DAYS.index(first_day) + 1, "fiscal_year_starts_in": first_month}
    environment = Environment(extensions=["jinja2.ext.do"])
    environment.globals["var"] = told.__getitem__
    return environment.from_string("\n".join((FOLDER / name).read_text(encoding="utf-8") for name in FILES)).module
