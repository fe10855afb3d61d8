"""Connections to the working warehouse and to published versions. What is in them belongs to the models and to ``quality``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import duckdb

from salesgauge.errors import ConfigurationError
from salesgauge.settings import Company

DATABASE = "salesgauge"
LEAST_MEMORY = 512 * 2**20
MEMORY_A_BYTE = 16  # of Parquet files in the raw log
_T = TypeVar("_T")
_OFFLINE = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}


def connect(path: Path | str, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """Open the DuckDB file ``path``: times in UTC, nothing downloaded. The caller closes it."""
    if not read_only and str(path) != ":memory:":
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    con = duckdb.connect(str(path), read_only=read_only, config=dict(_OFFLINE))
    con.execute("set timezone = 'UTC'")
    return con


def raw_bytes(company: Company) -> int:
    """The size of the raw log's Parquet files: what a run's work grows with."""
    return sum(file.stat().st_size for file in company.raw_dir.rglob("*.parquet"))


def limit_memory(con: duckdb.DuckDBPyConnection, company: Company) -> None:
    """Let DuckDB keep no more in memory than the company's data are worth; what goes beyond waits on the disk.

    Without a limit it keeps whatever it ever read, up to 80 % of the machine. What can't do with less is for :func:`with_memory`.
    """
    limit = max(LEAST_MEMORY, MEMORY_A_BYTE * raw_bytes(company))
    company.work_dir.mkdir(parents=True, exist_ok=True)
    con.execute(f"set memory_limit = '{limit} B'")
    con.execute("set temp_directory = '{}'".format(str(company.work_dir / "spill").replace("'", "''")))


def with_memory(con: duckdb.DuckDBPyConnection, action: Callable[[], _T]) -> _T:
    """What ``action`` gives. If it needs more than :func:`limit_memory` lets it have (a median holds all its values), it is done again without a limit.

    ``action`` leaves nothing half-done where it fails.
    """
    try:
        return action()
    except duckdb.OutOfMemoryException:
        # A reset alone changes what DuckDB says its limit is, not the limit.
        con.execute("reset memory_limit")
        (usual,) = con.execute("select current_setting('memory_limit')").fetchone() or ("1 GiB",)
        con.execute(f"set memory_limit = '{usual}'")
        return action()


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
