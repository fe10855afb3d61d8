"""A real Postgres as a source: the same mapping as a file, only what is new, bad rows quarantined, clear errors."""

from __future__ import annotations

import csv
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

import ingestion
from ingestion.catalogue import create_views
from ingestion.files import databases
from ingestion.landing.load import Landing
from ingestion.rawlog.accounting import SourceResult
from ingestion.rawlog.declarations import RawColumn, RawTable
from salesgauge.process import Process
from salesgauge.settings import Company
from salesgauge.warehouse import connect

PROCESS = """
company: {name: Test, currency: USD, timezone: UTC}
process:
  versions: [{key: baseline, effective_from: 2025-01-01}]
  stages: [{key: proposal}, {key: won, kind: won}]
"""
MAPPING = """
    entity: deals
    key: no
    columns: {name: title, amount: price, created_at: begun, is_test: test, owner: seller}
    dates: {format: "%Y-%m-%d %H:%M:%S", timezone: America/Chicago}
    stages: {current: {column: state, map: {W: won, P: proposal}}, entered: {proposal: begun}}
"""
ROWS = [
    (1, "Boiler", "1200.50", "2026-01-05 09:30:00", "W", False, "Ann"),
    (2, "Furnace \u2013 repair", None, "2026-03-08 03:30:00", "P", True, None),
    (3, "Panel, 'big'", "99999999.99", "2026-06-30 23:59:59", "P", False, "Bob"),
]
NAMES = ("no", "title", "price", "begun", "state", "test", "seller")


