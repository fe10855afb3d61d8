"""MetricFlow's internal engine: the only module that imports it.

It turns (metric, groups, condition) into SQL for DuckDB and knows which dimensions a metric has. Running SQL and reading what people
write belong to ``store`` and ``where``. The engine is no public API of MetricFlow: ``METRICFLOW_VERSION`` is the one that this module is
written for and tested with; ``tests/metrics/test_engine.py`` fails when another one is installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from metricflow.engine.metricflow_engine import MetricFlowEngine, MetricFlowQueryRequest
from metricflow.engine.models import Dimension as _Dimension
from metricflow.protocols.sql_client import SqlEngine
from metricflow.sql.render.duckdb_renderer import DuckDbSqlPlanRenderer
from metricflow_semantics.model.dbt_manifest_parser import parse_manifest_from_dbt_generated_manifest
from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup

from salesgauge.kpis import WRITTEN

METRICFLOW_VERSION = "0.213.0"
TIME = "metric_time"
TIME_TEMPLATE = f"{{{{ TimeDimension('{TIME}', 'day') }}}}"


@dataclass(frozen=True)
class Dimension:
    """What a metric can be grouped and filtered by. ``name`` is what people write, ``qualified`` what MetricFlow wants."""

    name: str
    qualified: str
    is_entity: bool

    @property
    def template(self) -> str:
        """The dimension in MetricFlow's template language for conditions."""
        return f"{{{{ {'Entity' if self.is_entity else 'Dimension'}('{self.qualified}') }}}}"


@dataclass(frozen=True)
class Metric:
    """A metric of the semantic manifest. ``is_part``: only a step of another one, not for listing.

    ``defaults``: dimension → what a question is about that does not name the dimension. ``declared``: ``config.meta``, as ``salesgauge.kpis`` knows it.
    """

    name: str
    label: str
    description: str
    is_part: bool
    defaults: Mapping[str, str]
    declared: Mapping[str, Any]


class _CompileOnlyClient:
    """What MetricFlow needs of a database client to write SQL; it is never asked to run any."""

    sql_engine_type = SqlEngine.DUCKDB
    sql_plan_renderer = DuckDbSqlPlanRenderer()

    def render_bind_parameter_key(self, bind_parameter_key: str) -> str:
        return f"${bind_parameter_key}"


class Engine:
    """Compiles metric queries against one semantic manifest (the JSON that ``dbt parse`` writes)."""

    def __init__(self, manifest_json: str) -> None:
        manifest = parse_manifest_from_dbt_generated_manifest(manifest_json)
        self._engine = MetricFlowEngine(
            semantic_manifest_lookup=SemanticManifestLookup(manifest),
            sql_client=_CompileOnlyClient(),  # type: ignore[arg-type]
        )
        self.metrics = {
            metric.name: Metric(
                name=metric.name,
                label=metric.label or metric.name,
                description=metric.description or "",
                is_part=bool(metric.config and metric.config.meta.get("is_part")),
                defaults=dict((metric.config and metric.config.meta.get("defaults")) or {}),
                declared=dict((metric.config and metric.config.meta) or {}),
            )
            for metric in sorted(manifest.metrics, key=lambda metric: metric.name)
        }
        self._facts: dict[str, dict[str, str]] = {}
        for model in manifest.semantic_models:  # several may be of one fact, by different dates
            self._facts.setdefault(model.node_relation.alias, {}).update(
                {
                    WRITTEN.get(str(one.name), str(one.name)): one.expr or str(one.name)
                    for one in (*model.entities, *model.dimensions)
                }
            )
        self._ids: dict[str, list[str]] = {
            model.node_relation.alias: list(model.config.meta.get("ids") or []) if model.config else []
            for model in manifest.semantic_models
        }
        self._dimensions: dict[str, dict[str, Dimension]] = {}

    def dimensions(self, metric: str) -> dict[str, Dimension]:
        """The dimensions of a known ``metric`` by their short names; without time, which is ``metric_time`` for all."""
        if metric not in self._dimensions:
            found = {}
            for item in self._engine.list_group_bys([metric]):
                if isinstance(item, _Dimension):
                    if item.type.value != "time":
                        name = WRITTEN.get(item.name, item.name)
                        found[name] = Dimension(name, item.dunder_name, is_entity=False)
                else:
                    found[item.name] = Dimension(item.name, item.name, is_entity=True)
            self._dimensions[metric] = dict(sorted(found.items()))
        return self._dimensions[metric]

    def columns(self, fact: str) -> Mapping[str, str]:
        """What the table ``fact`` can be grouped and filtered by → SQL over its columns; empty where no semantic model is of it."""
        return self._facts.get(fact, {})

    def ids(self, fact: str) -> list[str]:
        """The columns of ``fact`` that name the records of a row; none where the version does not say."""
        return self._ids.get(fact, [])

    def compile(self, metric: str, groups: list[str], where: str | None) -> str:
        """SQL for a known ``metric``: one row per combination of ``groups`` (qualified names, also ``metric_time__month``).

        ``where`` is a condition in MetricFlow's template language, made by ``metrics.where``.
        """
        explained = self._engine.explain(
            MetricFlowQueryRequest.create(
                metric_names=[metric],
                group_by_names=groups,
                where_constraints=[where] if where else None,
                order_by_names=groups,
            )
        )
        return explained.sql_statement.sql
