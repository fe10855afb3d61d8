"""Which loads count, in which order, and what the views show of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from ingestion import rawlog
from ingestion.landing.load import Landing
from ingestion.rawlog import commit
from ingestion.rawlog.declarations import RawTable
from salesgauge.entities import DUCKDB_TYPES, ENTITIES
from salesgauge.errors import SourceError
from salesgauge.settings import Company

Load = Callable[..., str | None]
Views = Callable[[], duckdb.DuckDBPyConnection]
RECORD = {"id": "1", "createdAt": "2026-01-01"}


def ids(con: duckdb.DuckDBPyConnection) -> list[str]:
    return [row[0] for row in con.execute("select id from raw_hubspot.deals order by _load_id, _row").fetchall()]


def test_load_ids_follow_each_other_whatever_the_clock_says(load: Load, company: Company) -> None:
    moment = datetime(2026, 7, 1)
    loads = [
        load([RECORD], received_at=at)
        for at in (moment, moment, moment - timedelta(days=9), moment + timedelta(seconds=1))
    ]
    assert loads == sorted(set(loads), key=str)
    assert rawlog.committed(company, "hubspot") == loads
    assert loads[0] == "1782864000.000000"


def test_views_exist_before_anything_was_loaded(views: Views) -> None:
    con = views()
    described = con.execute("describe raw_hubspot.deals").fetchall()
    assert [row[0] for row in described][-4:] == ["_load_id", "_loaded_at", "_row", "record"]
    for entity in ENTITIES.values():
        columns = {row[0]: row[1].lower() for row in con.execute(f"describe raw_files.{entity.name}").fetchall()}
        for column in entity.columns:
            assert columns[column.name].replace(" ", "") == DUCKDB_TYPES[column.type].replace(" ", "")
        assert list(columns)[len(entity.columns) :] == [
            "source",
            "_file",
            "_line",
            "_load_id",
            "_loaded_at",
            "_row",
            "record",
            "_file_order",
        ]
    assert con.execute("select count(*) from raw_log.loads").fetchone() == (0,)
    assert con.execute("select count(*) from raw_log.quarantine").fetchone() == (0,)


def test_the_types_of_a_view_do_not_depend_on_its_files(load: Load, views: Views) -> None:
    before = views().execute("describe raw_hubspot.deals").fetchall()
    load([RECORD])
    assert views().execute("describe raw_hubspot.deals").fetchall() == before


def test_files_of_a_load_without_a_mark_are_never_read(load: Load, views: Views, company: Company) -> None:
    first = load([RECORD])
    second = load([{**RECORD, "id": "2"}, {"id": "3"}], cursor={"at": 2})
    marks = company.raw_dir / "hubspot" / "_dlt_loads"
    (mark,) = marks.glob(f"*{second}*")
    content = mark.read_text()
    for broken in ("", content[: len(content) // 2]):  # killed while it was written
        mark.write_text(broken)
        con = views()
        assert ids(con) == ["1"]
        assert con.execute("select count(*) from raw_log.quarantine").fetchone() == (0,)
        assert con.execute("select list(load_id) from raw_log.loads").fetchone() == ([first],)
        assert rawlog.last_cursor(company, "hubspot", "deals") is None
    third = load([{**RECORD, "id": "4"}])
    assert str(third) > str(second)
    assert ids(views()) == ["1", "4"]


def test_a_sweep_removes_leftovers_and_nothing_else(load: Load, views: Views, company: Company) -> None:
    loads = [load([{**RECORD, "id": str(number)}]) for number in range(3)]
    folder = company.raw_dir / "hubspot"
    for load_id in (loads[1], loads[2]):
        (mark,) = (folder / "_dlt_loads").glob(f"*{load_id}*")
        if load_id == loads[1]:
            mark.unlink()
    newer = folder / "deals" / "9999999999.000000.aa.parquet"
    newer.write_bytes(b"a load that is being written")
    assert ids(views()) == ["0", "2"]
    assert rawlog.sweep(company) == 2  # deals and accounting of the second load
    assert ids(views()) == ["0", "2"]
    assert newer.exists()
    assert rawlog.sweep(company) == 0


def test_cursors_are_carried_from_load_to_load(load: Load, company: Company, deals_table: RawTable) -> None:
    load([RECORD], cursor={"updated_at": "2026-01-01", "ids": ["a"]})
    with Landing(company, "hubspot", received_at=datetime(2026, 7, 2)) as landing:
        landing.cursor("contacts", 5)
        landing.commit()
    assert rawlog.last_cursor(company, "hubspot", "deals") == {"updated_at": "2026-01-01", "ids": ["a"]}
    assert rawlog.last_cursor(company, "hubspot", "contacts") == 5
    assert rawlog.last_cursor(company, "hubspot", "tasks") is None
    assert rawlog.last_cursor(company, "typeform", "responses") is None


def test_the_fingerprint_changes_with_committed_loads_only(load: Load, company: Company) -> None:
    empty = rawlog.fingerprint(company)
    load([RECORD])
    loaded = rawlog.fingerprint(company)
    assert loaded != empty
    (company.raw_dir / "hubspot" / "deals" / "1000000000.000000.aa.parquet").write_bytes(b"leftover")
    load([])
    assert rawlog.fingerprint(company) == loaded
    assert rawlog.has_loads(company, "hubspot")
    assert not rawlog.has_loads(company, "typeform")


def test_a_raw_log_that_cannot_be_written_commits_nothing(
    load: Load, company: Company, views: Views, monkeypatch: pytest.MonkeyPatch
) -> None:
    load([RECORD])
    blocked = company.raw_dir / "hubspot" / "_quarantine"
    blocked.write_bytes(b"a file where a folder should be")
    with pytest.raises(SourceError, match="could not be written"):
        load([{**RECORD, "id": "2"}, {"id": "3"}])
    assert ids(views()) == ["1"]
    blocked.unlink()
    load([{**RECORD, "id": "2"}, {"id": "3"}])
    assert ids(views()) == ["1", "2"]


def test_dlt_reads_no_settings_from_outside(
    load: Load, views: Views, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DESTINATION__FILESYSTEM__BUCKET_URL", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "true")
    monkeypatch.setenv("LOAD__WORKERS", "no number")
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home)
    load([RECORD])
    assert ids(views()) == ["1"]
    assert not list(home.iterdir())
    assert not (tmp_path / "elsewhere").exists()


def test_a_package_whose_name_dlt_ignores_is_an_error(
    company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should a later dlt not take our load id, we must hear of it."""
    from contextlib import nullcontext

    monkeypatch.setattr(commit, "_load_id", lambda load_id: nullcontext())
    file = tmp_path / "a.parquet"
    duckdb.execute(f"copy (select 1 as x) to '{file}'")
    work = tmp_path / "work"
    work.mkdir()
    with pytest.raises(SourceError, match="did not mark load 1700000000"):
        commit.commit(company.raw_dir, work, "hubspot", "1700000000.000000", {"deals": [file]})


@pytest.mark.parametrize("left", [None, "", '{"initial_ver'])
def test_a_folder_that_a_killed_first_load_left_half_made_is_finished(
    load: Load, company: Company, left: str | None
) -> None:
    dataset = company.raw_dir / "hubspot"
    dataset.mkdir(parents=True)
    if left is not None:
        (dataset / "init").write_text(left, encoding="utf-8")
    assert load([RECORD]) is not None and load([RECORD]) is not None
    assert len(rawlog.committed(company, "hubspot")) == 2
