"""The models of a company with files only, run from their compiled SQL: dbt compiles once for all companies, and a build takes a second.

What a test asks belongs to the test; how a run builds the models, to ``orchestration.transform``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pandas as pd

import ingestion
from ingestion import rawlog
from orchestration import transform
from salesgauge.process import Process
from salesgauge.settings import Company
from salesgauge.warehouse import connect


@dataclass(frozen=True)
class Model:
    """A model to build: its schema and name, its SQL, and whether it is a view."""

    schema: str
    name: str
    sql: str
    is_view: bool


@cache
def models() -> tuple[Model, ...]:
    """All models but those of forecasts, parents first, compiled for a company with files only and no exclusions."""
    values = {"sources": [], "exclusions": []}
    with TemporaryDirectory() as folder:
        before = os.environ.get("SALESGAUGE_WAREHOUSE")
        try:
            connect(Path(folder) / "salesgauge.duckdb").close()
            parsed = transform.parse(values)
            assert parsed.success, parsed.exception
            result = transform.invoke(
                ["compile", "--vars", "{sources: [], exclusions: []}", "--exclude", f"{transform.AFTER_ANALYSIS}+"],
                warehouse=Path(folder) / "salesgauge.duckdb",
                target=Path(folder) / "target",
                manifest=parsed.result,
            )
        finally:
            if before is None:
                os.environ.pop("SALESGAUGE_WAREHOUSE", None)
            else:
                os.environ["SALESGAUGE_WAREHOUSE"] = before
    assert result.success, result.exception
    nodes = {one.node.unique_id: one.node for one in result.result if one.node.resource_type == "model"}
    ordered: dict[str, Model] = {}

    def add(unique_id: str) -> None:
        if unique_id in ordered or unique_id not in nodes:
            return
        node = nodes[unique_id]
        for parent in node.depends_on.nodes:
            add(parent)
        ordered[unique_id] = Model(node.schema, node.name, node.compiled_code, node.config.materialized == "view")

    for unique_id in sorted(nodes):
        add(unique_id)
    return tuple(ordered.values())


def build(company: Company, as_of: datetime) -> duckdb.DuckDBPyConnection:
    """Load the company's files and build every model; a connection to the warehouse, which the caller closes."""
    process = Process.load(company.process_file)
    results = ingestion.extract(company, process, received_at=as_of)
    assert [result.error for result in results if result.state == "failed"] == []
    con = connect(":memory:")
    con.execute("attach ':memory:' as salesgauge")
    con.execute("use salesgauge")
    process.write_tables(con, as_of)
    rawlog.create_views(con, company)
    for model in models():
        con.execute(f'create schema if not exists "{model.schema}"')
        kind = "view" if model.is_view else "table"
        con.execute(f'create {kind} "{model.schema}"."{model.name}" as {model.sql}')
    return con


def kpis(con: duckdb.DuckDBPyConnection, tables: tuple[str, ...]) -> dict[str, pd.DataFrame]:
    """The KPI marts ``tables``, rows in one order, without the columns that say when and by which definition."""
    found = {}
    for table in tables:
        frame = con.execute(f"select * exclude (definition_version, as_of) from kpi.{table} order by all").df()
        found[table] = frame
    return found
