"""The first rows of a file as a file of its own, so that a look into it takes no longer where it has millions. How it is read belongs to ``tabular``."""

from __future__ import annotations

import io
import re
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, AnyStr
from zipfile import BadZipFile, ZipFile

import duckdb

from ingestion.files.readers import archives
from ingestion.files.readers.encodings import wide_encoding
from ingestion.sql.text import path_literal, quote

_SMALL = 1 << 20  # bytes: smaller files are read as they are
_MOST = 1 << 26  # bytes of a head, whatever its lines
_BLOCK = 1 << 18
_SHEET = re.compile(r"xl/worksheets/[^/]+\.xml")
_SHARED = "xl/sharedStrings.xml"
_REFERENCE = re.compile(rb't="s"[^>]*><v>(\d+)</v>')


@dataclass(frozen=True)
class Head:
    """``path``: the file itself where ``is_whole``, else a file with its first rows."""

    path: Path
    is_whole: bool


def head(path: Path, kind: str, rows: int, folder: Path, *, quote_mark: str = '"', member: str | None = None) -> Head:
    """The first ``rows`` rows (a few more or less) of a file of ``kind``, in ``folder``, unpacked (``member``: which file of an archive).

    RefusedError where it can't be unpacked; OSError where it can't be read.
    """
    # openpyxl goes by the ending, and DuckDB takes .gz for what has to be unpacked
    target = folder / f"{uuid.uuid4().hex}{'.xlsx' if kind == 'excel' else '.head'}"
    is_packed = archives.is_packed(path)
    if kind in ("parquet", "excel"):
        whole = archives.unpacked(path, Path(tempfile.mkdtemp(dir=folder)), kind=kind, member=member)
        if kind == "parquet" and whole.stat().st_size <= _SMALL:
            return Head(whole, True)
        return (_parquet if kind == "parquet" else _excel)(whole, target, rows)
    if not is_packed and path.stat().st_size <= _SMALL:
        return Head(path, True)
    with archives.opened(path, member=member) as file:
        is_whole = (
            _xes(file, target, rows)
            if kind == "xes"
            else _text(file, target, rows, quote_mark if kind == "csv" else "")
        )
    return Head(path if is_whole and not is_packed else target, is_whole)


def _text(file: IO[bytes], target: Path, rows: int, quote_mark: str) -> bool:
    """Write the first lines, one more where the last one ends within quotes; whether that is all."""
    begin = file.read(_BLOCK)
    joined = io.BufferedReader(_Joined(begin, file))
    if encoding := wide_encoding(begin):
        # a line break has several bytes there
        text = io.TextIOWrapper(joined, encoding=encoding, errors="replace", newline="\n")
        target.write_text("".join(_lines(text, rows, quote_mark)), encoding=encoding, newline="")
        return not text.read(1)
    with target.open("wb") as out:
        out.writelines(_lines(joined, rows, quote_mark.encode()))
    return not joined.read(1)


class _Joined(io.RawIOBase):
    """Bytes that were read already, and those that follow."""

    def __init__(self, begin: bytes, rest: IO[bytes]) -> None:
        self._begin, self._rest = begin, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._begin[: len(buffer)] or self._rest.read(len(buffer))
        self._begin = self._begin[len(data) :] if self._begin else b""
        buffer[: len(data)] = data
        return len(data)


def _lines(file: IO[AnyStr], rows: int, mark: AnyStr) -> Iterator[AnyStr]:
    number = size = marks = 0
    while (number < rows or marks % 2) and size < _MOST and (line := file.readline(_MOST)):
        number, size = number + 1, size + len(line)
        marks += line.count(mark) if mark else 0
        yield line


def _parquet(path: Path, target: Path, rows: int) -> Head:
    try:
        duckdb.execute(
            f"copy (select * from read_parquet({path_literal(path)}, hive_partitioning = false) limit {rows}) to {quote(str(target))} (format parquet)"
        )
    except duckdb.Error:
        return Head(path, True)  # who reads it says what is wrong
    return Head(target, False)


def _excel(path: Path, target: Path, rows: int) -> Head:
    """The workbook with the first rows of each sheet, and of its texts those that stand there."""
    is_whole, used = True, 0
    try:
        with ZipFile(path) as book, ZipFile(target, "w") as out:
            if sum(part.file_size for part in book.infolist()) <= _SMALL:
                return Head(path, True)
            names = book.namelist()
            for name in names:
                if not _SHEET.fullmatch(name):
                    continue
                with book.open(name) as sheet:
                    text, is_all = _until(sheet, b"</row>", rows)
                is_whole = is_whole and is_all
                used = max([used, *(int(number) + 1 for number in _REFERENCE.findall(text))])
                out.writestr(name, text if is_all else text + b"</sheetData></worksheet>")
            for name in names:
                if _SHEET.fullmatch(name):
                    continue
                with book.open(name) as part:
                    if name == _SHARED and not is_whole:
                        text, is_all = _until(part, b"</si>", used)
                        out.writestr(name, text if is_all else text + b"</sst>")
                    else:
                        out.writestr(name, part.read())
    except (BadZipFile, EOFError, ValueError):
        return Head(path, True)  # who reads it says what is wrong
    return Head(path if is_whole else target, is_whole)


def _xes(file: IO[bytes], target: Path, rows: int) -> bool:
    text, is_whole = _until(file, b"</event>", rows)
    target.write_bytes(text if is_whole else text + b"</trace></log>")
    return is_whole


def _until(file: IO[bytes], ending: bytes, count: int) -> tuple[bytes, bool]:
    """What is read up to the ``count``-th ``ending``, and whether that is all."""
    parts: list[bytes] = []
    found, rest = 0, b""
    while block := file.read(_BLOCK):
        block = rest + block
        if found + (here := block.count(ending)) >= count:
            end = 0
            for _ in range(count - found):
                end = block.index(ending, end) + len(ending)
            parts.append(block[:end])
            return b"".join(parts), False
        found += here
        keep = len(block) - len(ending) + 1 if len(block) >= len(ending) else 0
        # an ending may be cut by the block's end
        cut = max(keep, block.rfind(ending) + len(ending) if ending in block else 0)
        parts.append(block[:cut])
        rest = block[cut:]
    parts.append(rest)
    return b"".join(parts), True
