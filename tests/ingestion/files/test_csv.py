"""CSV as it comes: every record is loaded or in quarantine with its line, whatever the file looks like."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ingestion import SourceResult, TableCount

Load = Callable[..., SourceResult]
HEADER = "id,name,at\n"
NAMES = "select lead_id, last_name, _line from raw_files.leads order by _file, _row"
WELL_FORMED: dict[str, tuple[str, list[tuple[str, str | None, int]]]] = {
    "plain": ("id,name,at\n1,Ann,2026-01-01\n2,Bob,2026-01-01\n", [("1", "Ann", 2), ("2", "Bob", 3)]),
    "no-last-newline": ("id,name,at\n1,Ann,2026-01-01\n2,Bob,2026-01-01", [("1", "Ann", 2), ("2", "Bob", 3)]),
    "crlf": ("id,name,at\r\n1,Ann,2026-01-01\r\n2,Bob,2026-01-01\r\n\r\n\r\n", [("1", "Ann", 2), ("2", "Bob", 3)]),
    "blank-inside": ("id,name,at\n1,Ann,2026-01-01\n\n\n2,Bob,2026-01-01\n", [("1", "Ann", 2), ("2", "Bob", 5)]),
    "line-break": (
        'id,name,at\n1,"Ann\nB., ""C""",2026-01-01\n2,Bob,2026-01-01\n',
        [("1", 'Ann\nB., "C"', 2), ("2", "Bob", 4)],
    ),
    "crlf-line-break": (
        'id,name,at\r\n1,"Ann\r\nB.",2026-01-01\r\n2,"",2026-01-01\r\n',
        [("1", "Ann\r\nB.", 2), ("2", None, 4)],
    ),
    "blank-and-line-break": (
        'id,name,at\n1,"A\nB",2026-01-01\n\n2,Bob,2026-01-01\n',
        [("1", "A\nB", 2), ("2", "Bob", 5)],
    ),
    "cr": ("id,name,at\r1,Ann,2026-01-01\r2,Bob,2026-01-01\r", [("1", "Ann", 2), ("2", "Bob", 3)]),
    "mixed": ("id,name,at\n1,Ann,2026-01-01\r\n2,Bob,2026-01-01\n", [("1", "Ann", 2), ("2", "Bob", 3)]),
    "quotes": (
        '"id","name","at"\n"1"," Ann ","2026-01-01"\n"2",5" pipe,2026-01-01\n',
        [("1", "Ann", 2), ("2", '5" pipe', 3)],
    ),
    "blank-first": ("\n\nid,name,at\n1,Ann,2026-01-01\n", [("1", "Ann", 4)]),
    "stray-delimiter": ("id,name,at,,\n1,Ann,2026-01-01,,\n", [("1", "Ann", 2)]),
    "case": ("id,name,ID,at\n1,Ann,x,2026-01-01\n", [("1", "Ann", 2)]),
    "no-rows": (HEADER, []),
}
MISFITS = [
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
]
REFUSED: list[tuple[str, bytes | str, str]] = [
    ("", "", "it has no header: the file is empty"),
    ("", "\n\n", "it has no header"),
    ("", "id,name\n1,Ann\n", "it lacks the column 'at'; it has: id, name"),
    (
        "",
        "id;name;at\n1;Ann;2026-01-01\n",
        "it lacks the columns 'name', 'at', 'id'; it has: id;name;at. Its fields seem to be parted by ';': set `delimiter: \";\"`. Is its first",
    ),
    ("", "1,Ann,2026-01-01\n2,Bob,2026-01-01\n", "Is its first line a header"),
    ("", "id,name,at,name\n1,Ann,2026-01-01,x\n", "its header names the column 'name' twice"),
    ("", 'id,name,at\n1,"Ann,2026-01-01\n2,Bob,2026-01-01\n', "a quoted field that begins in line 2 or later is never"),
    ("encoding: utf-8", b"\xff\xfei\x00d\x00", "it begins like utf-16 text"),
    ("encoding: utf-8", b"\xe9d,name,at\n1,Ann,2026-01-01\n", "its header is no utf-8 text. Set `encoding`"),
    ("encoding: utf-16", b"i\x00d", "it is no utf-16 text"),
    ("format: excel", b"PK\x03\x04\x00\x00", "it is no Excel file"),
    ("format: parquet", b"id,name,at\n", "it is no Parquet file"),
    ("format: jsonl", b"id,name,at\n1,Ann,2026\n", "its first lines are no JSON objects"),
]
ENCODINGS = {
    "utf-8": "id,name,at\n1,Zoë €,2026-01-01\n".encode(),
    "UTF8": "id,name,at\n1,Zoë €,2026-01-01\n".encode("utf-8-sig"),
    "utf-8-sig": "id,name,at\n1,Zoë €,2026-01-01\n".encode("utf-8-sig"),
    "utf-16": "id,name,at\n1,Zoë €,2026-01-01\n".encode("utf-16"),
    "utf-16-be": "id,name,at\n1,Zoë €,2026-01-01\n".encode("utf-16-be"),
    "cp1252": "id,name,at\r\n1,Zoë €,2026-01-01\r\n".encode("cp1252"),
}


