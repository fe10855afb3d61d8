"""The models built by dbt: with no source at all, on the rules' unit tests, and on the same knowledge received in different ways."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from analysis.forecast import write_forecasts
from demo.simulate import simulate
from salesgauge.entities import ENTITIES
from salesgauge.process import Process
from salesgauge.warehouse import connect
from tests.dbt.project import run_dbt
from tests.dbt.raw_rows import disturbed, fill, raw_rows

AS_OF = datetime(2026, 6, 17, 12)
NewWarehouse = Callable[[Path, datetime], duckdb.DuckDBPyConnection]


def test_every_model_builds_without_any_source_and_keeps_the_rules(tmp_path: Path, new_warehouse: NewWarehouse) -> None:
    warehouse = tmp_path / "salesgauge.duckdb"
    new_warehouse(warehouse, AS_OF).close()
    without_forecast = ["--exclude", "tag:after_analysis+"]
    results = run_dbt(warehouse, tmp_path, "build", "--exclude-resource-types", "unit_test", *without_forecast)
    assert len(results.results) > 100
    with connect(warehouse) as con:
        assert write_forecasts(con, timezone="America/Chicago", as_of=AS_OF) == 0
        # the file source's columns and the staging models' are one list
        for entity in ENTITIES.values():
            columns = {row[0] for row in con.execute(f"describe staging.stg_files__{entity.name}").fetchall()}
            assert {column.name for column in entity.columns} <= columns, entity.name
    run_dbt(warehouse, tmp_path, "build", "--select", "tag:after_analysis+", "--exclude-resource-types", "unit_test")
    results = run_dbt(warehouse, tmp_path, "test", "--select", "test_type:unit")
    assert len(results.results) > 25


def test_order_duplicates_and_old_versions_change_nothing(
    tmp_path: Path, new_warehouse: NewWarehouse, process: Process
) -> None:
    log = simulate(3, scale=0.05)
    rows = raw_rows(log)
    as_of = pd.Timestamp(log.as_of).to_pydatetime()
    hashes = []
    for name, received in (("plain", rows), ("disturbed", disturbed(rows, seed=1))):
        warehouse = tmp_path / f"{name}.duckdb"
        with new_warehouse(warehouse, as_of) as con:
            fill(con, received, as_of)
        run_dbt(
            warehouse, tmp_path / "target", "run", "--select", "staging", "intermediate", "marts", "--exclude", "tag:after_analysis", "models/kpi",
            values={"exclusions": process.exclusion_rules()},
        )  # fmt: skip
        hashes.append(mart_hashes(warehouse))
    plain, other = hashes
    assert {name for name, (count, _) in plain.items() if count == 0} <= {"dim_product", "fct_web_session"}
    assert other == plain


def test_nothing_after_as_of_matters(tmp_path: Path, new_warehouse: NewWarehouse, process: Process) -> None:
    """A warehouse of an older as_of from today's knowledge: whatever happened later has left no event behind."""
    log = simulate(3, scale=0.05)
    middle = pd.Timestamp(log.start + (log.as_of - log.start) / 2).to_pydatetime()
    warehouse = tmp_path / "salesgauge.duckdb"
    with new_warehouse(warehouse, middle) as con:
        fill(con, raw_rows(log), middle)
    run_dbt(
        warehouse,
        tmp_path / "target",
        "run",
        "--select",
        "staging",
        "intermediate",
        "marts",
        "--exclude",
        "tag:after_analysis",
        "models/kpi",
    )
    moments = {
        "fct_lead": ("created_at", "first_assigned_at", "first_touch_at", "won_at"),
        "fct_deal": ("created_at", "closed_at"),
        "fct_stage_transition": ("moved_at",),
        "fct_speed_to_lead": ("touch_at", "reached_at"),
        "fct_survey_response": ("submitted_at",),
        "fct_activity": ("created_at",),
    }
    with connect(warehouse, read_only=True) as con:
        for table, columns in moments.items():
            newest = con.execute(
                f"select greatest({', '.join(f'max({column})' for column in columns)}, null) from marts.{table}"
            ).fetchone()
            assert newest is not None and newest[0] is not None and newest[0] <= middle, table


def mart_hashes(warehouse: Path) -> dict[str, tuple[int, int]]:
    """Table → number of rows and a hash that does not depend on their order."""
    with connect(warehouse, read_only=True) as con:
        tables = [
            row[0]
            for row in con.execute("select table_name from duckdb_tables() where schema_name = 'marts'").fetchall()
        ]
        return {
            table: con.execute(
                f"select count(*), coalesce(sum(cast(hash(row) as hugeint)), 0) from marts.{table} as row"
            ).fetchone()
            for table in tables
        }


@pytest.fixture(autouse=True)
def _no_warehouse_left_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALESGAUGE_WAREHOUSE", "unused")
