"""CSV as it comes: every record is loaded or in quarantine with its line, whatever the file looks like."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ingestion import SourceResult, TableCount

Load = Callable[..., SourceResult]
HEADER = "id,name,at\n"
NAMES = "select lead_id, last_name, _line from raw_files.leads order by _row"


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("id,name,at\n1,Ann,2026-01-01\n2,Bob,2026-01-01\n", [("1", "Ann", 2), ("2", "Bob", 3)]),
        ("id,name,at\n1,Ann,2026-01-01\n2,Bob,2026-01-01", [("1", "Ann", 2), ("2", "Bob", 3)]),
        ("id,name,at\r\n1,Ann,2026-01-01\r\n2,Bob,2026-01-01\r\n\r\n\r\n", [("1", "Ann", 2), ("2", "Bob", 3)]),
        ("id,name,at\n1,Ann,2026-01-01\n\n\n2,Bob,2026-01-01\n", [("1", "Ann", 2), ("2", "Bob", 5)]),
        ('id,name,at\n1,"Ann\nB., ""C""",2026-01-01\n2,Bob,2026-01-01\n', [("1", 'Ann\nB., "C"', 2), ("2", "Bob", 4)]),
        ('id,name,at\r\n1,"Ann\r\nB.",2026-01-01\r\n2,"",2026-01-01\r\n', [("1", "Ann\r\nB.", 2), ("2", None, 4)]),
        ("id,name,at\r1,Ann,2026-01-01\r2,Bob,2026-01-01\r", [("1", "Ann", 2), ("2", "Bob", 3)]),
        ("id,name,at\n1,Ann,2026-01-01\r\n2,Bob,2026-01-01\n", [("1", "Ann", 2), ("2", "Bob", 3)]),
        ('"id","name","at"\n"1"," Ann ","2026-01-01"\n"2",5" pipe,2026-01-01\n', [("1", "Ann", 2), ("2", '5" pipe', 3)]),
        ("\n\nid,name,at\n1,Ann,2026-01-01\n", [("1", "Ann", 4)]),
        ("id,name,at,,\n1,Ann,2026-01-01,,\n", [("1", "Ann", 2)]),
        ("id,name,ID,at\n1,Ann,x,2026-01-01\n", [("1", "Ann", 2)]),
        (HEADER, []),
    ],
    ids=["plain", "no-last-newline", "crlf", "blank-inside", "line-break", "crlf-line-break", "cr", "mixed", "quotes", "blank-first", "stray", "case", "empty"],
)  # fmt: skip
def test_well_formed_rows_are_loaded_with_their_line(
    load_csv: Load, crm, content: str, rows: list[tuple[object, ...]]
) -> None:  # type: ignore[no-untyped-def]
    result = load_csv(content)
    assert result.error is None
    assert crm.rows(NAMES) == rows
    assert result.total == TableCount(len(rows), len(rows), 0, 0)
    assert crm.quarantine() == []


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("2,Bob", "it has 2 columns; the header has 3"),
        ("2", "it has 1 columns; the header has 3"),
        ("2,Bob,2026-01-01,more", "it has 4 columns; the header has 3"),
        ('2,"Bob"x,2026-01-01', "malformed CSV"),
        ("2,B\x00b,2026-01-01", "it holds a NUL character"),
        ("2,Bob,01/02/2026", "created_at: '01/02/2026' is not a time written as an ISO 8601 form"),
        ("2,Bob,2026-02-30", "created_at: '2026-02-30' is not a time"),
        ("2,Bob,0026-02-03", "created_at: '0026-02-03' is not a time"),
        (" ,Bob,2026-01-01", "lead_id: is missing"),
        (",,", "lead_id: is missing"),
    ],
)
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_row_that_does_not_fit_is_quarantined_and_the_others_are_loaded(
    load_csv: Load, crm, row: str, reason: str, ending: str
) -> None:  # type: ignore[no-untyped-def]
    result = load_csv(ending.join([HEADER.strip(), "1,Ann,2026-01-01", row, "3,Cid,2026-01-01", ""]))
    assert result.total == TableCount(3, 2, 1, 0)
    assert crm.rows(NAMES) == [("1", "Ann", 2), ("3", "Cid", 4)]
    ((file, line, said, record),) = crm.quarantine()
    assert (file, line) == ("leads.csv", 3)
    assert str(said).startswith(reason)
    assert "2026" in str(record) or "2" in str(record) or record == '{"id":null,"name":null,"at":null}'


