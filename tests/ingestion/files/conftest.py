"""A company with file sources, and a small process."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import duckdb
import pytest

import ingestion
from ingestion import SourceResult
from ingestion.catalogue import create_views
from salesgauge.process import Process
from salesgauge.settings import Company
from salesgauge.warehouse import connect

RECEIVED_AT = datetime(2026, 7, 1, 5)
PROCESS = """
company: {name: Test, currency: USD, timezone: America/Chicago}
process:
  versions: [{key: baseline, effective_from: 2025-01-01}]
  stages:
    - {key: inquiry, object: lead}
    - {key: proposal}
    - {key: won, kind: won}
    - {key: lost, kind: lost}
    - {key: paid, kind: post_sale}
"""


class FileCompany:
    """A company directory whose file source ``crm`` tests write and run."""

    def __init__(self, root: Path) -> None:
        root.mkdir()
        (root / "process.yml").write_text(PROCESS, encoding="utf-8")
        (root / "sources").mkdir()
        (root / "data").mkdir()
        self.company = Company.open(root, {})
        self.process = Process.load(root / "process.yml")

    def mapping(self, text: str, name: str = "crm") -> None:
        (self.company.sources_dir / f"{name}.yml").write_text(text, encoding="utf-8")

    def data(self, name: str, content: bytes | str) -> Path:
        path = self.company.data_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def run(self, received_at: datetime = RECEIVED_AT) -> SourceResult:
        (result,) = ingestion.extract(self.company, self.process, received_at=received_at, names=["crm"])
        return result

    def views(self) -> duckdb.DuckDBPyConnection:
        con = connect(":memory:")
        create_views(con, self.company, ())
        return con

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        with self.views() as con:
            return con.execute(sql).fetchall()

    def quarantine(self) -> list[tuple[object, ...]]:
        return self.rows("select file, line, reason, record from raw_log.quarantine order by load_id, line")


@pytest.fixture
def crm(tmp_path: Path) -> FileCompany:
    return FileCompany(tmp_path / "company")


@pytest.fixture
def load_csv(crm: FileCompany) -> Callable[..., SourceResult]:
    """``load_csv(content, options)`` runs a mapping of leads: id, name, at (ISO). ``content``: of leads.csv, or of several files by name."""

    def run(content: bytes | str | dict[str, bytes | str], options: str = "") -> SourceResult:
        crm.mapping(
            "files:\n  - path: '*.csv'\n    entity: leads\n    key: id\n    columns: {last_name: name, created_at: at}\n"
            f"    dates: {{format: iso8601, timezone: UTC}}\n{options}"
        )
        for name, data in (content if isinstance(content, dict) else {"leads.csv": content}).items():
            crm.data(name, data)
        return crm.run()

    return run
