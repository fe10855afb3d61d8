"""Text files before they are parsed: as UTF-8, and how many lines there are. Which encoding it is is found out by ``encodings``."""

from __future__ import annotations

import codecs
import uuid
from collections.abc import Sequence
from pathlib import Path

from ingestion.files.readers.encodings import detect, is_utf8, mark_of
from ingestion.files.readers.relation import RefusedError

BLOCK = 1 << 20


def detected(path: Path) -> tuple[str, int | None]:
    """The encoding of a text file, and the first line that shows it where it is no UTF-8. RefusedError where it can't be told."""
    found = detect(path)
    if found.encoding is None:
        raise RefusedError(
            f"line {found.line:,} holds bytes that are no UTF-8 text ({found.sample!r}), and what they are can't be told. Set `encoding` to what the file "
            "was saved with, for example `encoding: cp1252` (Western Windows), cp1250 (Central Europe), cp1251 (Cyrillic), mac-roman or utf-16."
        )
    return found.encoding, found.line


def as_utf8(path: Path, encoding: str, folder: Path) -> Path:
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
            while block := source.read(BLOCK):
                out.write(block)
    except UnicodeError as error:
        raise RefusedError(
            f"it is no {encoding} text ({error.args[-1] if error.args else error}). Check `encoding`."
        ) from error
    return target


def lines_with_text(path: Path, unusable: Sequence[bytes] = (b"\x00",)) -> int:
    """The number of lines up to the last one that is not blank.

    A line break inside quotes and a blank line between others make a file's rows fewer than this: then the reader that knows lines is needed.
    -1, which no number of rows equals, where there is a byte that is ``unusable`` (DuckDB takes a NUL for text), or no UTF-8, which it finds too late.
    """
    newlines = 0
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        try:
            for block in iter(lambda: file.read(BLOCK), b""):
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
