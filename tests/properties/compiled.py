"""The models of a company with files only, built in memory: no Dagster, no audit, and a build takes a second.

What a test asks belongs to the test; how a run builds the models, to ``orchestration.plan``.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import cache

import duckdb
import pandas as pd

import ingestion
from ingestion.catalogue import create_views
from orchestration import transform
from orchestration.plan import Plan
from salesgauge.process import Process
from salesgauge.settings import Company
from salesgauge.warehouse import connect


@cache
def models() -> Plan:
    """All models but those of forecasts, for a company with files only and no exclusions; none of their tests."""
    plan = transform.plan_of({"sources": [], "exclusions": []}).select(exclude=[transform.AFTER_ANALYSIS])
    return replace(plan, tests=())


def build(company: Company, as_of: datetime) -> duckdb.DuckDBPyConnection:
    """Load the company's files and build every model; a connection to the warehouse, which the caller closes."""
    process = Process.load(company.process_file)
    results = ingestion.extract(company, process, received_at=as_of)
    assert [result.error for result in results if result.state == "failed"] == []
    con = connect(":memory:")
    con.execute("set threads = 1")  # as a run does for little data
    con.execute("attach ':memory:' as salesgauge")
    con.execute("use salesgauge")
    process.write_tables(con, as_of)
    create_views(con, company)
    assert [model.message for model in models().run(con).models if model.status != "success"] == []
    return con


def kpis(con: duckdb.DuckDBPyConnection, tables: tuple[str, ...]) -> dict[str, pd.DataFrame]:
    """The KPI marts ``tables``, rows in one order, without the columns that say when and by which definition."""
    found = {}
    for table in tables:
        frame = con.execute(f"select * exclude (definition_version, as_of) from kpi.{table} order by all").df()
        found[table] = frame
    return found
