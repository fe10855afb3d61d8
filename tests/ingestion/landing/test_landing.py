"""What is received is loaded, quarantined with its reason, or counted as duplicate; and never lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ingestion.landing.load import Landing
from ingestion.rawlog.accounting import TableCount
from ingestion.rawlog.declarations import RawColumn, RawTable
from salesgauge.errors import SourceError
from salesgauge.settings import Company

Load = Callable[..., str | None]
Views = Callable[[], duckdb.DuckDBPyConnection]
GOOD: dict[str, Any] = {"id": "1", "createdAt": "2026-01-01T00:00:00Z"}


def counts(con: duckdb.DuckDBPyConnection) -> tuple[int, ...]:
    return con.execute(
        "select sum(received), sum(loaded), sum(quarantined), sum(duplicates) from raw_log.loads"
    ).fetchone()  # type: ignore[return-value]


def reasons(con: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    return con.execute("select line, record_key, reason from raw_log.quarantine order by load_id, line").fetchall()


MISFITS: list[tuple[dict[str, Any], str]] = [
    ({"id": None}, "id: is missing"),
    ({"id": "  "}, "id: is missing"),
    ({"createdAt": ""}, "created_at: is missing"),
    (
        {"createdAt": "yesterday"},
        "created_at: 'yesterday' is not a time like 2026-01-31T09:30:00Z between 1900 and 2200",
    ),
    ({"createdAt": "0001-01-01T00:00:00Z"}, "created_at: '0001-01-01T00:00:00Z' is not a time"),
    ({"createdAt": "infinity"}, "created_at: 'infinity' is not a time"),
    ({"createdAt": "epoch"}, "created_at: 'epoch' is not a time"),
    ({"createdAt": "2026-02-30"}, "created_at: '2026-02-30' is not a time"),
    ({"createdAt": {"a": 1}}, "created_at: '{\"a\":1}' is not a time"),
    ({"archived": "maybe"}, "is_archived: 'maybe' is not true or false"),
    ({"score": "1.5"}, "score: '1.5' is not a whole number"),
    ({"score": "99999999999999999999"}, "score: '99999999999999999999' is not a whole number"),
    ({"score": [1]}, "score: '[1]' is not a whole number"),
    ({"rate": "NaN"}, "rate: 'NaN' is not a number"),
    ({"rate": "1e999"}, "rate: '1e999' is not a number"),
    ({"to": "x"}, "to_ids: 'x' is not a value of type varchar[]"),
    ({"rate": "y" * 100}, f"rate: '{'y' * 60}…' is not a number"),
    ({"id": None, "score": "x"}, "id: is missing; score: 'x' is not a whole number"),
]
NO_RECORDS = [
    b"{bad",
    b'"text"',
    b"null",
    b"[]",
    b"  ",
    b'{"id": "2", "createdAt": "2026-01-01", "name": "\\ud800"}',
    b'{"id": "2", "createdAt": "2026-01-01", "name": "\xff"}',
    b'{"id": "2", "createdAt": "2026-01-01", "name": "\x01"}',
    b'{"id": "2", "createdAt": "2026-01-01", "name": "\x00"}',
    b'{"id": "2", "createdAt": "2026-01-01"} {"id": "3"}',
]


def test_a_value_that_does_not_fit_sends_its_record_to_quarantine(load: Load, views: Views) -> None:
    load([GOOD, *({**GOOD, "id": "bad", **change} for change, _ in MISFITS), {**GOOD, "id": "3"}])
    con = views()
    assert counts(con) == (len(MISFITS) + 2, 2, len(MISFITS), 0)
    assert con.execute("select id from raw_hubspot.deals order by _row").fetchall() == [("1",), ("3",)]
    for (line, key, said), (number, (change, reason)) in zip(reasons(con), enumerate(MISFITS, 2), strict=True):
        assert (line, said[: len(reason)]) == (number, reason)
        assert key == ("bad" if "id" not in change else change["id"] or "")


def test_a_line_that_is_no_record_is_quarantined_as_it_is(
    company: Company, deals_table: RawTable, views: Views
) -> None:
    good = b'{"id": "1", "createdAt": "2026-01-01"}'
    with Landing(company, "hubspot", received_at=datetime(2026, 7, 1)) as landing:
        for number, line in enumerate(NO_RECORDS):
            file = landing.folder / f"{number}.jsonl"
            file.write_bytes(good + b"\n" + line + b"\n" + good)
            assert landing.records(deals_table, [file]) == TableCount(3, 2, 1, 0), line
        landing.commit()
    con = views()
    assert [row[0] for row in reasons(con)] == [2] * len(NO_RECORDS)
    kept = con.execute("select sum(length(record)) from raw_log.quarantine").fetchone()
    assert kept is not None and kept[0] >= sum(map(len, NO_RECORDS))


def test_blank_lines_long_lines_and_line_ends_lose_nothing(load: Load, views: Views) -> None:
    long = b'{"id": "2", "createdAt": "2026-01-01", "x": "' + b"y" * 3_000_000 + b'"}'
    load(
        b'\n{"id": "1", "createdAt": "2026-01-01"}\r\n\n'
        + long
        + b'\n{"id": "3", "createdAt": "2026-01-01", "x": "\\u0000 \xc3\xa9"}\n\n'
    )
    con = views()
    assert counts(con) == (3, 3, 0, 0)
    assert con.execute("select id, length(record) > 3000000 from raw_hubspot.deals order by _row").fetchall() == [
        ("1", False),
        ("2", True),
        ("3", False),
    ]


def test_values_are_typed_and_the_record_is_kept_whole(load: Load, views: Views) -> None:
    record = {
        **GOOD,
        "createdAt": "2026-01-01T01:30:00.250+02:00",
        "archived": False,
        "score": 7,
        "rate": 0.5,
        "to": ["b", "a,c"],
        "other": {"x": [1]},
    }
    load_id = load([record])
    con = views()
    row = con.execute(
        "select id, created_at, updated_at, is_archived, score, rate, to_ids, _load_id, _loaded_at, _row from raw_hubspot.deals"
    ).fetchone()
    assert row == (
        "1",
        datetime(2025, 12, 31, 23, 30, 0, 250000),
        None,
        False,
        7,
        0.5,
        ["b", "a,c"],
        load_id,
        datetime(2026, 7, 1, 5),
        1,
    )
    assert con.execute("select record->>'$.other.x[0]' from raw_hubspot.deals").fetchone() == ("1",)


def test_rows_keep_the_order_of_files_and_calls(company: Company, views: Views, deals_table: RawTable) -> None:
    with Landing(company, "hubspot", received_at=datetime(2026, 7, 1)) as landing:
        files = []
        for number in range(3):
            file = landing.folder / f"{number}.jsonl"
            file.write_text("".join(f'{{"id": "{number}-{row}", "createdAt": "2026-01-01"}}\n' for row in range(3000)))
            files.append(file)
        first = landing.records(deals_table, files[:2])
        landing.records(deals_table, files[2:])
        assert first == TableCount(6000, 6000, 0, 0)
        assert landing.counts["deals"] == TableCount(9000, 9000, 0, 0)
        landing.commit()
    got = views().execute("select id, _row from raw_hubspot.deals order by _row").fetchall()
    assert got == [(f"{number}-{row}", number * 3000 + row + 1) for number in range(3) for row in range(3000)]


def test_duplicates_are_received_and_counted(load: Load, views: Views) -> None:
    load([GOOD], duplicates=4)
    assert counts(views()) == (5, 1, 0, 4)


def test_nothing_new_is_no_load(load: Load, company: Company) -> None:
    assert load([]) is None
    assert load([GOOD], cursor={"at": 1}) is not None
    assert load([], cursor={"at": 1}) is None
    assert load([], duplicates=3) is None
    assert load([], cursor={"at": 2}) is not None
    assert not list(company.work_dir.rglob("*.parquet"))


def test_a_relation_is_landed_with_its_own_reasons(company: Company, views: Views) -> None:
    table = RawTable(
        "hubspot",
        "deals",
        (
            RawColumn("id", "varchar", "$.id"),
            RawColumn("created_at", "timestamp", "", convert="make_timestamp(try_cast({value} as bigint))", expected="microseconds since 1970"),
        ),
        ("id",),
    )  # fmt: skip
    rows = "(values ('a', '1767225600000000', null), ('b', 'x', null), ('c', '1', 'refused')) as t(id, created_at, _reason)"
    with Landing(company, "hubspot", received_at=datetime(2026, 7, 1)) as landing:
        count = landing.relation(table, f"select *, '{{}}' as record from {rows}")
        assert count == TableCount(3, 1, 2, 0)
        with pytest.raises(SourceError, match="lacks the columns created_at"):
            landing.relation(table, "select 'a' as id, '{}' as record")
        landing.commit()
    con = views()
    assert con.execute("select id, created_at from raw_hubspot.deals").fetchall() == [("a", datetime(2026, 1, 1))]
    assert [row[2] for row in reasons(con)] == ["created_at: 'x' is not microseconds since 1970", "refused"]


def test_a_load_that_fails_leaves_nothing(company: Company, deals_table: RawTable, views: Views) -> None:
    def fail() -> None:
        with Landing(company, "hubspot", received_at=datetime(2026, 7, 1)) as landing:
            file = landing.folder / "a.jsonl"
            file.write_text('{"id": "1", "createdAt": "2026-01-01"}')
            landing.records(deals_table, [file])
            raise SourceError("the source broke off")

    with pytest.raises(SourceError, match="broke off"):
        fail()
    assert views().execute("select count(*) from raw_hubspot.deals").fetchone() == (0,)
    assert not [path for path in company.var.rglob("*") if path.is_file()]


def test_dlt_takes_the_files_as_they_are(company: Company, deals_table: RawTable) -> None:
    with Landing(company, "hubspot", received_at=datetime(2026, 7, 1)) as landing:
        file = landing.folder / "a.jsonl"
        file.write_text('{"id": "1", "createdAt": "2026-01-01"}')
        landing.records(deals_table, [file])
        (written,) = landing.folder.glob("deals.*.parquet")
        content = written.read_bytes()
        landing.commit()
    (kept,) = Path(company.raw_dir / "hubspot" / "deals").glob("*.parquet")
    assert kept.read_bytes() == content
