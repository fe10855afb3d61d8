"""Overlaps, whole listings, records that vanish and come back: only what is new is loaded."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ingestion import rawlog
from ingestion.landing.changes import Changes, absences_table
from ingestion.landing.load import Landing
from ingestion.rawlog.accounting import TableCount
from ingestion.rawlog.declarations import RawColumn, RawTable
from salesgauge.errors import SourceError
from salesgauge.settings import Company
from salesgauge.warehouse import connect

SOURCE = "jobber"
TABLE = RawTable(
    SOURCE, "visits", (RawColumn("id", "varchar", "$.id"), RawColumn("n", "bigint", "$.n", required=True)), ("id",)
)
START = datetime(2026, 7, 1, 5)


@pytest.fixture
def company(tmp_path: Path) -> Company:
    (tmp_path / "process.yml").write_text("company: {}\n")
    return Company.open(tmp_path, {})


class Runs:
    """Syncs of one source, an hour apart."""

    def __init__(self, company: Company) -> None:
        self.company, self.number = company, 0

    def sync(self, *parts: Iterable[Any], complete: bool = False) -> tuple[TableCount, TableCount]:
        """The counts of the table and of the absences."""
        self.number += 1
        at = START + timedelta(hours=self.number)
        with (
            Landing(self.company, SOURCE, received_at=at) as landing,
            Changes(self.company, landing, received_at=at) as changes,
        ):
            for records in parts:
                changes.write(TABLE, records)
            if complete:
                changes.complete(TABLE)
            changes.land()
            landing.commit()
            return landing.counts.get("visits", TableCount()), landing.counts.get("absences", TableCount())

    def newest(self, table: RawTable = TABLE) -> list[tuple[Any, ...]]:
        """The newest versions in the raw log."""
        columns = ", ".join(column.name for column in table.columns)
        with connect(":memory:") as con:
            return con.execute(
                f"select {columns} from ({rawlog.relation(self.company, table)}) "
                f"qualify row_number() over (partition by {', '.join(table.key)} order by _load_id desc, _row desc) = 1 order by all"
            ).fetchall()


def test_only_what_changed_is_loaded(company: Company) -> None:
    runs = Runs(company)
    first = [{"id": str(one), "n": one} for one in range(5)]
    assert runs.sync(first)[0] == TableCount(5, 5, 0, 0)
    assert runs.sync(first, first)[0] == TableCount(10, 0, 0, 10)
    assert runs.sync([{**first[3], "n": 33}, *first[:2], {"id": "9", "n": 9}])[0] == TableCount(4, 2, 0, 2)
    assert runs.newest() == [("0", 0), ("1", 1), ("2", 2), ("3", 33), ("4", 4), ("9", 9)]


def test_a_record_that_changes_while_it_is_read_ends_as_it_was_last_seen(company: Company) -> None:
    runs = Runs(company)
    runs.sync([{"id": "1", "n": 1}])
    there, back = {"id": "1", "n": 2}, {"id": "1", "n": 1}
    assert runs.sync([there, there, back])[0] == TableCount(3, 2, 0, 1)
    assert runs.newest() == [("1", 1)]


def test_a_bad_record_is_quarantined_once_and_again_when_it_changed(company: Company) -> None:
    runs = Runs(company)
    bad = [{"id": "1", "n": "x"}, {"n": 2}, [1], "text"]
    assert runs.sync([*bad, {"id": "2", "n": 2}])[0] == TableCount(5, 1, 4, 0)
    assert runs.sync(bad)[0] == TableCount(4, 0, 0, 4)
    assert runs.sync([{"id": "1", "n": "y"}])[0] == TableCount(1, 0, 1, 0)
    assert runs.sync([{"id": "1", "n": 7}])[0] == TableCount(1, 1, 0, 0)


def test_a_table_of_bad_records_only_is_quarantined_once(company: Company) -> None:
    runs = Runs(company)
    bad = [{"id": "1", "n": "x"}, {"id": "2"}]
    assert runs.sync(bad)[0] == TableCount(2, 0, 2, 0)
    assert [runs.sync(bad)[0] for _ in range(2)] == [TableCount(2, 0, 0, 2)] * 2
    assert len(rawlog.committed(company, SOURCE)) == 1
    assert runs.sync([*bad, {"id": "3", "n": 3}])[0] == TableCount(3, 1, 0, 2)


def test_a_full_listing_tells_what_is_gone_and_what_came_back(company: Company) -> None:
    runs = Runs(company)
    records = [{"id": str(one), "n": one} for one in range(30)]
    assert runs.sync(records, complete=True)[1] == TableCount()
    assert runs.sync(records[2:], complete=True)[1] == TableCount(2, 2, 0, 0)
    assert runs.sync(records[2:], complete=True)[1] == TableCount()
    assert runs.sync(records[1:], complete=True)[1] == TableCount(1, 1, 0, 0)
    gone = {(row[1], row[2]) for row in runs.newest(absences_table(SOURCE))}
    assert gone == {("0", True), ("1", False)}
    with pytest.raises(SourceError, match=r"lacks 29 of 29 known records.*accept_deletions"):
        runs.sync([], complete=True)


def test_threads_may_write_at_once(company: Company) -> None:
    runs = Runs(company)
    with (
        Landing(company, SOURCE, received_at=START) as landing,
        Changes(company, landing, received_at=START) as changes,
        ThreadPoolExecutor(4) as pool,
    ):
        list(
            pool.map(
                lambda part: changes.write(TABLE, [{"id": f"{part}-{one}", "n": one} for one in range(200)]), range(20)
            )
        )
        changes.land()
        landing.commit()
        assert landing.counts["visits"] == TableCount(4000, 4000, 0, 0)
    assert len(runs.newest()) == 4000


def test_what_comes_twice_in_a_first_load_is_loaded_once(company: Company) -> None:
    runs = Runs(company)
    rows = [{"id": str(one), "n": one} for one in range(5)]
    count, _ = runs.sync(rows, rows, [{"id": "3", "n": 33}, {"id": "3", "n": 33}])
    assert (count.received, count.loaded, count.duplicates) == (12, 6, 6)
    assert sorted(runs.newest()) == [("0", 0), ("1", 1), ("2", 2), ("3", 33), ("4", 4)]