def _entries(paths_and_options: list[tuple[str, str]]) -> str:
    return "files:\n" + "".join(
        f"  - path: {path}\n    entity: leads\n    key: id\n    columns: {{last_name: name, created_at: at}}\n"
        f"    dates: {{format: iso8601, timezone: UTC}}\n    {options}\n"
        for path, options in paths_and_options
    )


def test_well_formed_rows_are_loaded_with_their_line(load_csv: Load, crm: Any) -> None:
    result = load_csv({f"{name}.csv": content for name, (content, _) in WELL_FORMED.items()})
    assert result.error is None
    got: dict[str, list[tuple[object, ...]]] = {name: [] for name in WELL_FORMED}
    for file, *row in crm.rows("select _file, lead_id, last_name, _line from raw_files.leads order by _row"):
        got[file.removesuffix(".csv")].append(tuple(row))
    assert got == {name: rows for name, (_, rows) in WELL_FORMED.items()}
    received = sum(len(rows) for _, rows in WELL_FORMED.values())
    assert result.total == TableCount(received, received, 0, 0)
    assert crm.quarantine() == []


def test_a_row_that_does_not_fit_is_quarantined_and_the_others_are_loaded(load_csv: Load, crm: Any) -> None:
    endings = {"lf": "\n", "crlf": "\r\n"}
    cases = [
        (f"{ending}-{number}.csv", row, reason) for ending in endings for number, (row, reason) in enumerate(MISFITS)
    ]
    result = load_csv(
        {
            name: endings[name.split("-")[0]].join([HEADER.strip(), "1,Ann,2026-01-01", row, "3,Cid,2026-01-01", ""])
            for name, row, _ in cases
        }
    )
    assert result.total == TableCount(3 * len(cases), 2 * len(cases), len(cases), 0)
    assert crm.rows(NAMES) == [("1", "Ann", 2), ("3", "Cid", 4)] * len(cases)
    said = {file: (line, reason, record) for file, line, reason, record in crm.quarantine()}
    for name, row, expected in cases:
        line, reason, record = said[name]
        assert (line, reason[: len(expected)]) == (3, expected), name
        assert all(cell.strip('" x\x00')[:1] in record for cell in row.split(",")), name


