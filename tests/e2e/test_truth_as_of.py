"""A run for an older moment: what happened after it does not exist, for any KPI and any forecast."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import pandas as pd
import pytest

from demo.log import CompanyLog
from demo.serve import DemoServers
from demo.simulation.simulate import simulate
from demo.truth import compute
from orchestration import pipeline
from salesgauge.settings import Company
from tests.e2e.comparison import differences
from tests.e2e.conftest import Published, publish
from tests.e2e.truth_tables import TABLES, compare, warehouse_table

pytestmark = pytest.mark.slow

THEN = datetime(2025, 9, 3, 15, 20)
# What a CRM keeps no history of: it can only be had as it is today.
WITHOUT_HISTORY = {
    "lead_field",
    "lead_unarchived",
    "lead_merged",
    "deal_field",
    "deal_unarchived",
    "deal_merged",
    "meeting_outcome",
    "task_done",
}


def as_known_today(log: CompanyLog, then: datetime) -> CompanyLog:
    """The log up to ``then``, with what was changed since in the records of that time and left no trace."""
    events = log.events
    before = events[events["at"] <= then]
    leads, deals = set(before["lead_id"]), set(before["deal_id"])
    activities = {data["activity_id"] for data in before["data"] if "activity_id" in data}

    def is_traceless(kind: str, lead: str | None, deal: str | None, data: dict) -> bool:
        if kind in ("meeting_outcome", "task_done"):
            return data["activity_id"] in activities
        return kind in WITHOUT_HISTORY and (lead in leads if kind.startswith("lead_") else deal in deals)

    since = events[events["at"] > then]
    kept = [
        is_traceless(*row)
        for row in zip(*(since[name] for name in ("kind", "lead_id", "deal_id", "data")), strict=True)
    ]
    return replace(log, events=pd.concat([before, since[kept].assign(at=pd.Timestamp(then))]), as_of=then)


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    """A company that was run as of today, and then as of THEN."""
    root, log = tmp_path_factory.mktemp("company"), simulate(8, 0.15)
    with DemoServers(log) as servers:
        today = publish(root, log, servers)
        company = Company.open(root)
        outcome = pipeline.run(company, as_of=f"{THEN.isoformat()}Z")
    assert outcome.exit_code == 0, outcome.error
    assert outcome.version != today.outcome.version
    truth = compute(servers.module.known(as_known_today(log, THEN)), company.process_file)
    yield Published(log, outcome, company.pointer, company.process_file, truth)


@pytest.mark.parametrize("table", [table for table in TABLES if table != "kpi_reconciliation"])
def test_a_mart_equals_the_truth(earlier: Published, table: str) -> None:
    assert len(earlier.truth.mart(table)) > 0
    assert compare(earlier.truth, earlier.pointer, table) == ""


def test_later_records_are_accounted_for(earlier: Published) -> None:
    expected = earlier.truth.mart("kpi_reconciliation").copy()
    today = compute(earlier.log, earlier.process_file).mart("kpi_reconciliation")
    for entity in ("lead", "deal"):
        received = (expected["entity"] == entity) & (expected["reason"] == "received")
        total = today.loc[(today["entity"] == entity) & (today["reason"] == "received"), "records"].item()
        later = total - expected.loc[received, "records"].item()
        assert later > 0
        expected.loc[received, "records"] = total
        expected = pd.concat(
            [expected, pd.DataFrame([(entity, "after_as_of", later)], columns=expected.columns)], ignore_index=True
        )
    found = warehouse_table(earlier.pointer, "kpi_reconciliation")
    assert differences(expected, found, ["entity", "reason"], ["definition_version", "as_of"]) == ""
