"""Which version of a record counts where several exports hold it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

import ingestion
from ingestion.catalogue import create_views
from ingestion.rawlog.order import in_natural_order
from salesgauge.process import Process
from salesgauge.settings import Company
from salesgauge.warehouse import connect
from tests.dbt.project import PROCESS_FILE, build

MAPPING = """
files:
  - path: '**/week*.csv'
    entity: deals
    key: no
    columns: {amount: value, created_at: begun}
    dates: {format: "%Y-%m-%d", timezone: UTC}
    stages: {current: {column: state, map: {Won: won, Lost: lost, Open: proposal}}, entered: {proposal: begun, won: won, lost: lost}}
"""
HEADER = "no,value,state,begun,won,lost,changed\n"
Run = Callable[[], dict[str, Any]]


@pytest.fixture
def exports(company: Company) -> Company:
    """A company with weekly exports, the second of which knows better."""
    (company.sources_dir / "weekly.yml").write_text(MAPPING, encoding="utf-8")
    company.data_dir.mkdir()
    _write(company, "week9", "A,100,Lost,2025-12-01,,2025-12-30,2026-02-01", "B,100,Open,2025-12-02,,,2026-01-01")
    _write(company, "week10", "A,100,Open,2025-12-01,,,2026-01-08", "B,200,Won,2025-12-02,2026-01-05,,2026-01-08")
    return company


@pytest.fixture
def staged(exports: Company, bench: Path) -> Run:
    """Loads what is new and says what staging holds: deal → (amount, stage), and its stage events."""

    def run() -> dict[str, Any]:
        process = Process.load(PROCESS_FILE)
        (result,) = ingestion.extract(exports, process, received_at=datetime(2026, 7, 1))
        assert result.error is None
        path = bench / "salesgauge.duckdb"
        path.unlink(missing_ok=True)
        with connect(path) as con:
            process.write_tables(con, datetime(2026, 7, 1))
            create_views(con, exports)
        build(bench, "stg_files__deals", "stg_files__stage_events", "stg_files__leads")
        with connect(path) as con:
            return _found(con)

    return run


def _found(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    events = dict(con.execute("select subject_id, list(stage order by stage) from staging.stg_files__stage_events group by 1").fetchall())  # fmt: skip
    deals = con.execute("select deal_id, amount, stage from staging.stg_files__deals order by 1").fetchall()
    return {deal.removeprefix("weekly:"): (int(amount), stage, events.get(deal, [])) for deal, amount, stage in deals}


def _write(company: Company, name: str, *rows: str) -> None:
    path = company.data_dir / f"{name}.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_text(HEADER + "".join(f"{row}\n" for row in rows), encoding="utf-8")


BY_NAME = {"A": (100, "proposal", ["proposal"]), "B": (200, "won", ["proposal", "won"])}


def test_the_file_that_comes_last_by_name_counts_whenever_it_was_saved(exports: Company, staged: Run) -> None:
    assert staged() == BY_NAME
    _write(
        exports,
        "week9",
        "A,100,Lost,2025-12-01,,2025-12-30,2026-02-01",
        "B,100,Open,2025-12-02,,,2026-01-01",
        "C,50,Open,2025-12-03,,,",
    )
    assert staged() == {**BY_NAME, "C": (50, "proposal", ["proposal"])}
    # a folder of later exports
    _write(exports, "weeks11/week1", "B,300,Lost,2025-12-02,,2026-01-06,")
    assert staged()["B"] == (300, "lost", ["lost", "proposal"])


def test_when_the_source_changed_a_record_comes_first(exports: Company, staged: Run) -> None:
    mapping = exports.sources_dir / "weekly.yml"
    mapping.write_text(MAPPING.replace("begun}\n    dates", "begun, updated_at: changed}\n    dates"), encoding="utf-8")
    _write(exports, "week11", "B,250,Open,2025-12-02,,,")  # does not know when
    assert staged() == {"A": (100, "lost", ["lost", "proposal"]), "B": BY_NAME["B"]}


def test_of_the_rows_of_one_file_the_last_counts(exports: Company, staged: Run) -> None:
    _write(
        exports,
        "week10",
        "A,1,Won,2025-12-01,2026-01-01,,",
        "A,2,Lost,2025-12-01,,2026-01-02,",
        "A,3,Open,2025-12-01,,,",
    )
    assert staged()["A"] == (3, "proposal", ["proposal"])


LOG = """
files:
  - path: 'log*.csv'
    entity: stage_events
    columns: {deal: case, stage: what, at: when, owner: who}
    dates: {format: iso8601, timezone: UTC}
