"""The raw log: what its tables are, which loads count, the views over it, and how a load is committed. What a load holds belongs to ``landing``."""

from __future__ import annotations

from ingestion.rawlog.loads import (
    UNFINISHED,
    committed,
    cursors,
    fingerprint,
    has_loads,
    last_cursor,
    last_loaded_at,
    next_load_id,
    shown,
    sources,
    sweep,
    table_files,
    unfinished_files,
)
from ingestion.rawlog.views import FILE_COLUMNS, create_views, quarantined, relation

__all__ = [
    "FILE_COLUMNS",
    "UNFINISHED",
    "committed",
    "create_views",
    "cursors",
    "fingerprint",
    "has_loads",
    "last_cursor",
    "last_loaded_at",
    "next_load_id",
    "quarantined",
    "relation",
    "shown",
    "sources",
    "sweep",
    "table_files",
    "unfinished_files",
]
