"""What files are without a mapping: format, encoding, delimiter, header, sheets, and the first rows with profiles of their columns.

Judging what they hold belongs to ``proposing``.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import duckdb

from ingestion.files.mapping.model import PACKED
from ingestion.files.profiles import Profile, profiled
from ingestion.files.readers import archives
from ingestion.files.readers.encodings import detect, is_utf8
from ingestion.files.readers.heads import head
from ingestion.files.readers.relation import Dialect, RefusedError
from ingestion.files.readers.tabular import read
from ingestion.rawlog.order import in_natural_order
from ingestion.sql.text import identifier, json_path

ROWS = {"csv": 50_000, "jsonl": 50_000, "parquet": 50_000, "excel": 10_000, "xes": 20_000}
_LOOKED_AT = 200
_DELIMITERS = (",", ";", "\t", "|")
_BY_ENDING = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".xlsx": "excel", ".xlsm": "excel", ".parquet": "parquet", ".jsonl": "jsonl", ".ndjson": "jsonl", ".xes": "xes",
}  # fmt: skip
_DAY_OR_NUMBER = re.compile(r"[ _.-]*\(?\d[\d_.:T -]*\)?|[ _-]+(copy|Kopie)\b")


@dataclass(frozen=True)
class Table:
    """Rows of one or more files of the same shape. ``path`` names them all. ``guessed``: the encoding is a guess, as nothing tells it.

    ``name``: the DuckDB table with the rows that were read; ``is_whole``: these are all.
    """

    name: str
    path: str
    files: tuple[str, ...]
    kind: str
    profiles: tuple[Profile, ...]
    rows: int
    is_whole: bool
    encoding: str | None = None
    guessed: bool = False
    delimiter: str = ","
    sheet: str | None = None
    skip: int = 0
    bad: tuple[str, ...] = ()

    @property
    def names_its_format(self) -> bool:
        """Whether the endings of the files say what they are."""
        return _BY_ENDING.get(_ending(self.path)) == self.kind


@dataclass
class _Look:
    """How one file, or one sheet of it, is written."""

    name: str
    path: Path
    kind: str
    dialect: Dialect
    is_whole: bool
    guessed: bool = False
    wanted: list[str] = field(default_factory=list)


def tables(
    con: duckdb.DuckDBPyConnection, files: Sequence[tuple[str, Path]], folder: Path
) -> tuple[list[Table], list[str]]:
    """The tables of ``files`` (name below the data directory, path), those of one shape and name together; and what is wrong with the others."""
    found: list[Table] = []
    problems: list[str] = []
    groups: dict[str, list[tuple[str, Path]]] = {}
    paths = dict(files)
    for name in in_natural_order(paths):
        groups.setdefault(_mask(name), []).append((name, paths[name]))
    for group in groups.values():
        try:
            found += _tables_of(con, group, folder, len(found), problems)
        except (RefusedError, OSError) as error:
            problems.append(f"{group[0][0]}: {error}")
    return found, problems


def _tables_of(
    con: duckdb.DuckDBPyConnection, group: list[tuple[str, Path]], folder: Path, number: int, problems: list[str]
) -> list[Table]:
    """The tables of files of one name pattern: one a sheet, and files of another shape apart."""
    looks: dict[tuple[object, ...], list[tuple[_Look, str, list[tuple[str, str]], list[str]]]] = {}
    for name, path in group:
        try:
            for look in _looks(name, path, folder):
                table = f"rows_{number}_{sum(map(len, looks.values()))}"
                columns, bad = _loaded(con, look, folder, table)
                if columns:
                    shape = (look.kind, look.dialect.sheet, tuple(sorted(name for name, _ in columns)))
                    looks.setdefault(shape, []).append((look, table, columns, bad))
        except (RefusedError, OSError) as error:
            problems.append(f"{name}: {error}")
    found = []
    for members in looks.values():
        together = [members] if len(members) == len(group) or len(looks) == 1 else [[one] for one in members]
        for files in together:
            found.append(_table(con, files))
    return found


def _table(con: duckdb.DuckDBPyConnection, files: list[tuple[_Look, str, list[tuple[str, str]], list[str]]]) -> Table:
    first, _, columns, _ = files[0]
    name = f"all_{files[0][1]}"
    parts = [f"select *, {number} as _file from {table}" for number, (_, table, *_) in enumerate(files)]
    con.execute(f"create temp table {name} as {' union all by name '.join(parts)}")
    (rows,) = con.execute(f"select count(*) from {name}").fetchone() or (0,)
    return Table(
        name,
        _pattern([look.name for look, *_ in files]),
        tuple(look.name for look, *_ in files),
        first.kind,
        tuple(profiled(con, name, columns)),
        int(rows),
        all(look.is_whole for look, *_ in files),
        first.dialect.encoding if first.dialect.encoding and not is_utf8(first.dialect.encoding) else None,
        any(look.guessed for look, *_ in files),
        first.dialect.delimiter,
        str(first.dialect.sheet) if first.kind == "excel" else None,
        first.dialect.skip,
        tuple(text for *_, bad in files for text in bad)[:3],
    )


def _loaded(
    con: duckdb.DuckDBPyConnection, look: _Look, folder: Path, table: str
) -> tuple[list[tuple[str, str]], list[str]]:
    """The columns of a file whose rows are in ``table`` now, and why some rows are not."""
    relation = read(con, look.path, look.dialect, folder, look.wanted)
    if look.kind == "xes":  # its attributes are known only now
        relation = read(con, look.path, look.dialect, folder, list(relation.columns))
    listed = ", ".join(identifier(f"s:{name}") for name in relation.columns)
    con.execute(
        f"create temp table {table} as select {listed}, _line, _reject from ({relation.sql}) limit {ROWS[look.kind]}"
    )
    bad = con.execute(f"select _line, _reject from {table} where _reject is not null order by 1 limit 3").fetchall()
    con.execute(f"delete from {table} where _reject is not null")
    return list(relation.columns.items()), [f"line {line:,}: {why}" for line, why in bad]


def _looks(name: str, path: Path, folder: Path) -> list[_Look]:
    """How a file is written; of a workbook each sheet with a table."""
    kind = kind_of(path)
    first = head(path, kind, ROWS[kind], folder)
    if kind == "excel":
        return [
            _Look(name, first.path, kind, Dialect(kind, sheet=sheet, skip=skip), first.is_whole)
            for sheet, skip in _sheets(first.path)
        ]
    if kind in ("parquet", "xes"):
        return [_Look(name, first.path, kind, Dialect(kind), first.is_whole)]
    found = detect(first.path)
    encoding = found.encoding or "cp1252"
    if kind == "jsonl":
        return [_Look(name, first.path, kind, Dialect(kind, encoding), first.is_whole, found.encoding is None, _fields(first.path, encoding))]  # fmt: skip
    delimiter, skip = sniffed(first.path, encoding)
    return [_Look(name, first.path, kind, Dialect(kind, encoding, delimiter, skip=skip), first.is_whole, found.encoding is None)]  # fmt: skip


def kind_of(path: Path) -> str:
    """The format of a file, by the first bytes of what is in it, else by its ending. RefusedError where it is none that can be read."""
    with archives.opened(path) as file:
        start = file.read(256)
    if not start:
        raise RefusedError("it is empty.")
    if start.startswith(b"PK\x03\x04"):
        return "excel"
    if start.startswith(b"PAR1"):
        return "parquet"
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(b"["):
        raise RefusedError(
            "it is one JSON list. Expected JSON lines, one object a line: jq -c '.[]' FILE.json > FILE.jsonl makes them."
        )
    if text.startswith(b"{"):
        return "jsonl"
    ending = _ending(path.name)
    if text.startswith((b"<?xml", b"<log")) and (b"<log" in text or ending == ".xes"):
        return "xes"
    return "csv" if _BY_ENDING.get(ending) in (None, "jsonl") else _BY_ENDING[ending]


def _ending(name: str) -> str:
    """The ending that says what a file is: of ``deals.csv.gz`` that is ``.csv``."""
    path = PurePosixPath(name.lower())
    return PurePosixPath(path.stem).suffix if path.suffix in PACKED and PurePosixPath(path.stem).suffix else path.suffix


def sniffed(path: Path, encoding: str) -> tuple[str, int]:
    """The delimiter of a CSV file, and how many lines stand above its header."""
    with path.open(encoding="utf-8-sig" if is_utf8(encoding) else encoding, errors="replace", newline="") as file:
        text = "".join(line for _, line in zip(range(_LOOKED_AT), file, strict=False))
    best = max(_DELIMITERS, key=lambda mark: _evenness(text, mark))
    rows = _records(text, best)
    header = header_of([[cell.strip() for cell in cells] for _, cells in rows])
    above = [line for line, _ in rows[:header]]
    return best, rows[header][0] - 1 if above and header < len(rows) else 0


def _records(text: str, delimiter: str) -> list[tuple[int, list[str]]]:
    """The records that have any text, each with the line on which it begins."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    found, line = [], 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                found.append((line, cells))
            line = reader.line_num + 1
    except csv.Error:
        pass
    return found