def test_a_file_that_does_not_fit_its_mapping_is_refused(crm: Any) -> None:
    crm.mapping(_entries([(f"{number}.csv", options) for number, (options, _, _) in enumerate(REFUSED)]))
    for number, (_, content, _) in enumerate(REFUSED):
        crm.data(f"{number}.csv", content)
    result = crm.run()
    assert result.state == "failed"
    assert result.total == TableCount(len(REFUSED), 0, len(REFUSED), 0)
    quarantined = {file: (line, reason, record) for file, line, reason, record in crm.quarantine()}
    for number, (_, _, reason) in enumerate(REFUSED):
        line, said, record = quarantined[f"{number}.csv"]
        assert (line, record) == (None, None)
        assert reason in said
        assert f"{number}.csv: refused: {said}" in str(result.error)
    assert crm.rows(NAMES) == []
    again = crm.run()  # they are still wrong, and still said, but not counted again
    assert (again.state, again.error, again.load_id) == ("failed", result.error, None)


def test_encodings(crm: Any) -> None:
    crm.mapping(_entries([(f"{name}.csv", f"encoding: {name}") for name in ENCODINGS]))
    for name, content in ENCODINGS.items():
        crm.data(f"{name}.csv", content)
    assert crm.run().error is None
    assert crm.rows(NAMES) == [("1", "Zoë €", 2)] * len(ENCODINGS)


def test_a_row_in_another_encoding_is_quarantined(load_csv: Load, crm: Any) -> None:
    result = load_csv(b"id,name,at\n1,Zo\xeb,2026-01-01\n2,Bob,2026-01-01\n", "    encoding: utf-8\n")
    assert result.total == TableCount(2, 1, 1, 0)
    ((_, line, reason, record),) = crm.quarantine()
    assert (line, record) == (2, "1,Zo\\xeb,2026-01-01")
    assert reason == "it holds bytes that are no utf-8 text; set `encoding`, for example cp1252"


def test_other_marks_and_lines_before_the_header(load_csv: Load, crm: Any) -> None:
    result = load_csv(
        "Export of today\n\nid|name|at\n1|'Ann | B.'|2026-01-01\n",
        "    delimiter: '|'\n    quote: \"'\"\n    skip: 2\n",
    )
    assert result.error is None
    assert crm.rows(NAMES) == [("1", "Ann | B.", 4)]


def test_many_rows_add_up(load_csv: Load, crm: Any) -> None:
    """More rows than a batch or a vector holds, with bad ones of several kinds strewn in."""
    rows, bad = [], 0
    for number in range(50_000):
        kind = number % 1000
        bad += kind in (7, 8, 9)
        special = {
            7: f"{number},x",
            8: f"{number},x,never",
            9: ",x,2026-01-01",
            10: f'{number},"x\ny",2026-01-01',
        }
        rows.append(special.get(kind, f"{number},x,2026-01-01"))
    result = load_csv(HEADER + "\n".join(rows))
    good = 50_000 - bad
    assert result.total == TableCount(50_000, good, bad, 0)
    sums = crm.rows("select count(distinct _row), max(_row), max(_line) from raw_files.leads")
    assert sums == [(good, good, 50_051)]
    assert crm.rows("select count(*), count(distinct line) from raw_log.quarantine") == [(bad, bad)]


def test_a_field_of_megabytes(load_csv: Load, crm: Any) -> None:
    result = load_csv(f"id,name,at\n1,{'x' * 5_000_000},2026-01-01\n2,Bob,2026-01-01\n")
    assert result.total == TableCount(2, 2, 0, 0)
    sizes = crm.rows("select lead_id, length(last_name) from raw_files.leads order by _row")
    assert sizes == [("1", 5_000_000), ("2", 3)]


def test_rows_read_by_several_threads_keep_their_lines(load_csv: Load, crm: Any) -> None:
    count = 150_000
    rows = "".join(f"{number},{'x' * (number % 50)},2026-01-01\n" for number in range(count))
    assert load_csv(HEADER + rows).total == TableCount(count, count, 0, 0)
    wrong = crm.rows(
        "select count(*) from raw_files.leads where _line <> cast(lead_id as integer) + 2 or _row <> _line - 1"
    )
    assert wrong == [(0,)]
