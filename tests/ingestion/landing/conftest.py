"""A company directory and a small table for tests of the raw log."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ingestion import rawlog
from ingestion.landing.load import Landing
from ingestion.rawlog.declarations import RawColumn, RawTable
from salesgauge.settings import Company
from salesgauge.warehouse import connect

RECEIVED_AT = datetime(2026, 7, 1, 5)
DEALS = RawTable(
    "hubspot",
    "deals",
    (
        RawColumn("id", "varchar", "$.id"),
        RawColumn("created_at", "timestamp", "$.createdAt", required=True),
        RawColumn("updated_at", "timestamp", "$.updatedAt"),
        RawColumn("is_archived", "boolean", "$.archived"),
        RawColumn("archived_at", "timestamp", "$.archivedAt"),
        RawColumn("score", "bigint", "$.score"),
        RawColumn("rate", "double", "$.rate"),
        RawColumn("to_ids", "varchar[]", "$.to"),
    ),
    ("id",),
)


@pytest.fixture
def deals_table() -> RawTable:
    return DEALS


@pytest.fixture
def company(tmp_path: Path) -> Company:
    root = tmp_path / "company [a]'s *"
    root.mkdir()
    (root / "process.yml").write_text("company: {}\n", encoding="utf-8")
    return Company.open(root, {})


@pytest.fixture
def load(company: Company) -> Callable[..., str | None]:
    """``load(records or bytes, cursor=…)`` lands and commits one load of deals."""

    def run(
        records: list[dict[str, Any]] | bytes,
        *,
        cursor: Any = None,
        received_at: datetime = RECEIVED_AT,
        **options: Any,
    ) -> str | None:
        with Landing(company, "hubspot", received_at=received_at) as landing:
            file = landing.folder / "records.jsonl"
            data = (
                records if isinstance(records, bytes) else "\n".join(json.dumps(record) for record in records).encode()
            )
            file.write_bytes(data)
            landing.records(DEALS, [file], **options)
            if cursor is not None:
                landing.cursor("deals", cursor)
            return landing.commit()

    return run


@pytest.fixture
def views(company: Company) -> Callable[[], duckdb.DuckDBPyConnection]:
    """``views()`` is a connection with the views as of now."""

    def make() -> duckdb.DuckDBPyConnection:
        con = connect(":memory:")
        rawlog.create_views(con, company, {"hubspot": (DEALS,)})
        return con

    return make