"""


def test_events_that_several_exports_hold_are_one(exports: Company, bench: Path) -> None:
    (exports.sources_dir / "weekly.yml").write_text(LOG, encoding="utf-8")
    events = [f"A,step {number},2026-01-01T10:00:00,Ann" for number in (3, 1, 2, 1)]  # step 1 stands there twice
    head = "case,what,when,who\n"

    def loaded(files: dict[str, list[str]]) -> list[str]:
        for path in exports.data_dir.glob("log*.csv"):
            path.write_text(head, encoding="utf-8")
        for name, rows in files.items():
            (exports.data_dir / f"{name}.csv").write_text(head + "".join(f"{row}\n" for row in rows), encoding="utf-8")
        process = Process.load(PROCESS_FILE)
        (result,) = ingestion.extract(exports, process, received_at=datetime(2026, 7, 1))
        assert result.error is None
        path = bench / "salesgauge.duckdb"
        path.unlink(missing_ok=True)
        with connect(path) as con:
            process.write_tables(con, datetime(2026, 7, 1))
            create_views(con, exports)
        build(bench, "stg_files__stage_events")
        with connect(path) as con:
            return [row[0] for row in con.execute("select stage from staging.stg_files__stage_events order by source_order").fetchall()]  # fmt: skip

    whole = ["step 3", "step 1", "step 2", "step 1"]
    assert loaded({"log1": events}) == whole
    assert loaded({"log1": events, "log2": events}) == whole  # a copy
    assert loaded({"log9": events[:2], "log10": events[2:]}) == [
        "step 3",
        "step 1",
        "step 2",
    ]  # nobody can tell it from a copy
    assert loaded({"log9": events[:3], "log10": events[1:3]}) == whole[:3]
    other = "B,step 1,2026-01-01T10:00:00,Ann"
    assert loaded({"log9": [*events[:1], other], "log10": [events[1]], "log11": events[2:3]}) == ["step 3", "step 1", "step 1", "step 2"]  # fmt: skip


def test_names_are_sorted_as_people_read_them() -> None:
    names = [
        "2025/export_2.csv", "2025/export_10.csv", "2026/export_1.csv.gz", "deals.csv", "deals (1).csv", "deals (2).xlsx", "deals (10).csv",
        "Snap_2026-01-01.csv", "snap_2026-01-08.csv",
    ]  # fmt: skip
    assert in_natural_order(sorted(names)) == names


@pytest.mark.parametrize(
    "names",
    [
        ["deals_12-28-2025.csv", "deals_1-4-2026.csv", "deals_02-28-2026.csv"],
        ["deals 28.12.2025.xlsx", "deals 04.01.2026.xlsx", "deals 01.02.2026.xlsx"],
        ["12282025.csv", "01042026.csv", "01052026.csv"],
        ["20251220.csv", "20260104.csv"],
        ["Deals December 2025.csv", "Deals January 2026.csv", "Deals Feb 2026.csv", "Deals 3 Mar 2026.csv", "Deals 12 Mar 2026.csv"],
        ["pipeline-jan.csv", "pipeline-feb.csv", "pipeline-apr.csv", "pipeline-Sept.csv"],
        ["marble_2.csv", "marble_10.csv"],
    ],
)  # fmt: skip
def test_dates_in_names_are_read_as_dates(names: list[str]) -> None:
    assert in_natural_order(sorted(names)) == names
