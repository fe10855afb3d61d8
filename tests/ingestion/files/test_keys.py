"""Rows of one file that share a key: counted as duplicates or older versions, or the sign that the key is none."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from ingestion import TableCount

DEALS = "files:\n  - {path: 'd*', format: csv, entity: deals, key: no, columns: {name: title, amount: value}}\n"
LOG = (
    "files:\n  - {path: log.csv, entity: stage_events, key: nr, columns: {deal: case, stage: what, at: when}, "
    "dates: {format: iso8601, timezone: UTC}}\n"
)


def _deals(rows: list[str]) -> str:
    return "no,title,value\n" + "".join(f"{row}\n" for row in rows)


def _loads(crm: Any) -> list[tuple[object, ...]]:
    return list(
        crm.rows("select received, loaded, quarantined, duplicates, superseded from raw_log.loads where received > 0")
    )


@pytest.mark.parametrize(
    ("rows", "loaded", "duplicates", "superseded", "names"),
    [
        (["1,A,5", "2,B,5", "1,A,5"], 2, 1, 0, ["B", "A"]),
        (["1,A,5", "2,B,5", "1,A,6"], 3, 0, 1, ["A", "B", "A"]),
        # again as it was before: the state of the last line counts
        (["1,A,5", "1,B,5", "1,A,5", "2,C,5"], 3, 1, 1, ["B", "A", "C"]),
        # what differs in a column that is not mapped, or in blanks, is another row
        (["1,A,5", "1, A,5"], 2, 0, 1, ["A", "A"]),
        # a file that was appended to itself
        (["1,A,5", "2,B,5", "3,C,5"] * 40, 3, 117, 0, ["A", "B", "C"]),
    ],
)
def test_rows_with_one_key_are_counted(
    crm: Any, rows: list[str], loaded: int, duplicates: int, superseded: int, names: list[str]
) -> None:
    crm.mapping(DEALS)
    crm.data("d.csv", _deals(rows))
    result = crm.run()
    assert result.error is None
    assert result.total == TableCount(len(rows), loaded, 0, duplicates, superseded)
    assert _loads(crm) == [(len(rows), loaded, 0, duplicates, superseded)]
    assert [row[0] for row in crm.rows("select name from raw_files.deals order by _row")] == names


def test_what_shares_a_key_is_said(crm: Any) -> None:
    crm.mapping(DEALS)
    crm.data("d.csv", _deals(["1,A,5", "2,B,5", "1,A,6", "2,B,5"]))
    (note,) = crm.run().notes
    assert note == (
        "deals: 1 row is a duplicate (left out), 1 row is an older version of a record (superseded): rows of a file share a key, "
        "such as d.csv lines 2 and 4"
    )


def test_rows_in_quarantine_share_no_key(crm: Any) -> None:
    crm.mapping(DEALS)
    crm.data("d.csv", _deals(["1,A,5", "1,A,much", ",B,5", ",C,5"]))
    assert crm.run().total == TableCount(4, 1, 3, 0, 0)


def test_stage_events_are_made_of_the_rows_that_stay(crm: Any) -> None:
    crm.mapping(
        "files:\n  - {path: d.csv, entity: deals, key: no, columns: {created_at: begun}, dates: {format: '%Y-%m-%d', timezone: UTC}, "
        "stages: {entered: {proposal: begun}}}\n"
    )
    crm.data("d.csv", "no,begun\n1,2026-01-01\n1,2026-01-01\n2,2026-01-02\n")
    assert crm.run().tables == {"deals": TableCount(3, 2, 0, 1, 0), "stage_events": TableCount(2, 2, 0, 0)}


@pytest.mark.parametrize("kind", ["parquet", "jsonl", "excel"])
def test_in_other_formats_too(crm: Any, kind: str) -> None:
    suffix = {"excel": "xlsx"}.get(kind, kind)
    crm.mapping(f"files:\n  - {{path: d.{suffix}, entity: deals, key: no, columns: {{name: title}}}}\n")
    rows = [("1", "A"), ("2", "B"), ("1", "A"), ("2", "C")]
    path = crm.data(f"d.{suffix}", b"")
    if kind == "excel":
        from openpyxl import Workbook

        book = Workbook()
        for row in [("no", "title"), *rows]:
            book.active.append(row)
        book.save(path)
    else:
        values = ", ".join(f"('{number}', '{title}')" for number, title in rows)
        form = "json" if kind == "jsonl" else "parquet"
        duckdb.sql(f"copy (select * from (values {values}) t(no, title)) to '{path}' (format {form})")
    assert crm.run().total == TableCount(4, 3, 0, 1, 1)
    assert [row[0] for row in crm.rows("select name from raw_files.deals order by _row")] == ["B", "A", "C"]


def test_a_key_that_is_unique_within_a_case_only_is_refused(crm: Any) -> None:
    crm.mapping(LOG)
    events = [
        f"K{case},step {number},2026-02-{case:02d}T10:0{number}:00,{number}" for case in (1, 2) for number in (1, 2, 3)
    ]
    crm.data("log.csv", "case,what,when,nr\n" + "\n".join(events) + "\n")
    result = crm.run()
    assert result.state == "failed"
    assert result.error == (
        "log.csv: refused: its key is none: rows of different cases share a value of 'nr', such as "
        "line 2 (nr: 1, case: K1, when: 2026-02-01T10:01:00) and line 5 (nr: 1, case: K2, when: 2026-02-02T10:01:00). "
        "Name the columns that together are unique, for example `key: [nr, case]`, or leave `key` out: then each row is a record."
    )
    assert crm.rows("select * from raw_files.stage_events") == []
    crm.mapping(LOG.replace("key: nr, ", ""))
    assert crm.run().total == TableCount(6, 6, 0, 0)
    crm.mapping(LOG.replace("key: nr", "key: [nr, case]"))
    assert crm.run().total == TableCount(6, 6, 0, 0)


def test_a_log_tells_of_its_cases_too(crm: Any) -> None:
    """A row per event: of a case they differ in what is not mapped only."""
    deals = "files:\n  - {path: log.csv, entity: deals, key: case, columns: {name: case, owner: who}}\n"
    crm.mapping(deals)
    events = [f"K{number // 4},step {number},ann" for number in range(40)]
    crm.data("log.csv", "case,what,who\n" + "\n".join(events) + "\n")
    result = crm.run()
    assert (result.error, result.total) == (None, TableCount(40, 40, 0, 0, 30))
    # who did the last step is no owner of the case
    crm.data("log.csv", "case,what,who\n" + "\n".join(event.replace("ann", f"p{number}") for number, event in enumerate(events)) + "\n")  # fmt: skip
    assert "30 of 40 rows share their value of 'case' with another row that says something else" in str(crm.run().error)


def test_one_event_of_another_case_is_enough(crm: Any) -> None:
    crm.mapping(LOG)
    events = [f"K{number // 4},s,2026-02-01T10:00:00,{number}" for number in range(400)]
    crm.data("log.csv", "case,what,when,nr\n" + "\n".join([*events, "K99,s,2026-02-01T10:00:00,7"]) + "\n")
    assert "line 9 (nr: 7, case: K1) and line 402 (nr: 7, case: K99)" in str(crm.run().error)


@pytest.mark.parametrize(
    ("rows", "versions", "is_refused"),
    [(8, 1, False), (8, 4, False), (12, 6, True), (99, 4, False), (200, 2, False), (200, 3, True), (5000, 50, False), (5000, 51, True)],
)  # fmt: skip
def test_a_key_that_many_rows_share_is_none(crm: Any, rows: int, versions: int, is_refused: bool) -> None:
    crm.mapping(DEALS)
    crm.data("d.csv", _deals([f"{number % (rows - versions)},Deal {number},5" for number in range(rows)]))
    result = crm.run()
    assert (result.state == "failed") == is_refused
    if is_refused:
        assert f"{versions:,} of {rows:,} rows share their value of 'no'" in result.error
        assert f"line 2 (no: 0, title: Deal 0) and line {rows - versions + 2:,} (no: 0, title: Deal {rows - versions})" not in result.error  # fmt: skip
        assert f"line 2 (no: 0) and line {rows - versions + 2:,} (no: 0)" in result.error
    else:
        assert result.total == TableCount(rows, rows, 0, 0, versions)


def test_a_file_whose_key_is_none_stops_no_other(crm: Any) -> None:
    crm.mapping(DEALS)
    crm.data("d1.csv", _deals([f"7,Deal,{number}" for number in range(30)]))
    crm.data("d2.csv", _deals(["1,A,5"]))
    result = crm.run()
    assert "d1.csv: refused: its key is none: 29 of 30 rows" in str(result.error)
    assert "line 2 (no: 7, value: 0) and line 3 (no: 7, value: 1)" in str(result.error)
    assert crm.rows("select name from raw_files.deals") == [("A",)]


def test_rows_that_say_when_they_changed_are_versions_however_many(crm: Any) -> None:
    dated = DEALS.replace(
        "amount: value}", "amount: value, updated_at: changed}, dates: {format: iso8601, timezone: UTC}"
    )
    crm.mapping(dated)
    rows = [f"{deal},Deal,{week},2026-01-{week:02d}" for week in range(1, 11) for deal in range(20)]
    crm.data("d.csv", "no,title,value,changed\n" + "\n".join(rows) + "\n")
    assert crm.run().total == TableCount(200, 200, 0, 0, 180)
    # changed at the same moment into different things: no versions
    crm.data("d.csv", "no,title,value,changed\n" + "\n".join(rows).replace("-10", "-09") + "\n")
    assert "line 162 (no: 0, value: 9) and line 182 (no: 0, value: 10)" in str(crm.run().error)


def test_a_list_of_deals_may_be_the_list_of_its_users_too(crm: Any) -> None:
    crm.mapping(
        "files:\n  - {path: d.csv, entity: deals, key: no, columns: {name: title}}\n"
        "  - {path: d.csv, entity: users, key: rep, columns: {name: rep, team: team}}\n"
    )
    rows = [f"{number},Deal {number},Rep {number % 5},{number % 5 % 2}" for number in range(400)]
    crm.data("d.csv", "no,title,rep,team\n" + "\n".join([*rows, "400,Deal,Rep 1,moved"]) + "\n")
    result = crm.run()
    assert result.error is None
    assert result.tables["users"] == TableCount(401, 6, 0, 395, 1)
    assert crm.rows("select user_id, team from raw_files.users order by _row") == [
        ("Rep 0", "0"), ("Rep 1", "1"), ("Rep 2", "0"), ("Rep 3", "1"), ("Rep 4", "0"), ("Rep 1", "moved"),
    ]  # fmt: skip
    # a team is no rep
    crm.mapping(
        (crm.company.sources_dir / "crm.yml")
        .read_text()
        .replace("key: rep, columns: {name: rep, team: team}", "key: team, columns: {name: title}")
    )
    assert "its key is none: 398 of 401 rows share their value of 'team'" in str(crm.run().error)
