"""The models built by dbt: with no source at all, on the rules' unit tests, and on the same knowledge received in different ways."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import duckdb
import pandas as pd

from analysis.forecast import write_forecasts
from demo.simulation.simulate import simulate
from orchestration.transform import AFTER_ANALYSIS, plan_of
from quality.hashes import table_hash
from salesgauge.entities import ENTITIES
from salesgauge.warehouse import connect
from tests.dbt.project import build, run_dbt, variables
from tests.dbt.raw_rows import disturbed, fill, raw_rows

AS_OF = datetime(2026, 6, 17, 12)
MARTS = ("staging", "intermediate", "marts")
NewWarehouse = Callable[[datetime], duckdb.DuckDBPyConnection]


def test_every_model_builds_without_any_source_and_keeps_the_rules(bench: Path, new_warehouse: NewWarehouse) -> None:
    new_warehouse(AS_OF).close()
    outcome = build(bench, exclude=[AFTER_ANALYSIS], is_tested=True)
    assert len(outcome.models) > 100 and len(outcome.tests) > 100
    with connect(bench / "salesgauge.duckdb") as con:
        assert write_forecasts(con, timezone="America/Chicago", as_of=AS_OF) == 0
        # the file source's columns and the staging models' are one list
        for entity in ENTITIES.values():
            columns = {row[0] for row in con.execute(f"describe staging.stg_files__{entity.name}").fetchall()}
            assert {column.name for column in entity.columns} <= columns, entity.name
    assert build(bench, AFTER_ANALYSIS, is_tested=True).tests


def test_a_grain_that_is_broken_is_named(tmp_path: Path) -> None:
    plan = plan_of(variables())
    one = replace(plan, models=(), tests=tuple(test for test in plan.tests if test.name == "grain_stg_hubspot__deals"))
    with connect(tmp_path / "salesgauge.duckdb") as con:
        con.execute("create schema staging")
        con.execute(
            "create table staging.stg_hubspot__deals as select * from (values ('a'), ('a'), (null), ('b')) as t(deal_id)"
        )
        (result,) = one.run(con).tests
    assert (result.status, result.failures, result.table) == ("fail", 2, "stg_hubspot__deals")
    assert result.rule == "deal_id is never empty and names one row"


def test_the_rules_in_examples(bench: Path, new_warehouse: NewWarehouse) -> None:
    """dbt's unit tests of the models."""
    new_warehouse(AS_OF).close()
    build(bench, exclude=[AFTER_ANALYSIS])  # dbt reads the columns of the models that a rule is about
    with connect(bench / "salesgauge.duckdb") as con:
        write_forecasts(con, timezone="America/Chicago", as_of=AS_OF)
    build(bench, AFTER_ANALYSIS)
    assert len(run_dbt(bench, "test", "--select", "test_type:unit").results) > 25


def test_a_run_gives_what_dbt_gives(bench: Path, new_warehouse: NewWarehouse, tmp_path: Path) -> None:
    """A run does not call dbt for what dbt has compiled before: the same tables, views and findings come of it."""
    log = simulate(3, scale=0.05)
    as_of = pd.Timestamp(log.as_of).to_pydatetime()
    with new_warehouse(as_of) as con:
        fill(con, raw_rows(log), as_of)
    shutil.copy(bench / "salesgauge.duckdb", tmp_path)
    by_dbt = run_dbt(bench, "build", "--exclude-resource-types", "unit_test", "--exclude", AFTER_ANALYSIS).results
    by_plan = build(tmp_path, exclude=[AFTER_ANALYSIS], is_tested=True)
    due = {one.node.unique_id: (one.status.value, one.failures or 0) for one in by_dbt}
    found = {model.unique_id: (str(model.status), 0) for model in by_plan.models}
    found |= {name: (test.status, test.failures) for name, test in by_plan.test_ids.items()}
    assert found == due and len(due) > 200
    assert _relations(tmp_path / "salesgauge.duckdb") == _relations(bench / "salesgauge.duckdb")