@pytest.mark.parametrize(
    ("content", "options", "reason"),
    [
        ("", "", "it has no header: the file is empty"),
        ("\n\n", "", "it has no header"),
        ("id,name\n1,Ann\n", "", "it lacks the column 'at'; it has: id, name"),
        ("id;name;at\n1;Ann;2026-01-01\n", "", "it lacks the columns 'name', 'at', 'id'; it has: id;name;at. Is its first line a header"),
        ("1,Ann,2026-01-01\n2,Bob,2026-01-01\n", "", "Is its first line a header"),
        ("id,name,at,name\n1,Ann,2026-01-01,x\n", "", "its header names the column 'name' twice"),
        ('id,name,at\n1,"Ann,2026-01-01\n2,Bob,2026-01-01\n', "", "a quoted field that begins in line 2 or later is never closed"),
        (b"\xff\xfei\x00d\x00", "", "it begins like utf-16 text"),
        (b"\xe9d,name,at\n1,Ann,2026-01-01\n", "", "its header is no utf-8 text. Set `encoding`"),
        (b"i\x00d", "    encoding: utf-16\n", "it is no utf-16 text"),
        (b"PK\x03\x04\x00\x00", "    format: excel\n", "it is no Excel file"),
        (b"id,name,at\n", "    format: parquet\n", "it is no Parquet file"),
        (b"id,name,at\n1,Ann,2026\n", "    format: jsonl\n", "its first lines are no JSON objects"),
    ],
)  # fmt: skip
def test_a_file_that_does_not_fit_its_mapping_is_refused(
    load_csv: Load, crm, content: bytes | str, options: str, reason: str
) -> None:  # type: ignore[no-untyped-def]
    result = load_csv(content, options)
    assert result.state == "failed"
    assert "leads.csv: refused: " in str(result.error)
    assert reason in str(result.error)
    assert result.total == TableCount(1, 0, 1, 0)
    ((file, line, said, record),) = crm.quarantine()
    assert (file, line, record) == ("leads.csv", None, None)
    assert reason in str(said)
    assert crm.rows(NAMES) == []
    again = crm.run()  # it is still wrong, and still said, but not counted again
    assert (again.state, again.error, again.load_id) == ("failed", result.error, None)


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("utf-8", "id,name,at\n1,Zoë €,2026-01-01\n".encode()),
        ("utf-8", "id,name,at\n1,Zoë €,2026-01-01\n".encode("utf-8-sig")),
        ("utf-8-sig", "id,name,at\n1,Zoë €,2026-01-01\n".encode("utf-8-sig")),
        ("utf-16", "id,name,at\n1,Zoë €,2026-01-01\n".encode("utf-16")),
        ("utf-16-be", "id,name,at\n1,Zoë €,2026-01-01\n".encode("utf-16-be")),
        ("cp1252", "id,name,at\r\n1,Zoë €,2026-01-01\r\n".encode("cp1252")),
    ],
)  # fmt: skip
def test_encodings(load_csv: Load, crm, encoding: str, data: bytes) -> None:  # type: ignore[no-untyped-def]
    result = load_csv(data, f"    encoding: {encoding}\n")
    assert result.error is None
    assert crm.rows(NAMES) == [("1", "Zoë €", 2)]


def test_a_row_in_another_encoding_is_quarantined(load_csv: Load, crm) -> None:  # type: ignore[no-untyped-def]
    result = load_csv(b"id,name,at\n1,Zo\xeb,2026-01-01\n2,Bob,2026-01-01\n")
    assert result.total == TableCount(2, 1, 1, 0)
    ((_, line, reason, record),) = crm.quarantine()
    assert (line, record) == (2, "1,Zo\\xeb,2026-01-01")
    assert reason == "it holds bytes that are no utf-8 text; set `encoding`, for example cp1252"


def test_other_marks_and_lines_before_the_header(load_csv: Load, crm) -> None:  # type: ignore[no-untyped-def]
    result = load_csv(
        "Export of today\n\nid|name|at\n1|'Ann | B.'|2026-01-01\n",
        "    delimiter: '|'\n    quote: \"'\"\n    skip: 2\n",
    )
    assert result.error is None
    assert crm.rows(NAMES) == [("1", "Ann | B.", 4)]


def test_many_rows_add_up(load_csv: Load, crm) -> None:  # type: ignore[no-untyped-def]
    """More rows than a batch or a vector holds, with bad ones of several kinds strewn in."""
    rows, bad = [], 0
    for number in range(50_000):
        kind = number % 1000
        bad += kind in (7, 8, 9)
        rows.append(
            {7: f"{number},x", 8: f"{number},x,never", 9: ",x,2026-01-01", 10: f'{number},"x\ny",2026-01-01'}.get(
                kind, f"{number},x,2026-01-01"
            )
        )
    result = load_csv(HEADER + "\n".join(rows))
    assert result.total == TableCount(50_000, 50_000 - bad, bad, 0)
    assert crm.rows("select count(distinct _row), max(_row), max(_line) from raw_files.leads") == [
        (50_000 - bad, 50_000, 50_051)
    ]
    assert crm.rows("select count(*), count(distinct line) from raw_log.quarantine") == [(bad, bad)]


def test_a_field_of_megabytes(load_csv: Load, crm) -> None:  # type: ignore[no-untyped-def]
    result = load_csv(f"id,name,at\n1,{'x' * 5_000_000},2026-01-01\n2,Bob,2026-01-01\n")
    assert result.total == TableCount(2, 2, 0, 0)
    assert crm.rows("select lead_id, length(last_name) from raw_files.leads order by _row") == [
        ("1", 5_000_000),
        ("2", 3),
    ]
