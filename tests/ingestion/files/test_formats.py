"""Files of each format: Excel, Parquet, JSON lines; odd names, and files that are damaged."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from ingestion import TableCount


def test_excel(crm: Any) -> None:
    from openpyxl import Workbook

    book = Workbook()
    book.active.title = "Notes"
    sheet = book.create_sheet("Deals 2026")
    for row in (
        ["Exported today"],
        [],
        ["id", "value", "created", "won", "score", None],
        [1001, 1234.5, datetime(2026, 1, 31, 9, 30), True, None],
        [],
        ["A-2", "1.000,25", "31/01/2026", "no", "x"],
        [3, "much", date(2026, 2, 1), None, None],
        [4, 5, None, None, None, "beyond", "the header"],
    ):
        sheet.append(row)
    path = crm.data("deals.xlsx", b"")
    book.save(path)
    mapping = (
        "files:\n  - path: deals.xlsx\n    entity: deals\n    sheet: Deals 2026\n    skip: 2\n    key: id\n"
        "    columns: {amount: value, created_at: created, is_test: won, need: score}\n"
        '    dates: {format: "%d/%m/%Y", timezone: America/Chicago}\n    numbers: {decimal: ",", group: "."}\n'
    )
    crm.mapping(mapping)
    assert crm.run().total == TableCount(4, 2, 2, 0)
    assert crm.rows("select deal_id, amount, created_at, is_test, need, _line from raw_files.deals order by _row") == [
        ("1001", Decimal("1234.50"), datetime(2026, 1, 31, 15, 30), True, None, 4),
        ("A-2", Decimal("1000.25"), datetime(2026, 1, 31, 6, 0), False, "x", 6),
    ]
    assert [(line, str(reason)[:30]) for _, line, reason, _ in crm.quarantine()] == [
        (7, "amount: 'much' is not a number"),
        (8, "it has 7 cells; the header has"),
    ]
    crm.mapping(mapping.replace("Deals 2026", "Deals 2027"))
    assert "it has no sheet 'Deals 2027'; it has: Notes, Deals 2026." in str(crm.run().error)


def test_parquet(crm: Any) -> None:
    crm.mapping(
        "files:\n  - path: e.parquet\n    entity: calls\n    key: id\n"
        "    columns: {at: at, duration_seconds: seconds, is_answered: answered, direction: way, from_number: note}\n"
        "    values: {direction: {'1': inbound}}\n    dates: {timezone: America/Chicago}\n"
    )
    path = crm.company.data_dir / "e.parquet"
    duckdb.execute("set timezone = 'Asia/Tokyo'")
    duckdb.execute(
        "copy (select * from (values (1, timestamp '2026-01-31 09:30:00', 61.5, true, 1, ['x']), (2, null, 1, null, 2, null), "
        "(null, timestamp '2026-01-31 09:30:00', 1, true, 1, null), (4, timestamp '2026-03-08 02:30:00', 1, true, 1, null)) "
        f"t(id, \"at\", seconds, answered, way, note)) to '{path}'"
    )
    duckdb.execute("reset timezone")
    assert crm.run().total == TableCount(4, 1, 3, 0)
    assert crm.rows(
        'select call_id, "at", duration_seconds, is_answered, direction, from_number, _line from raw_files.calls'
    ) == [
        ("1", datetime(2026, 1, 31, 15, 30), 61.5, True, "inbound", "[x]", 1),
    ]
    assert [(line, str(reason)[:20]) for _, line, reason, _ in crm.quarantine()] == [
        (2, "at: is missing"),
        (3, "call_id: is missing"),
        (4, "at: '2026-03-08 02:3"),
    ]


def test_parquet_instants(crm: Any) -> None:
    crm.mapping("files:\n  - {path: e.parquet, entity: calls, key: id, columns: {at: at}}\n")
    path = crm.company.data_dir / "e.parquet"
    duckdb.execute(f"copy (select 1 as id, timestamptz '2026-01-31 09:30:00-06' as \"at\") to '{path}'")
    assert crm.run().error is None
    assert crm.rows('select "at" from raw_files.calls') == [(datetime(2026, 1, 31, 15, 30),)]


def test_json_lines(crm: Any) -> None:
    crm.mapping(
        "files:\n  - path: a.jsonl\n    entity: survey_answers\n    key: response_id\n"
        "    columns: {form_id: form, submitted_at: at, nps_score: $.answers.nps, comment: it's said}\n    dates: {format: iso8601, timezone: UTC}\n"
    )
    crm.data(
        "a.jsonl",
        '{"response_id": 1, "form": "f", "at": "2026-01-01T00:00:00+01:00", "answers": {"nps": 9}, "it\'s said": "ok"}\r\n\r\n'
        '{"response_id": "2", "answers": {"nps": 9.5}}\r\n{broken\r\n[1]\r\n{"response_id": "3", "answers": {"nps": "x"}}\r\n{"response_id": "4"}',
    )
    assert crm.run().total == TableCount(6, 2, 4, 0)
    assert crm.rows(
        "select response_id, form_id, submitted_at, nps_score, comment, _line from raw_files.survey_answers order by _row"
    ) == [
        ("1", "f", datetime(2025, 12, 31, 23), 9, "ok", 1),
        ("4", None, None, None, None, 7),
    ]
    assert [(line, reason) for _, line, reason, _ in crm.quarantine()] == [
        (3, "nps_score: '9.5' is not a whole number"),
        (4, "it is no valid JSON"),
        (5, "response_id: is missing"),
        (6, "nps_score: 'x' is not a whole number"),
    ]


def test_a_name_with_brackets_is_a_name_and_no_pattern(crm: Any) -> None:
    crm.mapping("files:\n  - path: '*.csv'\n    entity: deals\n    key: id\n    columns: {name: name}\n")
    for name in ("e[1].csv", "e1.csv", "a*b.csv", "a1b.csv", "what?.csv"):
        crm.data(name, f"id,name\n{name},{name}\n")
    assert crm.run().total == TableCount(5, 5, 0, 0)
    assert crm.rows("select deal_id = _file and name = _file, count(*) from raw_files.deals group by 1") == [(True, 5)]


def test_a_name_with_brackets_of_a_parquet_file(crm: Any) -> None:
    crm.mapping("files:\n  - path: '*.parquet'\n    entity: deals\n    key: id\n    columns: {name: name}\n")
    for name in ("e[1].parquet", "e1.parquet"):
        pq.write_table(pa.table({"id": [name], "name": [name]}), crm.company.data_dir / name)
    assert crm.run().total.loaded == 2
    assert crm.rows("select deal_id from raw_files.deals order by 1") == [("e1.parquet",), ("e[1].parquet",)]


def test_a_damaged_file_is_refused_and_the_others_load(crm: Any) -> None:
    crm.mapping("files:\n  - path: '*.parquet'\n    entity: deals\n    key: id\n    columns: {name: name}\n")
    for name in ("bad.parquet", "good.parquet"):
        table = pa.table(
            {"id": [str(number) for number in range(50_000)], "name": [f"{name} {number}" for number in range(50_000)]}
        )
        pq.write_table(table, crm.company.data_dir / name, use_dictionary=False)
    path = crm.company.data_dir / "bad.parquet"
    content = bytearray(path.read_bytes())
    content[100:200_000] = bytes(199_900)  # the footer is whole, its pages are not
    path.write_bytes(content)
    result = crm.run()
    assert "bad.parquet: refused: it is damaged" in result.error
    assert crm.rows("select _file, count(*) from raw_files.deals group by 1") == [("good.parquet", 50_000)]
    assert crm.rows("select table_name, received, loaded, quarantined from raw_log.loads") == [
        ("deals", 50_001, 50_000, 1)
    ]
    again = crm.run()
    assert again.load_id is None and "refused" in again.error
