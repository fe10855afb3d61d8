"""Which encoding a file has is found out and said; a file that can't be read stops no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from ingestion import TableCount
from ingestion.files.readers.encodings import detect

MAPPING = (
    "files:\n  - {path: '*.csv', optional: true, entity: leads, key: id, columns: {last_name: name}}\n"
    "  - {path: '*.jsonl', optional: true, entity: leads, key: id, columns: {last_name: name}}\n"
)
NAMES = "select _file, lead_id, last_name from raw_files.leads order by _file, _row"
# columns that nobody maps before and after: DuckDB's reader ended in an internal error where it left them out
PEOPLE = ["Zoë", "Jürgen", "François", "Łukasz", "Ålesund", "Peña’s", "120 m²", "5 € – “ok”"]


def _rows(names: list[str]) -> str:
    return "note,id,other,name,last\n" + "".join(
        f"x,{number},y,{name},z\n" for number, name in enumerate([*names, *["plain"] * 3000])
    )


@pytest.mark.parametrize(
    ("encoding", "is_said"),
    [("utf-8", False), ("utf-8-sig", False), ("utf-16", True), ("utf-16-le", True), ("utf-16-be", True), ("cp1252", True)],
)  # fmt: skip
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_an_encoding_is_found_out_and_said(crm: Any, encoding: str, is_said: bool, ending: str) -> None:
    people = [name for name in PEOPLE if encoding != "cp1252" or name != "Łukasz"]
    crm.mapping(MAPPING)
    crm.data("a.csv", _rows(people).replace("\n", ending).encode(encoding))
    crm.data("b.csv", "id,name\n1,Ann\n")
    result = crm.run()
    assert (result.error, result.total.loaded) == (None, len(people) + 3001)
    assert [row[2] for row in crm.rows(NAMES)][: len(people)] == people
    place = "a.csv (line 2)" if encoding == "cp1252" else "a.csv"
    name = encoding.removesuffix("-sig")
    expected = f"read as {name}, not as UTF-8: {place}. Set `encoding` in the mapping if it is another"
    assert result.notes == ((expected,) if is_said else ())


def test_json_lines_too(crm: Any) -> None:
    crm.mapping(MAPPING)
    crm.data("a.jsonl", '{"id": 1, "name": "Zoë"}\n{"id": 2, "name": "Ann"}\n'.encode("cp1252"))
    result = crm.run()
    assert (
        result.total == TableCount(2, 2, 0, 0) and "read as cp1252, not as UTF-8: a.jsonl (line 1)" in result.notes[0]
    )
    assert [row[2] for row in crm.rows(NAMES)] == ["Zoë", "Ann"]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1251", "Иванов,Петрова,Сергей"),
        ("cp1253", "Παπαδόπουλος,Γεωργίου"),
        ("shift-jis", "山田太郎,鈴木一郎"),
        ("mac-roman", "René,Zoë,Jürgen"),
        ("cp850", "René,Zoë,Jürgen"),
    ],
)
def test_what_can_not_be_told_is_refused_alone_with_its_line_and_the_remedy(crm: Any, encoding: str, text: str) -> None:
    crm.mapping(MAPPING)
    crm.data("a.csv", ("id,name\n1,Ann\n" + "".join(f"{number},{name}\n" for number, name in enumerate(text.split(","), 2))).encode(encoding))  # fmt: skip
    crm.data("b.csv", "id,name\n1,Ann\n")
    result = crm.run()
    assert "a.csv: refused: line 3 holds bytes that are no UTF-8 text ('" in result.error
    assert "`encoding: cp1252`" in result.error
    assert crm.rows(NAMES) == [("b.csv", "1", "Ann")]
    crm.mapping(MAPPING.replace("key: id", f"encoding: {encoding}, key: id", 1))
    assert crm.run().error is None
    assert [row[2] for row in crm.rows(NAMES)] == ["Ann", *text.split(","), "Ann"]


def test_a_damaged_byte_makes_no_other_encoding(crm: Any) -> None:
    crm.mapping(MAPPING)
    rows = "".join(f"{number},Zoë\n" for number in range(20)).encode()
    crm.data("a.csv", b"id,name\n" + rows + b"20,Zo\xff\n")
    result = crm.run()
    assert result.total == TableCount(21, 20, 1, 0) and result.notes == ()
    assert crm.quarantine()[0][1:3] == (22, "it holds bytes that are no utf-8 text; set `encoding`, for example cp1252")


def test_a_character_that_is_cut_by_the_end_of_a_file_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("Zoë Zoë Zoë".encode() + b"\xc3")
    assert detect(path).line == 1
    path.write_bytes("ä".encode() * (1 << 20))
    assert detect(path) == detect(path).__class__("utf-8")


OTHER_KINDS: list[tuple[str, bytes, str]] = [
    ("a.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600, "it is an old Excel file (.xls), or one with a password. Save it as .xlsx"),
    ("a.csv", b"PK\x03\x04" + b"\x00" * 600, "it can't be unpacked: File is not a zip file. Perhaps it was cut off"),
    ("a.csv", b"%PDF-1.7\n", "it is a PDF"),
    ("a.csv", b"\n<!DOCTYPE html>\n<html>login</html>", "it is a web page"),
    ("a.jsonl", b"PAR1" + b"\x00" * 30, "it is a Parquet file, whatever its name says. Set `format: parquet`"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "said"), OTHER_KINDS)
def test_a_file_of_another_kind_is_refused_alone(crm: Any, name: str, content: bytes, said: str) -> None:
    crm.mapping(MAPPING)
    crm.data(name, content)
    crm.data("b.csv", "id,name\n1,Ann\n")
    assert f"{name}: refused: {said}" in str(crm.run().error)
    assert crm.rows(NAMES) == [("b.csv", "1", "Ann")]


def test_an_error_within_duckdb_refuses_its_file_alone(crm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from ingestion.files import land
    from ingestion.files.readers.tabular import read_plain

    def breaks(path: Path, *arguments: Any) -> Any:
        if path.name == "a.csv":
            raise duckdb.InternalException("INTERNAL Error: out of range")
        return read_plain(path, *arguments)

    monkeypatch.setattr(land, "read_plain", breaks)
    crm.mapping(MAPPING)
    for name in ("a", "b"):
        crm.data(f"{name}.csv", "id,name\n1,Ann\n2,Bob\n")
    assert "a.csv: refused: it is damaged: INTERNAL Error" in str(crm.run().error)
    assert [row[0] for row in crm.rows(NAMES)] == ["b.csv", "b.csv"]


def test_the_rows_of_refused_files_are_known(crm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    crm.mapping(MAPPING)
    good = "id,name\n" + "".join(f"{number},Ann\n" for number in range(100))
    crm.data("good.csv", good)
    crm.data("lacks.csv", "id,title\n" + "1,Ann\n" * 40)
    crm.data("bytes.csv", "id,name\n1,Ann\n2,Иванов\n3,Ann".encode("cp1251"))
    crm.data("same.csv", "id,name\n" + "".join(f"1,{number}\n" for number in range(30)))
    crm.data("wide.csv", b"%PDF" + b"\n" * 60)
    closed = crm.data("closed.csv", good)
    opened = Path.open

    def refuse(self: Path, *arguments: Any, **options: Any) -> Any:
        if self == closed:
            raise PermissionError(13, "Permission denied")
        return opened(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse)
    crm.run()
    per_row = (len(good) + 40 * 6 + 9 + 30 + 30 * 4) / (100 + 40 + 3 + 30)
    found = {file: found for file, *found in crm.rows("select file, rows, is_estimated, refused is null from raw_log.files")}  # fmt: skip
    assert found == {
        "good.csv": [100, False, True],
        "lacks.csv": [40, False, False],
        "bytes.csv": [3, False, False],
        "same.csv": [30, False, False],
        "wide.csv": [found["wide.csv"][0], True, False],
        "closed.csv": [found["closed.csv"][0], True, False],
    }
    assert abs(found["wide.csv"][0] - 64 / per_row) < 4
    assert abs(found["closed.csv"][0] - len(good) / per_row) < 10
    monkeypatch.undo()
    crm.run()
    assert crm.rows("select rows, is_estimated, refused from raw_log.files where file = 'closed.csv'") == [(100, False, None)]  # fmt: skip
