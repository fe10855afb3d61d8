"""A load that takes long is kept in parts: each adds up, a first load shows only when it is complete, and the next run knows where to go on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import duckdb

from ingestion import rawlog
from ingestion.landing.load import Landing
from ingestion.rawlog.accounting import TableCount
from ingestion.rawlog.declarations import RawTable
from salesgauge.settings import Company
from tests.ingestion.landing.conftest import RECEIVED_AT

Views = Callable[[], duckdb.DuckDBPyConnection]


def pages(folder: Path, *ids: str | None) -> Path:
    path = folder / "page.jsonl"
    path.write_text("\n".join(json.dumps({"id": one, "createdAt": "2026-01-01"}) for one in ids), encoding="utf-8")
    return path


def shown(views: Views) -> list[str]:
    return [row[0] for row in views().execute("select id from raw_hubspot.deals order by _load_id, _row").fetchall()]


def test_parts_of_a_first_load_show_when_it_is_complete(
    company: Company, deals_table: RawTable, views: Views, tmp_path: Path
) -> None:
    with Landing(company, "hubspot", received_at=RECEIVED_AT) as landing:  # a run that ends after its second part
        landing.records(deals_table, [pages(tmp_path, "1", "2")])
        landing.cursor("deals", {"after": "2"})
        first = landing.keep()
        landing.records(deals_table, [pages(tmp_path, "3", None)])
        landing.cursor("deals", {"after": "3"})
        second = landing.keep()
        landing.records(deals_table, [pages(tmp_path, "9")])
        assert landing.parts == [first, second]
        assert landing.total["deals"] == TableCount(5, 4, 1, 0)
    assert shown(views) == [] and not rawlog.has_loads(company, "hubspot")
    assert rawlog.cursors(company, "hubspot")["deals"] == {"after": "3"}
    before = rawlog.fingerprint(company)
    assert views().execute("select received, loaded, quarantined, duplicates from raw_log.loads order by load_id").fetchall() == [
        (2, 2, 0, 0),
        (2, 1, 1, 0),
    ]  # fmt: skip

    with Landing(company, "hubspot", received_at=RECEIVED_AT) as landing:
        landing.records(deals_table, [pages(tmp_path, "4")])
        landing.cursor("deals", {"updated_at": "2026-01-01"})
        last = landing.commit()
    assert [first, second, last] == rawlog.committed(company, "hubspot")
    assert shown(views) == ["1", "2", "3", "4"] and rawlog.has_loads(company, "hubspot")
    assert rawlog.cursors(company, "hubspot") == {"deals": {"updated_at": "2026-01-01"}}
    assert rawlog.fingerprint(company) != before


def test_parts_of_a_later_load_show_at_once(
    company: Company, deals_table: RawTable, views: Views, tmp_path: Path
) -> None:
    with Landing(company, "hubspot", received_at=RECEIVED_AT) as landing:
        landing.records(deals_table, [pages(tmp_path, "1")])
        landing.commit()
    with Landing(company, "hubspot", received_at=RECEIVED_AT) as landing:
        landing.records(deals_table, [pages(tmp_path, "2")])
        landing.keep()
        assert landing.keep() is None
    assert shown(views) == ["1", "2"]
    assert rawlog.cursors(company, "hubspot") == {}


def test_a_first_load_whose_parts_were_all_is_ended_by_the_commit(
    company: Company, deals_table: RawTable, views: Views, tmp_path: Path
) -> None:
    with Landing(company, "hubspot", received_at=RECEIVED_AT) as landing:
        landing.records(deals_table, [pages(tmp_path, "1")])
        landing.keep()
        assert landing.commit() is not None
        assert landing.total["deals"].loaded == 1
    assert shown(views) == ["1"]
