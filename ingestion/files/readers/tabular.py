"""Files as DuckDB relations: CSV, Excel, Parquet, JSON lines and XES in one shape. What their columns mean does not belong here (``mapping``).

Well-formed files are read by DuckDB itself. Its readers skip or refuse what is malformed, and can't say on which line a row stands once a quoted
field holds a line break; so a CSV file whose rows don't add up to its lines is read record by record in Python and handed on as Parquet, with the
line of each record, and with the records that don't fit kept as they are.
"""

from __future__ import annotations

import codecs
import csv
import json
import os
import re
import sys
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from zipfile import BadZipFile, ZipFile

import duckdb

from ingestion.files.readers.encodings import detect, is_utf8, mark_of
from ingestion.files.readers.xes import NoLogError, to_json_lines
from ingestion.sql.lines import UNSAFE, identifier, json_path, path_literal, quote, read_csv, read_lines, sanitise
from salesgauge.errors import SourceError

_BATCH = 20_000
_BLOCK = 1 << 20
# What the first bytes of a file say that it is: the mark, the format of a mapping, and words for it.
_KINDS = (
    (b"\xd0\xcf\x11\xe0", "", "an old Excel file (.xls), or one with a password. Save it as .xlsx without a password"),
    (b"PK\x03\x04", "excel", "an Excel file, whatever its name says. Set `format: excel`"),
    (b"PAR1", "parquet", "a Parquet file, whatever its name says. Set `format: parquet`"),
    (b"%PDF", "", "a PDF. Export the data as CSV or Excel"),
    (b"<!doctype html", "", "a web page. Export the data as CSV or Excel: perhaps a login page was saved"),
    (b"<html", "", "a web page. Export the data as CSV or Excel: perhaps a login page was saved"),
)
_EXCEL_ERRORS = {"#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A"}


class RefusedError(SourceError):
    """A file that can't be read as what its mapping says it is. The message says why and what to do."""


@dataclass(frozen=True)
class Dialect:
    """How the text of a file is to be read. ``encoding``: None to find out. Of Excel cells: ``decimal`` is the mark that numbers are written with,
    ``money`` are the columns of which it is told which cells are numbers, ``nulls`` the words that mean nothing.
    """

    format: str
    encoding: str | None = None
    delimiter: str = ","
    quote: str = '"'
    sheet: str | int = 0
    skip: int = 0
    decimal: str = "."
    money: frozenset[str] = frozenset()
    nulls: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Relation:
    """A file as a query. ``sql`` yields ``s:<column>`` for each column in ``columns`` (name → DuckDB type), ``_line``, ``_record`` (JSON), and
    ``_reject``: why the row can't be used at all (then ``_record`` is the row's text). ``received`` counts its rows, where they were not counted yet.

    ``first_line``: the rows follow each other from there on, and ``_line`` may be empty. ``numeric``: the columns x with ``n:x``, true where the value was
    a number and no text. ``encoding``: what the text is written in, where nobody said so and it is no UTF-8; ``line`` is the first that shows it.
    """

    sql: str
    columns: dict[str, str]
    received: Callable[[], int]
    first_line: int | None = None
    numeric: frozenset[str] = frozenset()
    encoding: str | None = None
    line: int | None = None


def read(
    con: duckdb.DuckDBPyConnection, path: Path, dialect: Dialect, folder: Path, wanted: Iterable[str] = ()
) -> Relation:
    """The file ``path`` as a relation; working files go to ``folder``. ``wanted``: its columns that are used (of JSON lines their paths).

    RefusedError if it can't be.
    """
    try:
        if other := _other_kind(path, dialect.format):
            raise RefusedError(f"it is {other}.")
        if dialect.format == "parquet":
            return _parquet(con, path)
        if dialect.format == "excel":
            return _excel(con, path, dialect, folder, set(wanted))
        if dialect.format == "xes":
            return _xes(con, path, folder, list(wanted))
        encoding, line = (dialect.encoding, None) if dialect.encoding else _detected(path)
        text = _as_utf8(path, encoding, folder)
        if dialect.format == "jsonl":
            relation = _json_lines(con, text, folder, list(wanted))
        else:
            relation = _csv(con, text, replace(dialect, encoding=encoding), folder)
        return replace(relation, encoding=None if dialect.encoding or is_utf8(encoding) else encoding, line=line)
    except OSError as error:
        raise RefusedError(f"it can't be read: {error.strerror or error}") from error


