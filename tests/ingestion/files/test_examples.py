"""The example companies: their mappings are right, and with the real files nothing is lost."""

from __future__ import annotations

import json
import os
import shutil
from datetime import datetime
from pathlib import Path

import pytest

import ingestion
from ingestion import TableCount
from ingestion.catalogue import create_views
from ingestion.files.mapping.loading import load
from salesgauge.process import Process
from salesgauge.settings import PROJECT_ROOT, Company
from salesgauge.warehouse import connect

EXAMPLES = sorted(path.name for path in (PROJECT_ROOT / "examples").iterdir() if (path / "process.yml").is_file())
REAL = Path(os.environ.get("SALESGAUGE_REALDATA", PROJECT_ROOT / "../shared/data"))
needs_data = pytest.mark.skipif(not (REAL / "maven_crm").is_dir(), reason="the real input files are not here")


@pytest.fixture
def example(tmp_path: Path, request: pytest.FixtureRequest) -> Company:
    """The example company that the test's parameter names, without anything that a run left, and with the real files as its data."""
    name = request.param
    root = shutil.copytree(PROJECT_ROOT / "examples" / name, tmp_path / name, ignore=shutil.ignore_patterns("var"))
    return Company.open(root, {"SALESGAUGE_DATA": str(REAL / name)})


def test_there_are_examples() -> None:
    assert {"maven_crm", "receipt_log"} <= set(EXAMPLES)


@pytest.mark.parametrize("example", EXAMPLES, indirect=True)
def test_mappings_and_processes_are_right(example: Company) -> None:
    process = Process.load(example.process_file)
    sources = [load(path, process) for path in sorted(example.sources_dir.glob("*.yml"))]
    assert sources
    assert example.as_of is not None


@needs_data
@pytest.mark.realdata
@pytest.mark.parametrize("example", ["maven_crm"], indirect=True)
def test_maven_crm(example: Company) -> None:
    (result,) = ingestion.extract(example, Process.load(example.process_file), received_at=datetime(2026, 7, 1))
    assert (result.state, result.error) == ("loaded", None)
    assert {table: (count.received, count.loaded) for table, count in result.tables.items()} == {
        "deals": (8800, 8800), "stage_events": (15011, 15011), "accounts": (85, 85), "products": (7, 7), "users": (35, 35),
    }  # fmt: skip
    with connect(":memory:") as con:
        create_views(con, example)
        stages = con.execute(
            "select stage, count(*), count(created_at), sum(amount) from raw_files.deals group by stage order by stage"
        ).fetchall()
        assert stages == [
            ("engaging", 1589, 1589, None),
            ("lost", 2473, 2473, 0),
            ("prospecting", 500, 0, None),
            ("won", 4238, 4238, 10005534),
        ]
        found = con.execute(
            "select count(*) from raw_files.deals join raw_files.products using (product_id) where product_id = 'GTX Pro'"
        ).fetchone()
        assert found == (1480,)
        undated = con.execute(
            "select count(*) from raw_files.deals where stage = 'prospecting' and deal_id in (select subject_id from raw_files.stage_events)"
        ).fetchone()
        assert undated == (0,)


@needs_data
@pytest.mark.realdata
@pytest.mark.parametrize("example", ["receipt_log"], indirect=True)
def test_receipt_log(example: Company) -> None:
    expected = json.loads((REAL / "receipt_log" / "expected.json").read_text())
    (result,) = ingestion.extract(example, Process.load(example.process_file), received_at=datetime(2026, 7, 1))
    assert result.error is None
    assert result.tables["stage_events"] == TableCount(expected["events"], expected["events"], 0, 0)
    with connect(":memory:") as con:
        create_views(con, example)
        got = con.execute(
            "select count(distinct subject_id), count(distinct stage), min(\"at\")::varchar || '000+00:00', max(\"at\")::varchar || '000+00:00' "
            "from raw_files.stage_events"
        ).fetchone()
    assert got == (expected["cases"], expected["activities"], expected["min"], expected["max"])
