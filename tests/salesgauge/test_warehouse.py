"""What DuckDB may keep in memory, and what happens to work that needs more."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from orchestration.plan import Model, Plan
from salesgauge.settings import Company
from salesgauge.warehouse import LEAST_MEMORY, connect, limit_memory, with_memory

HUNGRY = "select list(range order by range desc) as numbers from range(8_000_000)"  # 64 MB in one value, that can't wait on the disk


def limit_of(con: duckdb.DuckDBPyConnection) -> str:
    (found,) = con.execute("select current_setting('memory_limit')").fetchone() or (None,)
    return str(found)


def test_a_small_company_has_the_least(tmp_path: Path) -> None:
    company = Company(tmp_path, {}, {}, {})
    with connect(company.warehouse_file) as con:
        limit_memory(con, company)
        assert limit_of(con) == f"{LEAST_MEMORY / 2**20} MiB"


def test_what_needs_more_gets_it(tmp_path: Path) -> None:
    with connect(tmp_path / "w.duckdb") as con:
        con.execute("set memory_limit = '64MB'")
        con.execute("set threads = 1")
        with pytest.raises(duckdb.OutOfMemoryException):
            con.execute(HUNGRY).fetchone()
        found = with_memory(con, lambda: con.execute(f"select len(numbers) from ({HUNGRY})").fetchone())
        assert found == (8_000_000,)
        assert limit_of(con) != "61.0 MiB"


def test_a_model_that_needs_more_is_built(tmp_path: Path) -> None:
    model = Model(
        unique_id="model.p.hungry",
        database="w",
        schema="main",
        name="hungry",
        description="",
        folders=(),
        tags=(),
        parents=(),
        reads=(),
        file="",
        sql=HUNGRY,
        is_view=False,
        has_contract=False,
        columns=(),
    )
    with connect(tmp_path / "w.duckdb") as con:
        con.execute("set memory_limit = '64MB'")
        con.execute("set threads = 1")
        outcome = Plan((model,), ()).run(con)
        assert [one.status for one in outcome.models] == ["success"]
        assert con.execute("select len(numbers) from hungry").fetchone() == (8_000_000,)