def _evenness(text: str, delimiter: str) -> tuple[float, int]:
    """How many of the records have the most frequent width that is more than one, and that width."""
    widths = Counter(len(cells) for _, cells in _records(text, delimiter))
    total = sum(widths.values())
    wide = {width: count for width, count in widths.items() if width > 1}
    if not wide:
        return (0.0, 0)
    width = max(wide, key=lambda one: (wide[one], one))
    return (round(wide[width] / total, 1), width)


def header_of(rows: Sequence[Sequence[object]]) -> int:
    """The place of the header among rows: the first one that is as wide as most rows are, and holds no numbers. 0 where there is none."""
    widths = Counter(_width(row) for row in rows[:_LOOKED_AT])
    wide = {width: count for width, count in widths.items() if width > 1}
    if not wide:
        return 0
    usual = max(wide, key=lambda one: (wide[one], one))
    for place, row in enumerate(rows[:20]):
        cells = [str(cell).strip() for cell in row if cell not in (None, "")]
        if len(cells) >= max(2, 0.6 * usual) and not any(re.fullmatch(r"[-+]?[\d.,/: -]+", cell) for cell in cells):
            return place
    return 0


def _width(row: Sequence[object]) -> int:
    return max((place + 1 for place, cell in enumerate(row) if cell not in (None, "")), default=0)


