"""A published version made from hand-filled facts: the KPI marts are built, nothing before them runs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from metrics import MetricStore
from orchestration import transform
from salesgauge.warehouse import connect
from tests.dbt.project import build, variables
from tests.metrics import facts

# Built from staging or from the ledger's own tables, which are not here; they have dbt tests of their own.
NOT_FROM_FACTS = (
    "kpi_accounting",
    "kpi_reconciliation",
    "kpi_unmapped_stages",
    "kpi_contradictions",
    "kpi_left_out",
    "kpi_unmapped_values",
)


@pytest.fixture(scope="session")
def pointer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pointer to a version with all KPI marts over ``facts.fill`` and the semantic manifest."""
    folder = tmp_path_factory.mktemp("metrics")
    warehouse = folder / "salesgauge.duckdb"
    with connect(warehouse) as con:
        facts.create_tables(con)
        facts.fill(con)
        facts.insert(con, "process.targets", facts.TARGETS)
    build(folder, *facts.BUILT, "int_process_events", "statistics", "kpi", exclude=NOT_FROM_FACTS, is_tested=True)
    version = folder / "published" / "version-1"
    version.mkdir(parents=True)
    shutil.copy(warehouse, version / "salesgauge.duckdb")
    shutil.copy(transform.semantic_manifest(variables()), version)
    link = folder / "published" / "salesgauge.duckdb"
    link.symlink_to("version-1/salesgauge.duckdb")
    return link


@pytest.fixture(scope="session")
def root(pointer: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which ``var/demo`` is a company with the published version of these tests."""
    folder = tmp_path_factory.mktemp("notebooks")
    published = folder / "var" / "demo" / "var" / "published"
    published.mkdir(parents=True)
    (folder / "var" / "demo" / "process.yml").touch()
    (published / "salesgauge.duckdb").symlink_to(pointer.resolve())
    return folder


@pytest.fixture(scope="session")
def store(pointer: Path) -> Iterator[MetricStore]:
    with MetricStore(pointer) as opened:
        yield opened


@pytest.fixture(scope="session")
def con(pointer: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(pointer.resolve(), read_only=True) as opened:
        yield opened
