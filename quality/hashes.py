"""Content hashes of tables: equal for equal content in whatever row order, different for any other type, name, value or null.

Computed in DuckDB with md5 over an explicit text of each row, so the same rows give the same hash in every version of DuckDB.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import duckdb

# Floating sums differ in their last bits with the order in which threads add, differences of such sums in more of them: six decimals, of those at most
# twelve digits, are what two runs agree in. Money is decimal and counts to the cent.
_DOUBLE = "case when isfinite({0}) then printf('%.11e', round({0}, 6) + 0.0) else cast({0} as varchar) end"
_TEXTS = {"DOUBLE": _DOUBLE, "FLOAT": _DOUBLE}


def table_hash(con: duckdb.DuckDBPyConnection, table: str) -> tuple[str, int]:
    """Hash (hexadecimal, 32 digits) and number of rows of ``table`` (schema-qualified, quoted where needed).

    Depends on names, types and order of the columns and on the multiset of rows; not on the order of rows, nor on how the file stores them.
    """
    columns = [(name, kind) for name, kind, *_ in con.execute(f"describe {table}").fetchall()]
    # A length before each text and a mark for null: no two different rows share a text.
    cells = ", ".join(
        f"coalesce(strlen({text}) || ':' || {text}, '~')" for text in (_text(name, kind) for name, kind in columns)
    )
    rows, low, high = con.execute(
        f"""
        with digests as (select md5(concat({cells})) as digest from {table})
        select
            count(*),
            coalesce(sum(cast('0x' || digest[1:15] as bigint)), 0),
            coalesce(sum(cast('0x' || digest[16:30] as bigint)), 0)
        from digests
        """
    ).fetchone() or (0, 0, 0)
    content = json.dumps([columns, int(rows), int(low), int(high)], separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()[:32], int(rows)


def fingerprint(hashes: Mapping[str, str]) -> str:
    """Of all tables' hashes by name: that of the process file, without the moment of the run."""
    return digest(
        {name: value for name, value in hashes.items() if name.startswith("process.") and name != "process.run"}
    )


def digest(value: Any) -> str:
    """Hash of a value that JSON can hold."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]


def _text(name: str, kind: str) -> str:
    column = '"' + name.replace('"', '""') + '"'
    if kind in _TEXTS:
        return f"({_TEXTS[kind].format(column)})"
    if kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "UNION")):
        return f"cast(to_json({column}) as varchar)"
    return f"cast({column} as varchar)"
