"""The models and data tests of a plan as Dagster's assets and asset checks. What is done when one is materialized belongs in ``orchestration.assets``."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import dagster as dg

from orchestration.plan import Model, Plan
from orchestration.transform import DBT_PROJECT


def key(model: Model) -> dg.AssetKey:
    """Layer and name."""
    return dg.AssetKey([model.schema, model.name])


# What people query: a mart that was not built for long is stale.
_QUERIED = ("marts", "kpi")


def specs(part: Plan, whole: Plan, *, owners: Sequence[str], freshness: dg.FreshnessPolicy) -> list[dg.AssetSpec]:
    """One asset for each model of ``part``, grouped by layer, with its columns and the file that defines it; ``freshness`` is that of marts."""
    keys = {model.unique_id: key(model) for model in whole.models}
    return [
        dg.AssetSpec(
            key(model),
            deps=[*(keys[parent] for parent in model.parents), *sorted({_source(table) for table in model.reads})],
            group_name=model.schema,
            description=model.description,
            kinds={"dbt", "duckdb", "view" if model.is_view else "table"},
            metadata=_metadata(model),
            owners=owners,
            freshness_policy=freshness if model.schema in _QUERIED else None,
        )
        for model in part.models
    ]


def checks(part: Plan) -> list[dg.AssetCheckSpec]:
    """One check for each data test. None of them stops a step: the audit decides what is published."""
    keys = check_keys(part)
    return [
        dg.AssetCheckSpec(
            name=keys[test.unique_id].name,
            asset=keys[test.unique_id].asset_key,
            description=test.rule or None,
            metadata={"severity": test.severity},
        )
        for test in part.tests
    ]


def check_keys(part: Plan) -> dict[str, dg.AssetCheckKey]:
    """The check of each data test, by the test's id. A test of several models is shown at that which is built last."""
    order = [model.unique_id for model in part.models]
    assets = {model.unique_id: key(model) for model in part.models}
    return {
        test.unique_id: dg.AssetCheckKey(
            assets[max((one for one in test.parents if one in assets), key=order.index)], test.name
        )
        for test in part.tests
    }


def _source(table: str) -> dg.AssetKey:
    """The asset that makes what no model makes: one for all tables of a source, of the raw log and of the process file."""
    source, _, name = table.partition(".")
    return dg.AssetKey([source, name] if source == "analysis" else [source])


def _metadata(model: Model) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        file = dg.LocalFileCodeReference(file_path=str(DBT_PROJECT / model.file), line_number=1)
        references = dg.CodeReferencesMetadataValue(code_references=[file])
    metadata: dict[str, Any] = {
        "dagster/code_references": references,
        "dagster/table_name": f"{model.schema}.{model.name}",
    }
    if model.columns:
        metadata["dagster/column_schema"] = dg.TableSchema(
            [
                dg.TableColumn(column.name, type=column.type or "?", description=column.description or None)
                for column in model.columns
            ]
        )
    return metadata