def read_plain(path: Path, dialect: Dialect, wanted: Iterable[str] = ()) -> Relation | None:
    """A CSV or JSON-lines file as a relation, taken to be well-formed: a row a line, one after the other. None where it is seen not to be.

    Nothing is parsed to find out, and rows are not numbered, which would take the use of more than one core: line breaks are counted. If as many rows
    turn out to be good, the file is what it was taken for; if not, ``read`` it. RefusedError for a header that can't be used.
    """
    if dialect.format not in ("csv", "jsonl") or not is_utf8(dialect.encoding or "utf-8"):
        return None
    try:
        # before DuckDB sees the file: bytes that are no UTF-8 may end its reader, and all that was open with it
        lines = _lines_with_text(path, (b"\x00",) if dialect.format == "csv" else UNSAFE)
        if lines <= 0 or mark_of(path) not in (None, "utf-8"):
            return None
        header, above = _csv_header(path, dialect) if dialect.format == "csv" else ([], 0)
    except OSError:
        return None
    if len(header) == 1 or lines == above:
        return None
    if header:
        sql = _numbered(_csv_reader(path, dialect, header, above), header, "cast(null as bigint)")
        return Relation(sql, dict.fromkeys(header, "varchar"), lambda: lines - above, above + 1)
    names = list(wanted)
    return Relation(
        _parsed(read_lines([path]), names, "cast(null as bigint)"), dict.fromkeys(names, "varchar"), lambda: lines, 1
    )


def rows_of(path: Path, dialect: Dialect) -> int | None:
    """How many rows a file that can't be used has, by its line breaks; None where that can't be told. OSError."""
    if dialect.format not in ("csv", "jsonl"):
        return None
    if _other_kind(path, dialect.format):
        return None
    with path.open("rb") as file:
        if file.read(2) == b"\x1f\x8b":  # compressed: its line breaks are none
            return None
        file.seek(0)
        lines = sum(block.count(b"\n") or block.count(b"\r") for block in iter(lambda: file.read(_BLOCK), b""))
        is_open = bool(file.tell()) and file.seek(-1, os.SEEK_END) >= 0 and file.read(1) not in (b"\n", b"\r", b"\x00")
    return max(0, lines + is_open - (dialect.skip + 1 if dialect.format == "csv" else 0))


def _other_kind(path: Path, expected: str) -> str | None:
    """What a file is by its first bytes, where that is not what is expected. OSError."""
    with path.open("rb") as file:
        start = file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    found = next(((kind, words) for mark, kind, words in _KINDS if start.startswith(mark.lower())), None)
    return found[1] if found and found[0] != expected else None


def _detected(path: Path) -> tuple[str, int | None]:
    found = detect(path)
    if found.encoding is None:
        raise RefusedError(
            f"line {found.line:,} holds bytes that are no UTF-8 text ({found.sample!r}), and what they are can't be told. Set `encoding` to what the file "
            "was saved with, for example `encoding: cp1252` (Western Windows), cp1250 (Central Europe), cp1251 (Cyrillic), mac-roman or utf-16."
        )
    return found.encoding, found.line


def _as_utf8(path: Path, encoding: str, folder: Path) -> Path:
    """The file itself if it is UTF-8, else a copy that is. Bytes that the encoding lacks stay as they are and are found later."""
    if is_utf8(encoding):
        if (name := mark_of(path)) not in (None, "utf-8"):
            raise RefusedError(f"it begins like {name} text, but is to be read as {encoding}. Set `encoding: {name}`.")
        return path
    target = folder / f"{uuid.uuid4().hex}.utf8"
    try:
        with (
            path.open("r", encoding=encoding, errors="surrogateescape", newline="") as source,
            target.open("w", encoding="utf-8", errors="surrogateescape", newline="") as out,
        ):
            while block := source.read(_BLOCK):
                out.write(block)
    except UnicodeError as error:
        raise RefusedError(
            f"it is no {encoding} text ({error.args[-1] if error.args else error}). Check `encoding`."
        ) from error
    return target


