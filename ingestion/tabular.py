"""Files as DuckDB relations: CSV, Excel, Parquet and JSON lines in one shape. What their columns mean does not belong here (``mapping``).

Well-formed files are read by DuckDB itself. Its readers skip or refuse what is malformed, and can't say on which line a row stands once a quoted
field holds a line break; so a CSV file whose rows don't add up to its lines is read record by record in Python and handed on as Parquet, with the
line of each record, and with the records that don't fit kept as they are.
"""

from __future__ import annotations

import codecs
import csv
import json
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import duckdb

from ingestion.lines import UNSAFE, identifier, path_literal, quote, read_csv, read_lines, sanitise
from salesgauge.errors import SourceError

_BATCH = 20_000
_BLOCK = 1 << 20
_MARKS = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


class RefusedError(SourceError):
    """A file that can't be read as what its mapping says it is. The message says why and what to do."""


@dataclass(frozen=True)
class Dialect:
    """How the text of a file is to be read. ``decimal`` is the mark that numbers in Excel cells are written with."""

    format: str
    encoding: str = "utf-8"
    delimiter: str = ","
    quote: str = '"'
    sheet: str | int = 0
    skip: int = 0
    decimal: str = "."


@dataclass(frozen=True)
class Relation:
    """A file as a query. ``sql`` yields ``s:<column>`` for each column in ``columns`` (name → DuckDB type), ``_line``, ``_record`` (JSON), and
    ``_reject``: why the row can't be used at all (then ``_record`` is the row's text). ``received`` counts its rows, where they were not counted yet.

    ``first_line``: the rows follow each other from there on, and ``_line`` may be empty.
    """

    sql: str
    columns: dict[str, str]
    received: Callable[[], int]
    first_line: int | None = None


def read(
    con: duckdb.DuckDBPyConnection, path: Path, dialect: Dialect, folder: Path, wanted: Iterable[str] = ()
) -> Relation:
    """The file ``path`` as a relation; working files go to ``folder``. ``wanted``: the JSON paths of a JSON-lines file. RefusedError if it can't be."""
    try:
        if dialect.format == "parquet":
            return _parquet(con, path)
        if dialect.format == "excel":
            return _excel(con, path, dialect, folder)
        text = _as_utf8(path, dialect.encoding, folder)
        if dialect.format == "jsonl":
            return _json_lines(con, text, folder, list(wanted))
        return _csv(con, text, dialect, folder)
    except OSError as error:
        raise RefusedError(f"it can't be read: {error.strerror or error}") from error


def read_plain(path: Path, dialect: Dialect, wanted: Iterable[str] = ()) -> Relation | None:
    """A CSV or JSON-lines file as a relation, taken to be well-formed: a row a line, one after the other. None where it is seen not to be.

    Nothing is parsed to find out, and rows are not numbered, which would take the use of more than one core: ``received`` counts line breaks, and is
    -1 where there are none. If as many rows turn out to be good, the file is what it was taken for; if not, ``read`` it. RefusedError for a header
    that can't be used.
    """
    if dialect.format not in ("csv", "jsonl") or not _is_utf8(dialect.encoding):
        return None
    try:
        with path.open("rb") as file:
            if any(file.read(4).startswith(mark) for mark, _ in _MARKS):
                return None
        header, above = _csv_header(path, dialect) if dialect.format == "csv" else ([], 0)
    except OSError:
        return None
    if len(header) == 1:
        return None

    def received() -> int:
        return _lines_with_text(path, (b"\x00",) if header else UNSAFE) - above or -1

    if header:
        sql = _numbered(_csv_reader(path, dialect, header, above), header, "cast(null as bigint)")
        return Relation(sql, dict.fromkeys(header, "varchar"), received, above + 1)
    names = list(wanted)
    return Relation(
        _parsed(read_lines([path]), names, "cast(null as bigint)"), dict.fromkeys(names, "varchar"), received, 1
    )


def _is_utf8(encoding: str) -> bool:
    return encoding.lower().replace("_", "-") in ("utf-8", "utf8", "utf-8-sig")


def _as_utf8(path: Path, encoding: str, folder: Path) -> Path:
    """The file itself if it is UTF-8, else a copy that is. Bytes that the encoding lacks stay as they are and are found later."""
    with path.open("rb") as file:
        start = file.read(4)
    if _is_utf8(encoding):
        for mark, name in _MARKS:
            if start.startswith(mark):
                raise RefusedError(
                    f"it begins like {name} text, but is to be read as {encoding}. Set `encoding: {name}`."
                )
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
            row = con.execute(f"select count(*) from {reader}").fetchone()
            rows = row[0] if row else 0
            if rows == _lines_with_text(path) - header_lines:
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
    return _names([cell.strip() for cell in header], dialect.encoding), lines


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
        return f"it holds bytes that are no {dialect.encoding} text; set `encoding`, for example cp1252"
    if "\x00" in text:
        return "it holds a NUL character"
    return None


# --- Excel, Parquet, JSON lines ---------------------------------------------------------------------------------------------------------------


def _excel(con: duckdb.DuckDBPyConnection, path: Path, dialect: Dialect, folder: Path) -> Relation:
    from openpyxl import load_workbook

    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except Exception as error:  # openpyxl raises whatever its zip and XML readers do
        raise RefusedError(f"it is no Excel file (.xlsx): {type(error).__name__}.") from error
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
        return _kept(con, folder, header, _excel_records(rows, len(header), dialect.decimal))
    finally:
        book.close()


def _excel_records(
    rows: Iterable[tuple[int, tuple[Any, ...]]], width: int, decimal: str
) -> Iterator[tuple[int, list[str] | None, str | None, str | None]]:
    for line, row in rows:
        cells = [_cell(value, decimal) for value in row]
        if not any(cells):
            continue
        beyond = [cell for cell in cells[width:] if cell]
        if beyond:
            text = json.dumps(cells, ensure_ascii=False)
            yield line, None, f"it has {width + len(beyond)} cells; the header has {width}", text
        else:
            yield line, (cells + [""] * width)[:width], None, None


def _cell(value: Any, decimal: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date | time):
        return value.isoformat()
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


def _json_lines(con: duckdb.DuckDBPyConnection, path: Path, folder: Path, wanted: list[str]) -> Relation:
    with path.open("rb") as file:
        is_unsafe = any(byte in block for block in iter(lambda: file.read(_BLOCK), b"") for byte in UNSAFE)
    source = read_lines([path])
    if is_unsafe or not _is_readable(con, source):
        safe = sanitise(path, folder)
        source = read_lines([safe.path], safe.longest)
    row = con.execute(f"select count(line) from {source}").fetchone()
    received = row[0] if row else 0
    if received and not _is_object(con, source):
        raise RefusedError("its first lines are no JSON objects. Expected one JSON object a line.")
    return Relation(_parsed(source, wanted, "row_number() over ()"), dict.fromkeys(wanted, "varchar"), lambda: received)


def _parsed(source: str, wanted: list[str], line: str) -> str:
    """The query for JSON lines: ``line`` is its expression for ``_line``."""
    paths = ", ".join(quote(name if name.startswith("$") else f'$."{name}"') for name in wanted)
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
) -> Relation:
    """Records read in Python as a Parquet file that DuckDB reads on. Written in batches: memory stays flat."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = [f"s:{name}" for name in header]
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
    empty: list[str | None] = [None] * len(header)
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