def _relations(warehouse: Path) -> dict[str, tuple[object, ...]]:
    """Table or view → its columns with their types, and its rows as a number and a hash."""
    with connect(warehouse, read_only=True) as con:
        columns = con.execute(
            """
            select concat(table_schema, '.', table_name), string_agg(concat_ws(' ', column_name, data_type, is_nullable, table_type), ', ' order by ordinal_position)
            from information_schema.columns join information_schema.tables using (table_schema, table_name)
            where table_schema in ('staging', 'intermediate', 'marts', 'statistics', 'kpi') group by 1
            """
        ).fetchall()
        return {
            name: (listed, *table_hash(con, name))  # as versions are compared: sums of floats depend on the order
            for name, listed in columns
        }


def test_the_way_in_which_records_arrive_changes_nothing(bench: Path, new_warehouse: NewWarehouse) -> None:
    """All at once; in another order with duplicates and old versions; half-way through the company's life and again at its end.

    In the last case records are known that were merged away since. They show in the ledger only, as not counted.
    """
    log = simulate(3, scale=0.05)
    as_of = pd.Timestamp(log.as_of).to_pydatetime()
    middle = log.start + (log.as_of - log.start) / 2
    earlier = replace(log, events=log.events[log.events["at"] <= middle], as_of=middle)
    assert "lead_merged" in set(log.events.loc[log.events["at"] > middle, "kind"])
    rows = raw_rows(log)
    histories = [[rows], [disturbed(rows, seed=1)], [raw_rows(earlier, load="1600000000.000001"), rows]]
    hashes = []
    for loads in histories:
        with new_warehouse(as_of) as con:
            for received in loads:
                fill(con, received, as_of)
        build(bench, *MARTS, exclude=[AFTER_ANALYSIS, "kpi"])
        hashes.append(mart_hashes(bench / "salesgauge.duckdb"))
    at_once, otherwise, in_two_loads = hashes
    assert {name for name, (count, _) in at_once.items() if count == 0} <= {
        "dim_product",
        "fct_payment",
        "fct_web_session",
    }
    assert otherwise == at_once
    assert in_two_loads == at_once


def test_nothing_after_as_of_matters(bench: Path, new_warehouse: NewWarehouse) -> None:
    """For an as_of in the past the source's state of today and its state of then give the same deals.

    Compared is what the source has a history of: a field without one is only known as it is today, and so is a merge.
    """
    log = simulate(3, scale=0.05)
    middle = pd.Timestamp(log.start + (log.as_of - log.start) / 2).to_pydatetime()
    then = replace(log, events=log.events[log.events["at"] <= middle], as_of=middle)
    later = log.events[log.events["at"] > middle]
    merged = later[later["kind"].isin(["lead_merged", "deal_merged"])]
    touched = {*merged["lead_id"].dropna(), *merged["deal_id"].dropna(), *(data["into"] for data in merged["data"])}
    found = []
    for known in (log, then):
        with new_warehouse(middle) as con:
            fill(con, raw_rows(known), middle)
        build(bench, *MARTS, exclude=[AFTER_ANALYSIS, "kpi"])
        with connect(bench / "salesgauge.duckdb", read_only=True) as con:
            deals = con.execute(
                """
                select deal_id, lead_id, case_id, created_at, current_stage, outcome, closed_at, first_closed_at, amount,
                    expected_close_date, pipeline, rep, rep_closed, rep_current
                from marts.fct_deal order by deal_id
                """
            ).fetchall()
        found.append([deal for deal in deals if not {str(one).removeprefix("hubspot:") for one in deal[:3]} & touched])
    today, past = found
    assert len(past) > 20
    assert any(deal[5] == "open" for deal in past) and len(later) > 100
    assert today == past


def mart_hashes(warehouse: Path) -> dict[str, tuple[int, int]]:
    """Table → number of rows and a hash that does not depend on their order; of the ledger the counted cases."""
    with connect(warehouse, read_only=True) as con:
        tables = [
            name
            for (name,) in con.execute("select table_name from duckdb_tables() where schema_name = 'marts'").fetchall()
        ]
        counted = {"fct_stage_transition": "where is_counted"}
        return {
            table: con.execute(
                f"select count(*), coalesce(sum(cast(hash(line) as hugeint)), 0) from marts.{table} as line {counted.get(table, '')}"
            ).fetchone()
            or (0, 0)
            for table in tables
        }