# --- CSV ------------------------------------------------------------------------------------------------------------------------------------


def _csv(con: duckdb.DuckDBPyConnection, path: Path, dialect: Dialect, folder: Path) -> Relation:
    header, header_lines = _csv_header(path, dialect)
    if len(header) > 1:
        reader = _csv_reader(path, dialect, header, header_lines)
        try:
            lines = _lines_with_text(path)
            row = con.execute(f"select count(*) from {reader}").fetchone() if lines >= 0 else None
            rows = row[0] if row else 0
            if row and rows == lines - header_lines:
                sql = _numbered(reader, header, f"{header_lines} + row_number() over ()")
                return Relation(sql, dict.fromkeys(header, "varchar"), lambda: rows)
        except duckdb.Error:
            pass  # a malformed row: find out which
    return _kept(con, folder, header, _csv_records(path, dialect, len(header)))


def _csv_reader(path: Path, dialect: Dialect, header: list[str], header_lines: int) -> str:
    names = [f"s:{name}" for name in header]
    return read_csv(path, names, delimiter=dialect.delimiter, quoting=dialect.quote, skip=header_lines)


def _numbered(reader: str, header: list[str], line: str) -> str:
    return (
        f"select *, {line} as _line, cast(null as varchar) as _reject, {_record_value(header)} as _record from {reader}"
    )


def _lines_with_text(path: Path, unusable: Sequence[bytes] = (b"\x00",)) -> int:
    """The number of lines up to the last one that is not blank.

    A line break inside quotes and a blank line between others make a file's rows fewer than this: then the reader that knows lines is needed.
    -1, which no number of rows equals, where there is a byte that is ``unusable`` (DuckDB takes a NUL for text), or no UTF-8, which it finds too late.
    """
    newlines = 0
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        try:
            for block in iter(lambda: file.read(_BLOCK), b""):
                if any(byte in block for byte in unusable):
                    return -1
                if not block.isascii() or decoder.getstate()[0]:
                    decoder.decode(block)
                newlines += block.count(b"\n")
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return -1
        end = file.tell()
        while end:
            begin = max(0, end - 4096)
            file.seek(begin)
            block = file.read(end - begin)
            text = block.rstrip(b"\r\n")
            newlines -= block[len(text) :].count(b"\n")
            if text:
                return newlines + 1
            end = begin
    return 0


