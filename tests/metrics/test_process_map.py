"""Directly-follows graph and variants of a real event log, against what a process-mining library found in it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import duckdb
import pytest

from salesgauge.warehouse import connect
from tests.dbt.project import build
from tests.metrics import facts

LOG = Path(os.environ.get("SALESGAUGE_REALDATA", Path(__file__).parents[3] / "shared" / "data")) / "receipt_log"


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    if not (LOG / "receipt.csv").is_file():
        pytest.skip("the receipt log is not here (SALESGAUGE_REALDATA)")
    warehouse = tmp_path_factory.mktemp("log") / "salesgauge.duckdb"
    with connect(warehouse) as con:
        facts.create_tables(con)
        con.execute(
            """
            insert into intermediate.int_stage_events
            select 'deal', 'log:' || "case:concept:name", null, "concept:name", null,
                   timezone('UTC', cast("time:timestamp" as timestamptz)), row_number() over (), 'log', false
            from read_csv(?, all_varchar = true)
            """,
            [str(LOG / "receipt.csv")],
        )
        con.execute(
            "insert into intermediate.int_cases select distinct subject_id, null, subject_id, true from intermediate.int_stage_events"
        )
    build(
        warehouse.parent,
        "int_process_events",
        "kpi_process_edges",
        "kpi_process_variants",
        "kpi_unmapped_stages",
    )
    return connect(warehouse, read_only=True)


@pytest.mark.realdata
def test_edges_and_variants_of_the_receipt_log(log: duckdb.DuckDBPyConnection) -> None:
    expected = json.loads((LOG / "expected.json").read_text(encoding="utf-8"))
    inner = "from kpi.kpi_process_edges where from_activity is not null and to_activity is not null"
    assert log.sql(f"select count(*), sum(n) {inner}").fetchone() == (expected["dfg_edges"], expected["dfg_total"])
    assert (
        dict(log.sql("select to_activity, n from kpi.kpi_process_edges where from_activity is null").fetchall())
        == expected["start"]
    )
    assert (
        dict(log.sql("select from_activity, n from kpi.kpi_process_edges where to_activity is null").fetchall())
        == expected["end"]
    )
    top = log.sql(
        f"select from_activity, to_activity, n {inner} order by n desc limit {len(expected['dfg_top'])}"
    ).fetchall()
    assert [list(edge) for edge in top] == expected["dfg_top"]
    variants = log.sql("select variant, n from kpi.kpi_process_variants order by rank").fetchall()
    assert len(variants) == expected["variants"] and sum(n for _, n in variants) == expected["cases"]
    assert [(variant, n) for variant, n in variants[:3]] == [
        (" > ".join(path), n) for path, n in expected["top_variants"]
    ]
    assert log.sql("select count(*), sum(events) from kpi.kpi_unmapped_stages").fetchone() == (
        expected["activities"],
        expected["events"],
    )
