"""Connections to the working warehouse and to published versions. What is in them belongs to the models and to ``quality``."""

from __future__ import annotations

from pathlib import Path

import duckdb

from salesgauge.errors import ConfigurationError

DATABASE = "salesgauge"
_OFFLINE = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}


def connect(path: Path | str, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """Open the DuckDB file ``path``: times in UTC, nothing downloaded. The caller closes it."""
    if not read_only and str(path) != ":memory:":
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    con = duckdb.connect(str(path), read_only=read_only, config=dict(_OFFLINE))
    con.execute("set timezone = 'UTC'")
    return con


def open_published(pointer: Path) -> duckdb.DuckDBPyConnection:
    """A connection to the version that ``pointer`` names now, attached read-only as ``salesgauge`` and in use.

    The link is followed once: the version stays the same for the life of the connection, whatever is published meanwhile.
    ConfigurationError if nothing was published yet.
    """
    if not pointer.exists():
        raise ConfigurationError("nothing is published yet. Run 'salesgauge run' first.")
    con = connect(":memory:")
    file = str(pointer.resolve()).replace("'", "''")
    con.execute(f"attach '{file}' as {DATABASE} (read_only)")
    con.execute(f"use {DATABASE}")
    return con