class Crm:
    """A company whose CRM is a table of the database."""

    def __init__(self, root: Path, url: str, name: str, table: str | None) -> None:
        self.root, self.name, self.runs = root, name, 0
        for folder in ("sources", "data", ".dlt"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        (root / "process.yml").write_text(PROCESS)
        head = f"tables:\n  - table: {table}" if table else 'files:\n  - path: "deals.csv"'
        (root / "sources" / f"{name}.yml").write_text(head + MAPPING)
        self.connect_to(url)

    def connect_to(self, url: str) -> None:
        (self.root / ".dlt" / "secrets.toml").write_text(f'[sources.{self.name}]\nconnection = "{url}"\n')

    def run(self) -> SourceResult:
        self.runs += 1
        company = Company.open(self.root, {})
        at = datetime(2026, 7, 1) + timedelta(hours=self.runs)
        return ingestion.extract(company, Process.load(company.process_file), received_at=at)[0]

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        with connect(":memory:") as con:
            create_views(con, Company.open(self.root, {}))
            kept = "* exclude (_load_id, _loaded_at, _row, _line, _file, record)"
            return con.execute(f"select {kept} from raw_files.{table} order by all").fetchall()


@pytest.fixture
def database(postgres: str) -> Any:
    with psycopg.connect(postgres, autocommit=True) as con:
        con.execute("drop schema if exists crm cascade")
        con.execute("create schema crm")
        con.execute(
            "create table crm.deals (no int primary key, title text, price numeric(12, 2), begun timestamp, state text, test boolean, seller text)"
        )
        con.cursor().executemany("insert into crm.deals values (%s, %s, %s, %s, %s, %s, %s)", ROWS)
        yield con


def test_a_table_and_a_file_with_one_mapping_give_the_same_rows(tmp_path: Path, postgres: str, database: Any) -> None:
    by_table, by_file = Crm(tmp_path / "a", postgres, "crm", "crm.deals"), Crm(tmp_path / "b", postgres, "crm", None)
    with (tmp_path / "b" / "data" / "deals.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(NAMES)
        writer.writerows([["" if value is None else value for value in row] for row in ROWS])
    for crm in (by_table, by_file):
        result = crm.run()
        assert (result.state, result.error) == ("loaded", None)
        assert result.tables["deals"].loaded == 3
    for entity in ("deals", "stage_events"):
        found, expected = by_table.rows(entity), by_file.rows(entity)
        assert found == expected and len(found) == 3, entity
    assert by_table.rows("deals")[0][0:2] == ("1", None)


def test_only_what_changed_is_loaded_and_deleted_rows_are_gone(tmp_path: Path, postgres: str, database: Any) -> None:
    crm = Crm(tmp_path, postgres, "crm", "crm.deals")
    assert crm.run().state == "loaded"
    assert crm.run().state == "unchanged"
    database.execute("update crm.deals set title = 'Heat pump' where no = 1")
    database.execute("delete from crm.deals where no = 2")
    assert crm.run().state == "loaded"
    assert {row[0] for row in _ids(crm)} == {"1", "3"}
    database.execute("delete from crm.deals")
    assert crm.run().state == "loaded" and _ids(crm) == []


def test_a_bad_row_is_quarantined(tmp_path: Path, postgres: str, database: Any) -> None:
    database.execute("alter table crm.deals alter column begun type text")
    database.execute("insert into crm.deals values (4, 'x', 1, 'someday', 'W', false, null)")
    crm = Crm(tmp_path, postgres, "crm", "crm.deals")
    count = crm.run().tables["deals"]
    assert (count.received, count.loaded, count.quarantined) == (4, 3, 1)


def test_errors_say_what_to_do_and_hide_the_password(tmp_path: Path, postgres: str, database: Any) -> None:
    crm = Crm(tmp_path, postgres, "crm", "crm.nothing")
    result = crm.run()
    assert result.state == "failed" and "there is no such table or view; there are: deals" in (result.error or "")
    assert crm.run().load_id is None  # it is said once in the quarantine, and in every run
    for url, words in (
        (postgres.replace("pg-secret-1234", "wrong-secret"), "can't be read (OperationalError"),
        ("postgresql://u:wrong-secret@127.0.0.1:9/x", "can't be read (OperationalError"),
        ("not an address", "is no database address"),
        ("nosuchdb://u:wrong-secret@h/x", "no driver for 'nosuchdb'"),
    ):
        crm.connect_to(url)
        error = crm.run().error or ""
        assert words in error and "wrong-secret" not in error and "pg-secret" not in error
    (tmp_path / ".dlt" / "secrets.toml").unlink()
    assert "the secret 'connection' of source 'crm' is missing" in (crm.run().error or "")


def _ids(crm: Crm) -> list[tuple[Any, ...]]:
    with connect(":memory:") as con:
        create_views(con, Company.open(crm.root, {}))
        return con.execute("select deal_id from raw_files.deals").fetchall()


def test_a_check_says_what_is_missing(database: Any, postgres: str, tmp_path: Path) -> None:
    def check() -> list[tuple[bool, str]]:
        company = Company.open(tmp_path / "one", {})
        found = databases.check(company, Process.load(company.process_file), "oldcrm")
        return [(one.is_ok, one.advice) for one in found]

    crm = Crm(tmp_path / "one", postgres, "oldcrm", "crm.deals")
    assert check() == [(True, ""), (True, "")]
    Crm(tmp_path / "one", postgres, "oldcrm", "crm.deal")
    assert check()[1] == (
        False,
        "sources/oldcrm.yml: table crm.deal: there is no such table or view; there are: deals.",
    )
    Crm(tmp_path / "one", postgres, "oldcrm", "crm.deals")
    crm.connect_to("postgresql://nobody:secret-1@127.0.0.1:9/x")
    (_, (is_ok, advice)) = check()
    assert not is_ok and "can't be read" in advice and "secret-1" not in advice


def test_a_table_that_somebody_holds_does_not_hold_up_other_sources(
    database: Any, postgres: str, tmp_path: Path
) -> None:
    crm = Crm(tmp_path / "crm", postgres, "crm", "crm.deals")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "process.yml").write_text(PROCESS)
    lines = tmp_path / "users.jsonl"
    lines.write_text('{"id": "1"}\n')
    with ThreadPoolExecutor(1) as pool:
        with psycopg.connect(postgres) as holder:
            holder.execute("lock table crm.deals in access exclusive mode")
            run = pool.submit(crm.run)
            waits = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query ilike '%crm.deals%'"
            while database.execute(waits).fetchone() == (0,):
                assert not run.done(), run.result()
                time.sleep(0.05)
            other = Landing(Company.open(tmp_path / "other", {}), "callrail", received_at=datetime(2026, 7, 1))
            with other as landing:
                landing.records(RawTable("callrail", "users", (RawColumn("id", "varchar", "$.id"),), ("id",)), [lines])
                assert landing.commit() is not None
            assert not run.done()
        assert run.result().total.loaded == len(ROWS) + 3