def _csv_header(path: Path, dialect: Dialect) -> tuple[list[str], int]:
    """The column names, and the number of lines up to the first record."""
    with path.open("r", encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        for _ in range(dialect.skip):
            file.readline()
        reader = csv.reader(file, delimiter=dialect.delimiter, quotechar=dialect.quote)
        try:
            header = next((cells for cells in reader if any(cell.strip() for cell in cells)), [])
        except csv.Error as error:
            raise RefusedError(f"its header can't be read: {error}. Check `delimiter` and `quote`.") from error
        lines = dialect.skip + reader.line_num
    return _names([cell.strip() for cell in header], dialect.encoding or "utf-8"), lines


def _names(cells: list[Any], encoding: str = "utf-8") -> list[str]:
    """Usable, distinct column names. Empty ones are numbered: exports often end in a stray delimiter."""
    names: list[str] = []
    for position, cell in enumerate(cells, 1):
        name = str(cell).strip() if cell is not None else ""
        if any("\udc80" <= character <= "\udcff" for character in name):
            raise RefusedError(f"its header is no {encoding} text. Set `encoding`, for example cp1252.")
        if name and name in names:
            raise RefusedError(f"its header names the column '{name}' twice.")
        # DuckDB's names know no case
        folded = {known.casefold() for known in names}
        names.append(name if name and name.casefold() not in folded else f"{name or 'column'}_{position}")
    if not names:
        raise RefusedError("it has no header: the file is empty. Expected a first line with the column names.")
    return names


def _csv_records(
    path: Path, dialect: Dialect, width: int
) -> Iterator[tuple[int, list[str] | None, str | None, str | None]]:
    """Each record as (line, cells, None, None), or (line, None, why, text) where it can't be used."""
    csv.field_size_limit(sys.maxsize)
    with path.open("r", encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        pending: list[str] = []

        def lines() -> Iterator[str]:
            for line in file:
                pending.append(line)
                yield line

        for _ in range(dialect.skip):
            file.readline()
        reader = csv.reader(lines(), delimiter=dialect.delimiter, quotechar=dialect.quote, strict=True)
        number, header = dialect.skip, True
        while True:
            try:
                cells = next(reader)
                problem = None
            except StopIteration:
                return
            except csv.Error as error:
                cells, problem = [], _csv_problem(str(error), number + 1)
            text, begin = "".join(pending), number + 1
            number += len(pending)
            pending.clear()
            if header:
                header = not any(cell.strip() for cell in cells)
                continue
            if not text.strip("\r\n"):
                continue
            shown = text.rstrip("\r\n").encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
            problem = problem or _unusable(cells, width, text, dialect)
            yield (begin, None, problem, shown.replace("\x00", "\\x00")) if problem else (begin, cells, None, None)


def _csv_problem(error: str, line: int) -> str:
    if "unexpected end of data" in error:
        raise RefusedError(
            f"a quoted field that begins in line {line} or later is never closed. Check the file, or `quote`."
        )
    return f"malformed CSV ({error}); expected a quote inside a quoted field to be doubled"


def _unusable(cells: list[str], width: int, text: str, dialect: Dialect) -> str | None:
    if len(cells) != width:
        return f"it has {len(cells)} columns; the header has {width}"
    if any("\udc80" <= character <= "\udcff" for character in text):
        return f"it holds bytes that are no {dialect.encoding or 'utf-8'} text; set `encoding`, for example cp1252"
    if "\x00" in text:
        return "it holds a NUL character"
    return None


# --- Excel, Parquet, JSON lines ---------------------------------------------------------------------------------------------------------------


def _excel(con: duckdb.DuckDBPyConnection, path: Path, dialect: Dialect, folder: Path, wanted: set[str]) -> Relation:
    from openpyxl import load_workbook

    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except Exception as error:  # openpyxl raises whatever its zip and XML readers do
        raise RefusedError(
            f"it is no Excel file (.xlsx): {type(error).__name__}. Save it as .xlsx, or set `format` to what it is."
        ) from error
    try:
        names = book.sheetnames
        if isinstance(dialect.sheet, int) and dialect.sheet >= len(names):
            raise RefusedError(f"it has no sheet number {dialect.sheet + 1}; it has: {', '.join(names)}.")
        if isinstance(dialect.sheet, str) and dialect.sheet not in names:
            raise RefusedError(f"it has no sheet '{dialect.sheet}'; it has: {', '.join(names)}.")
        sheet = book[dialect.sheet if isinstance(dialect.sheet, str) else names[dialect.sheet]]
        rows = enumerate(sheet.iter_rows(min_row=dialect.skip + 1, values_only=True), dialect.skip + 1)
        cells = next((list(row) for _, row in rows if any(cell is not None for cell in row)), [])
        while cells and cells[-1] is None:
            cells.pop()
        header = _names(cells)
        unknown = _never_calculated(path, sheet._worksheet_path)
        money = [name for name in header if name in dialect.money]
        records = _excel_records(rows, header, dialect, wanted, unknown)
        relation = _kept(con, folder, header, records, [f"n:{name}" for name in money])
        return replace(relation, numeric=frozenset(money))
    except (BadZipFile, ElementTree.ParseError, zlib.error, EOFError, KeyError, ValueError) as error:
        raise RefusedError(
            f"it is damaged: {type(error).__name__}. Open it in a spreadsheet program, and save it."
        ) from error
    finally:
        book.close()


def _never_calculated(path: Path, sheet: str) -> dict[int, set[int]]:
    """The cells of a sheet, as row → columns from 0, with a formula whose value was never worked out: programs that write files can't do that.

    The value of a formula may be an empty text: that is one.
    """
    with ZipFile(path) as book, book.open(sheet) as text:
        before, found = b"", False
        while not found and (block := text.read(_BLOCK)):
            found = b"<f" in before + block or b":f>" in before + block
            before = block[-2:]
    if not found:
        return {}
    unknown: dict[int, set[int]] = {}
    with ZipFile(path) as book, book.open(sheet) as text:
        line, rows = 0, None
        for event, row in ElementTree.iterparse(text, events=("start", "end")):
            if event == "start":
                rows = row if _tag(row) == "sheetData" else rows
                continue
            if _tag(row) != "row" or rows is None:
                continue
            line = int(row.get("r") or line + 1)
            column = -1
            for cell in row:
                reference = re.match("[A-Z]+", cell.get("r") or "")
                column = _column_number(reference.group()) if reference else column + 1
                parts = {_tag(part): part.text for part in cell}
                if "f" in parts and not parts.get("v") and cell.get("t") != "str":
                    unknown.setdefault(line, set()).add(column)
            rows.clear()  # what was read, so that memory stays flat
    return unknown


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _column_number(letters: str) -> int:
    """0 for A, 26 for AA."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def _column_letters(number: int) -> str:
    letters = ""
    while number >= 0:
        number, rest = number // 26 - 1, number % 26
        letters = chr(ord("A") + rest) + letters
    return letters


def _excel_records(
    rows: Iterable[tuple[int, tuple[Any, ...]]],
    header: list[str],
    dialect: Dialect,
    wanted: set[str],
    unknown: dict[int, set[int]],
) -> Iterator[tuple[int, list[str] | None, str | None, str | None]]:
    width = len(header)
    used = {position: name for position, name in enumerate(header) if name in wanted}
    money = [position for position, name in enumerate(header) if name in dialect.money]
    for line, row in rows:
        cells = [_cell(value, dialect.decimal) for value in row]
        problems = [
            f"cell {_column_letters(position)}{line}: a formula that was never calculated; open the file in a spreadsheet program, and save it"
            for position in sorted(unknown.get(line, set()) & set(used))
        ]
        problems += [
            f"cell {_column_letters(position)}{line}: the error {cells[position]}"
            for position in used
            if position < len(cells) and cells[position] in _EXCEL_ERRORS - dialect.nulls
        ]
        if problems:
            yield (
                line,
                None,
                "; ".join(problems),
                json.dumps(dict(zip(header, cells, strict=False)), ensure_ascii=False),
            )
            continue
        if not any(cells):
            continue
        beyond = [cell for cell in cells[width:] if cell]
        if beyond:
            text = json.dumps(cells, ensure_ascii=False)
            yield line, None, f"it has {width + len(beyond)} cells; the header has {width}", text
        else:
            numbers = [
                "true" if position < len(row) and isinstance(row[position], int | float) else "" for position in money
            ]
            yield line, [*(cells + [""] * width)[:width], *numbers], None, None


def _cell(value: Any, decimal: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
    if isinstance(value, float):
        text = str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
        return text.replace(".", decimal)
    return str(value).replace("\x00", "")


def _parquet(con: duckdb.DuckDBPyConnection, path: Path) -> Relation:
    reader = f"read_parquet({path_literal(path)}, file_row_number = true, hive_partitioning = false)"
    try:
        described = con.execute(f"describe select * exclude (file_row_number) from {reader}").fetchall()
        row = con.execute(f"select count(*) from {reader}").fetchone()
    except duckdb.Error as error:
        raise RefusedError(f"it is no Parquet file that can be read: {str(error).splitlines()[0][:200]}") from error
    columns = {name: str(kind).lower() for name, kind, *_ in described}
    values = ", ".join(f"{identifier(name)} as {identifier(f's:{name}')}" for name in columns)
    inner = f"select {values}, file_row_number + 1 as _line from {reader}"
    sql = f"select *, cast(null as varchar) as _reject, {_record_value(columns)} as _record from ({inner})"
    rows = row[0] if row else 0
    return Relation(sql, columns, lambda: rows, 1)


def _xes(con: duckdb.DuckDBPyConnection, path: Path, folder: Path, wanted: list[str]) -> Relation:
    lines = folder / f"{uuid.uuid4().hex}.jsonl"
    try:
        names = to_json_lines(path, lines)
    except NoLogError as error:
        raise RefusedError(f"it is no XES event log: {error}.") from error
    return replace(_json_lines(con, lines, folder, wanted), columns=dict.fromkeys(names, "varchar"))


def _json_lines(con: duckdb.DuckDBPyConnection, path: Path, folder: Path, wanted: list[str]) -> Relation:
    source = read_lines([path])
    if _lines_with_text(path, UNSAFE) < 0 or not _is_readable(con, source):
        safe = sanitise(path, folder)
        source = read_lines([safe.path], safe.longest)
    row = con.execute(f"select count(line) from {source}").fetchone()
    received = row[0] if row else 0
    if received and not _is_object(con, source):
        raise RefusedError("its first lines are no JSON objects. Expected one JSON object a line.")
    return Relation(_parsed(source, wanted, "row_number() over ()"), dict.fromkeys(wanted, "varchar"), lambda: received)


def _parsed(source: str, wanted: list[str], line: str) -> str:
    """The query for JSON lines: ``line`` is its expression for ``_line``."""
    paths = ", ".join(quote(json_path(name)) for name in wanted)
    values = "".join(f", v[{position}] as {identifier(f's:{name}')}" for position, name in enumerate(wanted, 1))
    parsed = f"select line, try(json_extract_string(line, [{paths}])) as v, {line} as _line from {source}"
    return (
        f"select line as _record, _line{values}, case when v is null then 'it is no valid JSON' end as _reject "
        f"from ({parsed}) where line is not null"
    )


def _is_readable(con: duckdb.DuckDBPyConnection, source: str) -> bool:
    try:
        con.execute(f"select count(line) from {source}")
    except duckdb.Error:
        return False
    return True


def _is_object(con: duckdb.DuckDBPyConnection, source: str) -> bool:
    """Whether one of the first lines is a JSON object: a broken line is a bad record, a file without any object is another kind of file."""
    sample = f"(select line from {source} where line is not null limit 20)"
    row = con.execute(f"select count(*) from {sample} where try(json_type(line)) = 'OBJECT'").fetchone()
    return bool(row and row[0])


# --- common -----------------------------------------------------------------------------------------------------------------------------------


def _kept(
    con: duckdb.DuckDBPyConnection,
    folder: Path,
    header: list[str],
    records: Iterable[tuple[int, list[str] | None, str | None, str | None]],
    more: Sequence[str] = (),
) -> Relation:
    """Records read in Python as a Parquet file that DuckDB reads on. Written in batches: memory stays flat. ``more``: columns after those of the header."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = [*(f"s:{name}" for name in header), *more]
    schema = pa.schema(
        [
            *((name, pa.string()) for name in names),
            ("_line", pa.int64()),
            ("_reject", pa.string()),
            ("_raw", pa.string()),
        ]
    )
    target = folder / f"{uuid.uuid4().hex}.parquet"
    received = 0
    empty: list[str | None] = [None] * len(names)
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        batch: list[tuple[Any, ...]] = []

        def flush() -> None:
            columns = list(zip(*batch, strict=True)) if batch else []
            if columns:
                arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
                writer.write_batch(pa.record_batch(arrays, schema=schema))
            batch.clear()

        for line, cells, reject, raw in records:
            received += 1
            batch.append((*(cells if cells is not None else empty), line, reject, raw))
            if len(batch) >= _BATCH:
                flush()
        flush()
    inner = f"read_parquet({path_literal(target)}, hive_partitioning = false)"
    record = f"case when _reject is not null then _raw else cast({_record_value(header)} as varchar) end as _record"
    return Relation(
        f"select * exclude (_raw), {record} from {inner}", dict.fromkeys(header, "varchar"), lambda: received
    )


def _record_value(columns: Iterable[str]) -> str:
    """The row as JSON under the names that the source gives."""
    fields = ", ".join(f"{identifier(name)} := {identifier(f's:{name}')}" for name in columns)
    return f"to_json(struct_pack({fields}))"
