"""People go on working after the first run: what an incremental run publishes equals the truth of the longer log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from demo.log import CompanyLog, Event
from demo.serve import DemoServers
from demo.simulation.simulate import simulate
from demo.truth import Truth, compute
from demo.truth.records import Deal, Lead
from tests.e2e.comparison import differences
from tests.e2e.conftest import MONTHS_13, Published, publish
from tests.e2e.truth_tables import TABLES, compare, warehouse_table

pytestmark = pytest.mark.slow


class Changes:
    """Edits in the last minute before ``as_of``, of records that play no other part in them."""

    def __init__(self, log: CompanyLog, truth: Truth) -> None:
        self._log, self._book, self._journeys = log, truth.facts.book, truth.facts.journeys
        self._taken: set[str] = set()
        self.events: list[Event] = []

    def add(self, kind: str, record: Lead | Deal, **data: Any) -> None:
        lead, deal = (record.id, None) if isinstance(record, Lead) else (record.lead_id, record.id)
        moment = self._log.as_of - timedelta(seconds=50 - len(self.events))
        self.events.append(Event(moment, kind, lead, deal, None, data))

    def lead(self, has_deal: bool, state: str | None = None) -> Lead:
        """A counted lead whose case is in that state; with a deal or without one."""
        with_deals = {deal.lead.id for deal in self._book.deals.values() if deal.lead}
        return self._take(
            lead
            for lead in self._book.counted_leads()
            if (lead.id in with_deals) is has_deal and state in (None, self._journeys.of_lead[lead.id].state)
        )

    def deal(self, state: str) -> Deal:
        """A counted deal in that state."""
        return self._take(deal for deal in self._book.counted_deals() if self._journeys.of_deal[deal.id].state == state)

    def archived(self) -> Lead:
        """A lead that is archived."""
        return self._take(lead for lead in self._book.leads.values() if lead.reason == "deleted")

    def pair_of_deals(self) -> tuple[Deal, Deal]:
        """The first deal of a lead, and a later one."""
        firsts = {case.lead.id: case.deal for case in self._journeys.cases if case.lead and case.deal}
        second = self._take(
            deal for deal in self._book.counted_deals() if deal.lead and firsts.get(deal.lead.id) not in (None, deal)
        )
        return firsts[second.lead.id], second

    def _take(self, records: Iterable[Any]) -> Any:
        found = next(record for record in records if not self._taken & {record.id, self._lead_of(record)})
        self._taken |= {found.id, self._lead_of(found)} - {None}
        return found

    @staticmethod
    def _lead_of(record: Lead | Deal) -> str | None:
        return record.id if isinstance(record, Lead) else record.lead_id


def changed(log: CompanyLog, truth: Truth) -> CompanyLog:
    """``log`` with a change of every kind at its end."""
    changes = Changes(log, truth)
    for survivor_has_deal, loser_has_deal in ((False, True), (True, True)):
        survivor, loser = changes.lead(survivor_has_deal), changes.lead(loser_has_deal)
        changes.add("lead_merged", loser, into=survivor.id)
    first, second = changes.pair_of_deals()
    changes.add("deal_merged", second, into=first.id)
    changes.add("lead_unarchived", changes.archived())
    changes.add("lead_archived", changes.lead(True, "won"))
    changes.add("deal_archived", changes.deal("won"))
    changes.add("lead_field", changes.lead(True), field="is_test", value=True)
    changes.add("lead_field", changes.lead(True, "won"), field="branch", value="denver")
    changes.add("lead_field", changes.lead(False), field="email", value=None)
    changes.add("lead_stage", changes.lead(False, "open"), stage="disqualified")
    changes.add("deal_stage", changes.deal("open"), stage="won")
    changes.add("deal_stage", changes.deal("won"), stage="proposal")
    changes.add("deal_amount", changes.deal("won"), amount=12345.67)
    changes.add("deal_owner", changes.deal("open"), owner="70303")
    changes.add(
        "call",
        changes.lead(False, "open"),
        activity_id="999001",
        direction="outbound",
        outcome="busy",
        duration_seconds=0.0,
    )
    return log.with_events(changes.events)


@dataclass
class Two:
    """The same company before and after."""

    first: Published
    second: Published


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    root, log = tmp_path_factory.mktemp("company"), simulate(6, 0.15, MONTHS_13)
    with DemoServers(log) as servers:
        first = publish(root, log, servers)
        later = changed(log, first.truth)
        servers.replace(later)
        yield Two(first, publish(root, later, servers))


def test_something_changed(runs: Two) -> None:
    assert not runs.second.outcome.unchanged
    assert runs.first.truth.mart("kpi_win_loss").equals(runs.second.truth.mart("kpi_win_loss")) is False
    fresh = compute(runs.first.log, runs.first.process_file).mart("kpi_win_loss")
    assert fresh.equals(runs.first.truth.mart("kpi_win_loss"))


@pytest.mark.parametrize("table", [table for table in TABLES if table != "kpi_reconciliation"])
def test_a_mart_equals_the_truth(runs: Two, table: str) -> None:
    assert compare(runs.second.truth, runs.second.pointer, table) == ""


def test_what_was_merged_away_since_stays_in_the_reconciliation(runs: Two) -> None:
    """The first run received it, and nothing that was received is lost."""
    expected = runs.second.truth.mart("kpi_reconciliation")
    books = [run.truth.facts.book for run in (runs.first, runs.second)]
    for entity, (before, after) in (("lead", [book.leads for book in books]), ("deal", [book.deals for book in books])):
        merged = sum(one.reason == "merged" and before[one.id].reason != "merged" for one in after.values())
        assert merged > 0
        received = (expected["entity"] == entity) & (expected["reason"] == "received")
        expected.loc[received, "records"] += merged
        expected = pd.concat(
            [expected, pd.DataFrame([(entity, "merged", merged)], columns=expected.columns)], ignore_index=True
        )
    found = warehouse_table(runs.second.pointer, "kpi_reconciliation")
    assert differences(expected, found, ["entity", "reason"], ["definition_version", "as_of"]) == ""
