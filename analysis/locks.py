"""Durable locks: what was forecast on a Monday, kept as a file that is never rewritten.

One Parquet file per lock date in the company's locks folder. Computing a forecast belongs to ``forecast``.
"""

from __future__ import annotations

import os
import uuid
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from salesgauge.errors import ConfigurationError

_MONEY = pa.decimal128(18, 2)
SCHEMA = pa.schema(
    [
        ("lock_date", pa.date32()),
        ("period_start_date", pa.date32()),
        ("period_end_date", pa.date32()),
        ("horizon_days", pa.int32()),
        ("method", pa.string()),
        ("level", pa.string()),
        ("segment", pa.string()),
        ("forecast_amount", _MONEY),
        ("low_amount", _MONEY),
        ("high_amount", _MONEY),
        ("deals_open", pa.int32()),
        ("is_recorded", pa.bool_()),
        ("created_as_of", pa.timestamp("us")),
    ]
)


def lock_file(locks_dir: Path, lock_date: date) -> Path:
    """Where the lock of ``lock_date`` is kept."""
    return locks_dir / f"{lock_date.isoformat()}.parquet"


def record_lock(locks_dir: Path, locks: pa.Table, lock_date: date) -> bool:
    """Keep the rows of ``lock_date`` in ``locks`` (columns of ``SCHEMA``) for good. True if this call wrote them.

    The first write stands: a file that is there is left as it is. The file appears whole or not at all. Nothing is written
    where ``locks`` has no row of that date.
    """
    target = lock_file(locks_dir, lock_date)
    rows = locks.filter(pc.equal(locks["lock_date"], pa.scalar(lock_date, pa.date32()))).cast(SCHEMA)
    if target.exists() or not rows.num_rows:
        return False
    locks_dir.mkdir(parents=True, exist_ok=True)
    draft = locks_dir / f".{target.name}.{uuid.uuid4().hex}"
    try:
        pq.write_table(rows, draft, compression="zstd")
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        # A link, unlike a rename, refuses a target that another process made meanwhile.
        os.link(draft, target)
    except FileExistsError:
        return False
    finally:
        draft.unlink(missing_ok=True)
    return True


def record_newest_lock(con: duckdb.DuckDBPyConnection, locks_dir: Path) -> date | None:
    """Record the newest Monday of ``analysis.forecast_locks``; its date if it was recorded by this call, else None.

    To be called when a run has passed its audit: a recorded lock is what later errors are measured against.
    """
    newest = con.execute("select max(lock_date) from analysis.forecast_locks").fetchone()
    if newest is None or newest[0] is None:
        return None
    rows = con.execute("select * from analysis.forecast_locks where lock_date = ?", [newest[0]]).to_arrow_table()
    return newest[0] if record_lock(locks_dir, rows, newest[0]) else None


def read_locks(locks_dir: Path | None, until: date) -> pa.Table:
    """All recorded rows with lock dates up to ``until``, ``is_recorded`` true; no rows where there is no folder.

    ConfigurationError names a file that is not a lock file.
    """
    tables = [SCHEMA.empty_table()]
    files = sorted(locks_dir.glob("*.parquet")) if locks_dir and locks_dir.is_dir() else []
    for file in files:
        if file.stem > until.isoformat():
            continue
        try:
            tables.append(pq.ParquetFile(file).read().cast(SCHEMA))
        except (pa.ArrowException, OSError) as error:
            raise ConfigurationError(
                f"{file}: not a recorded forecast lock ({error}). Restore it from a backup; if it is lost, remove it and the "
                "lock is computed again from the history."
            ) from error
    rows = pa.concat_tables(tables)
    place = rows.schema.get_field_index("is_recorded")
    return rows.set_column(place, SCHEMA.field("is_recorded"), pa.array([True] * rows.num_rows, pa.bool_()))
