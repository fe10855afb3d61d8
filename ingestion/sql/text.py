"""Names, texts and paths as SQL literals. What the SQL reads does not belong here."""

from __future__ import annotations

import re
from pathlib import Path


def quote(text: str) -> str:
    """``text`` as an SQL literal. SQL text can't hold a NUL: it is written out."""
    return "'" + text.replace("'", "''").replace("\x00", "\\x00") + "'"


def path_literal(path: Path) -> str:
    """``path`` as an SQL literal for DuckDB's readers, which would take a name with ``[1]`` or ``*`` for a pattern, and read other files."""
    return quote(re.sub(r"[*?\[]", r"[\g<0>]", str(path)))


def json_path(name: str) -> str:
    """The JSON path of the field ``name`` of an object; a name that begins with ``$`` is one."""
    return name if name.startswith("$") else f'$."{name}"'


def identifier(name: str) -> str:
    """``name`` as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