def _sheets(path: Path) -> list[tuple[str, int]]:
    """The sheets of a workbook that hold a table, with the number of rows above its header."""
    from openpyxl import load_workbook

    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except Exception as error:  # openpyxl raises whatever its zip and XML readers do
        raise RefusedError(
            f"it is no Excel file that can be read ({type(error).__name__}). Save it as .xlsx."
        ) from error
    found = []
    try:
        for sheet in book.worksheets:
            rows = [list(row) for _, row in zip(range(_LOOKED_AT), sheet.iter_rows(values_only=True), strict=False)]
            filled = [(place, row) for place, row in enumerate(rows) if any(cell is not None for cell in row)]
            if len(filled) > 1 and max(_width(row) for _, row in filled) > 1:
                header = header_of([row for _, row in filled])
                found.append((sheet.title, filled[header][0] if header else 0))
    finally:
        book.close()
    if not found:
        raise RefusedError("none of its sheets holds a table with a header.")
    return found


def _fields(path: Path, encoding: str) -> list[str]:
    """The fields of the objects of a JSON-lines file; of objects within them as paths."""
    names: dict[str, None] = {}
    with path.open(encoding="utf-8-sig" if is_utf8(encoding) else encoding, errors="replace") as file:
        for _, line in zip(range(2_000), file, strict=False):
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict):
                names.update(dict.fromkeys(_paths(record)))
    return list(names)


def _paths(record: dict[str, object], above: str = "") -> list[str]:
    found = []
    for name, value in record.items():
        step = name if re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) else json_path(name)[2:]
        within = f"{above or '$'}.{step}"
        if isinstance(value, dict) and above.count(".") < 3:
            found += _paths(value, within)
        elif not isinstance(value, list):
            found.append(within if above else name)
    return found


def _mask(name: str) -> str:
    """What file names of one kind have in common: without days, numbers and marks of copies."""
    path = PurePosixPath(name)
    return f"{path.parent}/{_DAY_OR_NUMBER.sub('', path.stem).casefold()}{path.suffix.lower()}"


def _pattern(names: list[str]) -> str:
    """The glob that names the files: what they begin and end with, whatever the numbers between."""
    if len(names) == 1:
        return names[0]
    path = PurePosixPath(names[0])
    stems = [PurePosixPath(name).stem for name in names]
    begin = stems[0]
    while not all(stem.startswith(begin) for stem in stems):
        begin = begin[:-1]
    end = stems[0][::-1]
    while not all(stem[::-1].startswith(end) for stem in stems):
        end = end[:-1]
    begin = re.sub(r"\d[\d_.:T-]*$", "", begin)
    end = re.sub(r"^[\d_.:T-]*\d", "", end[::-1]) if len(begin) < min(map(len, stems)) else ""
    folder = "" if str(path.parent) == "." else f"{path.parent}/"
    return f"{folder}{begin}*{end if not begin.endswith(end) else ''}{path.suffix}"
