"""The declarations of the KPIs, as ``dbt_project/models/semantic/metrics.yml`` holds them: the one place that says what a KPI is.

Labels, units, directions, what a KPI needs and where its numbers are: whoever shows, checks or documents KPIs reads them here. The SQL is made of the same
declarations when dbt compiles the project (``dbt_project/macros/kpis.sql``); how a number is written for people belongs to ``reporting.numbers``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

from salesgauge.settings import PROJECT_ROOT

FILE = PROJECT_ROOT / "dbt_project" / "models" / "semantic" / "metrics.yml"
Unit = Literal["share", "seconds", "minutes", "days", "money", "points", "count", "ratio"]
Kind = Literal[
    "count", "sum", "share", "odds", "mean", "points", "median", "p90", "weighted", "quotient", "per"
]  # macros/kpis.sql says what each is
Better = Literal["up", "down"]
# Where a KPI is that has no mart of its own.
VALUES = "kpi_value"


@dataclass(frozen=True)
class Mart:
    """Which rows and columns of which table in the schema ``kpi`` are the KPI's. ``keys``: further columns of its grain; ``low``, ``high``: its interval."""

    table: str
    value: str
    n: str = ""
    low: str = ""
    high: str = ""
    numerator: str = ""
    where: str = ""
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Kpi:
    """One KPI as it is declared.

    ``numerator``, ``denominator`` and ``value`` are SQL over the columns of ``fact``, of kind ``per`` the names of two other KPIs. ``cells``: a finer fact whose rows
    make those of ``fact``: of which columns (``of``) there is one row, and what its other columns are (``sums``). ``pairs``: of stages,
    ``next`` or ``all``. ``defaults``: what a question that names none of these dimensions is about. ``needs``: canonical entities; of ``a|b`` one is
    enough. ``nothing`` and ``undated`` say in words why there is no value, or none by period. ``is_signed``: it may be below zero. ``tile``: its place
    among the headlines of the report; 0 = none.
    """

    name: str
    label: str
    description: str
    family: str
    unit: Unit
    kind: Kind
    better: Better
    needs: tuple[str, ...]
    nothing: str
    version: int
    definition: str
    mart: Mart
    fact: str = ""
    date: str = ""
    numerator: str = ""
    denominator: str = ""
    value: str = ""
    where: str = ""
    undated: str = ""
    cells: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    pairs: Literal["", "next", "all"] = ""
    is_signed: bool = False
    tile: int = 0
    defaults: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def condition(self) -> str:
        """Which rows of the fact it is about."""
        parts = [f"({self.where})"] if self.where else []
        parts += [f"{name} = '{value}'" for name, value in self.defaults.items() if name != "level"]
        return " and ".join(parts) or "true"


# A dimension that people know by a name that is a word of MetricFlow's own.
WRITTEN = {"hour_of_day": "hour"}


@cache
def kpis() -> Mapping[str, Kpi]:
    """Every declared KPI by its name, in the order in which people are shown them.

    ValueError names a declaration that says too little, or something that there is not.
    """
    declared = [metric for metric in _document(FILE)["metrics"] if "kind" in _meta(metric)]
    return MappingProxyType({metric["name"]: _kpi(metric) for metric in declared})


@cache
def dimensions(kpi: str) -> frozenset[str]:
    """What the declared ``kpi`` can be grouped and filtered by, without time."""
    return frozenset(WRITTEN.get(name, name) for _, name in _dimensions(kpi))


def _dimensions(metric: str) -> frozenset[tuple[str, str]]:
    """Dimensions of a metric with their semantic model, whose own they are; entities, which are the same everywhere, with none."""
    asked = next(one["type_params"] for one in _document(FILE)["metrics"] if one["name"] == metric)
    if parts := [*asked.get("metrics", []), *(asked[key] for key in ("numerator", "denominator") if key in asked)]:
        return frozenset.intersection(*map(_dimensions, parts))
    measure = asked["measure"] if isinstance(asked["measure"], str) else asked["measure"]["name"]
    model = next(
        model for model in _document(FILE)["semantic_models"] if measure in {one["name"] for one in model["measures"]}
    )
    own = {(model["name"], one["name"]) for one in model["dimensions"] if one["type"] != "time"}
    return frozenset(own | {("", one["name"]) for one in model["entities"]})


@cache
def _document(file: Path) -> Any:
    import yaml

    return yaml.load(file.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def of_families(*families: str) -> tuple[str, ...]:
    """The names of the KPIs of these families."""
    return tuple(name for name, kpi in kpis().items() if kpi.family in families)


def _meta(metric: Mapping[str, Any]) -> dict[str, Any]:
    return dict((metric.get("config") or {}).get("meta") or {})


def _kpi(metric: Mapping[str, Any]) -> Kpi:
    name, meta = metric["name"], {key: value for key, value in _meta(metric).items() if value is not None}
    where = {
        "table": VALUES,
        "value": "value",
        "n": "n",
        "low": "low",
        "high": "high",
        "numerator": "numerator",
        "where": f"kpi = '{name}'",
    }
    mart = meta.pop("mart", None) or where
    try:
        kpi = Kpi(
            name=name,
            label=metric["label"],
            description=metric["description"],
            **meta | {"needs": tuple(meta["needs"]), "mart": Mart(**mart | {"keys": tuple(mart.get("keys", ()))})},
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"{FILE.name}: the declaration of '{name}': {error}") from error
    wrong = [
        f"{key} '{value}'"
        for key, value, known in (("unit", kpi.unit, Unit), ("kind", kpi.kind, Kind), ("better", kpi.better, Better))
        if value not in get_args(known)
    ]
    if wrong:
        raise ValueError(f"{FILE.name}: the declaration of '{name}': there is no {', no '.join(wrong)}")
    return kpi
