"""Text files as DuckDB relations: one row a line, whatever bytes they hold, or the columns of well-formed CSV. What they mean does not belong here.

DuckDB's CSV reader with one text column is the fastest way to get at lines. It stops at invalid UTF-8, at a line that is longer than its buffer
and at one that holds its delimiter; such a file is rewritten with those bytes escaped in a way that no JSON parser accepts, so that its bad lines
end in quarantine and its good ones are loaded.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ingestion.sql.text import path_literal, quote

_DELIMITER = "\x01"
UNSAFE = (b"\r", _DELIMITER.encode())  # bytes that would be taken for the end of a line or of its column
_READER_DEFAULT = 2_000_000
_CSV_BUFFER = (
    8_000_000  # bytes, a quarter of the default: of larger ones more is held, and copied, to keep the rows in order
)


@dataclass(frozen=True)
class SafeFile:
    """A file that DuckDB can read line by line; ``longest`` is its longest line in bytes."""

    path: Path
    longest: int


def read_lines(files: Sequence[Path], longest: int = 0) -> str:
    """SQL of a table function with one column ``line`` (null for a blank line), in the order of ``files`` and of their lines."""
    paths = ", ".join(path_literal(file) for file in files)
    size = f", max_line_size = {longest + 64}, buffer_size = {2 * longest + 128}" if longest > _READER_DEFAULT else ""
    return (
        f"read_csv([{paths}], columns = {{'line': 'varchar'}}, delim = {quote(_DELIMITER)}, quote = '', escape = '', header = false, "
        f"auto_detect = false, new_line = '\\n'{size})"
    )


def read_csv(
    path: Path,
    columns: Sequence[str],
    *,
    delimiter: str = ",",
    quoting: str = '"',
    skip: int = 1,
    is_parallel: bool = True,
) -> str:
    """SQL of a table function with the text columns ``columns`` (null for an empty field) of a CSV file, after ``skip`` lines.

    ``is_parallel``: on all cores, which is quicker, but some files with line breaks inside quotes are then refused though they are well-formed.
    """
    struct = ", ".join(f"{quote(name)}: 'varchar'" for name in columns)
    return (
        f"read_csv({path_literal(path)}, columns = {{{struct}}}, delim = {quote(delimiter)}, quote = {quote(quoting)}, escape = {quote(quoting)}, "
        f"header = false, skip = {skip}, auto_detect = false, strict_mode = true, buffer_size = {_CSV_BUFFER}, "
        f"parallel = {is_parallel})"
    )


def sanitise(source: Path, folder: Path) -> SafeFile:
    """A copy of ``source`` in ``folder`` in which bytes that are no UTF-8, and control characters, are escaped as ``\\xff``."""
    target = folder / f"{uuid.uuid4().hex}.lines"
    longest = 0
    with source.open("rb") as file, target.open("wb") as out:
        for line in file:
            data = _clean(line.rstrip(b"\r\n"))
            longest = max(longest, len(data))
            out.write(data + b"\n")
    return SafeFile(target, longest)


def _clean(line: bytes) -> bytes:
    text = line.decode("utf-8", errors="backslashreplace")
    if text.isprintable():
        return text.encode()
    return "".join(
        character if character >= " " or character == "\t" else f"\\x{ord(character):02x}" for character in text
    ).encode("utf-8", errors="backslashreplace")
