"""Builds a company of a mapping and files, as most properties are asked of one."""

from __future__ import annotations

import textwrap
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from salesgauge.settings import Company
from tests.properties.compiled import build
from tests.properties.mappings import AS_OF, PROCESS


@pytest.fixture
def ask(tmp_path: Path) -> Any:
    """Builds a company of a mapping and files, and answers a query."""

    def answer(
        sql: str, mapping: str, *, process: str = PROCESS, as_of: datetime = AS_OF, **files: str
    ) -> list[tuple[Any, ...]]:
        for folder in (".dlt", "sources", "data"):
            (tmp_path / folder).mkdir()
        (tmp_path / ".dlt" / "config.toml").write_text("", encoding="utf-8")
        (tmp_path / "process.yml").write_text(process, encoding="utf-8")
        (tmp_path / "sources" / "crm.yml").write_text(mapping, encoding="utf-8")
        for name, rows in files.items():
            (tmp_path / "data" / f"{name}.csv").write_text(textwrap.dedent(rows).strip() + "\n", encoding="utf-8")
        with build(Company.open(tmp_path, {}), as_of) as con:
            return con.execute(sql).fetchall()

    return answer
