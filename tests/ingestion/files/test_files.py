"""Which files are read: new and changed ones, those that are missing, can't be read, grow meanwhile, or are refused and mended."""

from __future__ import annotations

import hashlib
import os
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ingestion import TableCount
from ingestion.files.land import land
from ingestion.files.run import check
from tests.ingestion.files.mappings import DEALS, HEADER, STAGES


def test_only_what_changed_is_read_again(crm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    crm.mapping(DEALS)
    crm.data("deals_1.csv", HEADER + "1,5,,,,\n")
    second = crm.data("deals_2.csv", HEADER + "2,6,,,,\n")
    first = crm.run()
    assert (first.state, first.requests) == ("loaded", 2)

    monkeypatch.setattr(hashlib, "file_digest", lambda file, _: pytest.fail(f"{file.name} was read"))
    again = crm.run()
    assert (again.state, again.requests, again.tables, again.load_id) == ("unchanged", 0, {}, None)
    monkeypatch.undo()

    os.utime(second, (1, 1))  # touched, not changed
    assert crm.run().state == "unchanged"

    crm.data("deals_2.csv", HEADER + "2,7,,,,\n3,8,,,,\n")
    changed = crm.run()
    assert (changed.state, changed.requests, changed.total) == ("loaded", 1, TableCount(2, 2, 0, 0))
    crm.data("deals_3.csv", HEADER + "4,8,,,,\n")
    assert crm.run().total == TableCount(1, 1, 0, 0)

    newest = "select deal_id, amount from raw_files.deals order by 1"
    assert crm.rows(newest) == [("1", 5), ("2", 7), ("3", 8), ("4", 8)]

    crm.mapping(DEALS.replace("currency: EUR", "currency: USD"))  # the mapping says something else now
    assert crm.run().requests == 3
    assert crm.run().state == "unchanged"


def test_a_refused_file_is_taken_once_it_is_mended(crm: Any) -> None:
    crm.mapping(DEALS)
    crm.data("deals_1.csv", HEADER + "1,5,,,,\n")
    crm.data("deals_2.csv", "id,value\n2,6\n")
    result = crm.run()
    assert (result.state, result.total) == ("failed", TableCount(2, 1, 1, 0))
    assert crm.rows("select deal_id from raw_files.deals") == [("1",)]
    crm.data("deals_2.csv", HEADER + "2,6,,,,\n")
    result = crm.run()
    assert (result.state, result.error) == ("loaded", None)
    assert crm.rows("select deal_id from raw_files.deals order by 1") == [("1",), ("2",)]


def test_a_path_without_files_is_told_unless_it_is_optional(crm: Any) -> None:
    crm.mapping(DEALS)
    assert (
        crm.run().error
        == "no file matches 'deals_*.csv' in the data directory (set `optional: true` if that is no mistake)"
    )
    crm.mapping(DEALS + "    optional: true\n")
    assert (crm.run().state, crm.run().error) == ("unchanged", None)


def test_two_sources_show_in_one_view_and_a_removed_one_in_none(crm: Any) -> None:
    import ingestion

    for name in ("crm", "old"):
        crm.mapping(
            f"files:\n  - {{path: {name}.csv, entity: products, key: id, columns: {{name: name}}}}\n", name=name
        )
        crm.data(f"{name}.csv", f"id,name\n1,{name}\n")
    ingestion.extract(crm.company, crm.process, received_at=datetime(2026, 7, 1))
    before = ingestion.rawlog.fingerprint(crm.company)
    assert crm.rows("select source, product_id, name from raw_files.products order by 1") == [
        ("crm", "1", "crm"),
        ("old", "1", "old"),
    ]
    (crm.company.sources_dir / "old.yml").unlink()
    assert crm.rows("select source, name from raw_files.products") == [("crm", "crm")]
    assert ingestion.rawlog.fingerprint(crm.company) != before


def test_an_unreadable_file_does_not_stop_the_others(crm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    crm.mapping(DEALS)
    path = crm.data("deals_1.csv", HEADER)
    opened = Path.open

    def refuse(self: Path, *arguments: Any, **options: Any) -> Any:
        if self == path:
            raise PermissionError(13, "Permission denied")
        return opened(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse)
    crm.data("deals_2.csv", HEADER + "2,6,,,,\n")
    result = crm.run()
    assert (result.state, result.error) == ("failed", "deals_1.csv: can't be read: Permission denied")
    assert crm.rows("select deal_id from raw_files.deals") == [("2",)]


def test_a_changed_file_or_mapping_replaces_what_came_from_it(crm: Any) -> None:
    rows = "select deal_id, _file from raw_files.deals order by 1"
    events = "select subject_id, stage from raw_files.stage_events order by 1, 2"
    mapping = STAGES.replace("path: deals.csv", 'path: "deals*.csv"')
    header = "id,stage,begun,closed,paid,pipe\n"
    crm.mapping(mapping)
    crm.data("deals1.csv", header + "a,Won,2026-01-01,2026-01-02,,\nb,Open,2026-01-01,,,\n")
    moved = crm.data("deals2.csv", header + "c,Open,2026-01-01,,,\n")
    crm.run()
    assert crm.rows(rows) == [("a", "deals1.csv"), ("b", "deals1.csv"), ("c", "deals2.csv")]
    assert crm.rows(events) == [("a", "proposal"), ("a", "won"), ("b", "proposal"), ("c", "proposal")]

    crm.data("deals1.csv", header + "a,Open,2026-01-01,2026-01-02,,\n")
    moved.unlink()  # a file that is moved away keeps its rows
    crm.run()
    assert crm.rows(rows) == [("a", "deals1.csv"), ("c", "deals2.csv")]
    assert crm.rows(events) == [("a", "proposal"), ("c", "proposal")]

    crm.mapping(mapping.replace("proposal: begun, ", ""))  # for files that are there the mapping of today holds
    crm.run()
    assert crm.rows(rows) == [("a", "deals1.csv"), ("c", "deals2.csv")]
    assert crm.rows(events) == [("c", "proposal")]

    crm.data("deals1.csv", "id,stage\nx,Won\n")  # refused: the version before stays
    assert "deals1.csv: refused: it lacks" in str(crm.run().error)
    assert crm.rows(rows) == [("a", "deals1.csv"), ("c", "deals2.csv")]

    crm.data("deals1.csv", header)  # no rows any more
    crm.run()
    assert crm.rows(rows) == [("c", "deals2.csv")]

    crm.data("deals2.csv", header + "c,Open,2026-01-01,,,\n")  # back again, and no longer named
    crm.mapping(mapping.replace('path: "deals*.csv"', "path: deals1.csv"))
    crm.run()
    assert crm.rows(rows) == []
    assert crm.run().state == "unchanged"


def test_a_check_tells_what_is_there(crm: Any) -> None:
    crm.mapping(DEALS + "  - {path: users.csv, entity: users, key: id, optional: true}\n")
    found = check(crm.company, crm.process, "crm")
    assert [(one.what, one.is_ok) for one in found] == [
        ("sources/crm.yml", True),
        ("deals_*.csv in the data directory: 0 files for deals", False),
        ("users.csv in the data directory: 0 files for users", True),
    ]
    path = crm.data("deals_1.csv", HEADER)
    assert all(one.is_ok for one in check(crm.company, crm.process, "crm"))
    crm.mapping(DEALS.replace("entity: deals", "entity: deal"))
    (finding,) = check(crm.company, crm.process, "crm")
    assert not finding.is_ok and "is no entity" in finding.advice
    path.unlink()


def test_a_file_that_can_not_be_read_keeps_its_rows(crm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    crm.mapping(DEALS)
    path = crm.data("deals_1.csv", HEADER + "1,5,,,,\n")
    crm.run()
    path.write_text(HEADER + "1,6,,,,\n2,7,,,,\n")
    with monkeypatch.context() as patch:
        patch.setattr("ingestion.files.run.state_of_read", _no_permission)
        result = crm.run()
    assert result.state == "failed" and "deals_1.csv: can't be read: Permission denied" in result.error
    assert crm.rows("select amount from raw_files.deals") == [(Decimal("5.00"),)]
    assert crm.run().state == "loaded"
    assert crm.rows("select count(*) from raw_files.deals") == [(2,)]


def _no_permission(*_: Any) -> None:
    raise PermissionError(13, "Permission denied")


def test_a_file_that_grows_while_it_is_read_is_read_again(crm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    crm.mapping(DEALS)
    path = crm.data("deals_1.csv", HEADER + "1,5,,,,\n")

    def land_and_grow(*given: Any) -> Any:
        refused = land(*given)
        path.write_text(path.read_text() + "2,7,,,,\n")
        return refused

    with monkeypatch.context() as patch:
        patch.setattr("ingestion.files.run.land", land_and_grow)
        result = crm.run()
    assert result.state == "failed" and "deals_1.csv: changed while it was read" in result.error
    assert crm.run().state == "loaded"
    assert crm.rows("select count(*) from raw_files.deals") == [(2,)]
    assert crm.run().state == "unchanged"


def test_a_file_that_was_away_while_its_mapping_changed_is_mapped_anew(crm: Any) -> None:
    mapping = "files:\n  - path: '*.csv'\n    entity: deals\n    key: id\n    columns: {name: %s}\n"
    crm.mapping(mapping % "name")
    path = crm.data("a.csv", "id,name,title\n1,Roof,Attic\n")
    crm.data("b.csv", "id,name,title\n2,Bath,Sauna\n")
    crm.run()
    away = path.rename(crm.company.root / "a.csv")
    crm.mapping(mapping % "title")
    crm.run()
    assert crm.rows("select name from raw_files.deals order by deal_id") == [("Roof",), ("Sauna",)]
    away.rename(path)
    crm.run()
    assert crm.rows("select name from raw_files.deals order by deal_id") == [("Attic",), ("Sauna",)]
