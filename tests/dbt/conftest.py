"""Warehouses for the tests of the dbt project: the process file's tables, and an empty table for every view of the raw log."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ingestion.catalogue import create_views
from orchestration import transform
from salesgauge.process import Process
from salesgauge.settings import Company
from salesgauge.warehouse import connect
from tests.dbt.project import EVERY_SOURCE, PROCESS_FILE, variables


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which dbt works: its target and the warehouse."""
    return tmp_path_factory.mktemp("bench")


@pytest.fixture(scope="session")
def manifest() -> dict[str, Any]:
    """The project as dbt reads it for a company that has every source."""
    values = variables(EVERY_SOURCE)
    assert transform.parse(values).success
    return json.loads((transform.parse_target(values) / "manifest.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def models(manifest: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The models of the manifest by name."""
    return {node["name"]: node for node in manifest["nodes"].values() if node["resource_type"] == "model"}


@pytest.fixture
def company(tmp_path: Path) -> Company:
    """A company directory without any source."""
    (tmp_path / "sources").mkdir()
    (tmp_path / ".dlt").mkdir()
    (tmp_path / ".dlt" / "config.toml").write_text("", encoding="utf-8")
    (tmp_path / "process.yml").write_bytes(PROCESS_FILE.read_bytes())
    return Company.open(tmp_path)


@pytest.fixture
def new_warehouse(bench: Path, company: Company) -> Callable[[datetime], duckdb.DuckDBPyConnection]:
    """Makes the bench's warehouse anew, without a record, for an ``as_of``."""

    def make(as_of: datetime) -> duckdb.DuckDBPyConnection:
        path = bench / "salesgauge.duckdb"
        path.unlink(missing_ok=True)
        con = connect(path)
        Process.load(PROCESS_FILE).write_tables(con, as_of)
        create_views(con, company)
        views = con.execute(
            "select schema_name, view_name from duckdb_views() where schema_name like 'raw%'"
        ).fetchall()
        for schema, view in views:
            con.execute(f"create table {schema}.filled as select * from {schema}.{view}")
            con.execute(f"drop view {schema}.{view}")
            con.execute(f"alter table {schema}.filled rename to {view}")
        return con

    return make
