"""The connectors against the demo company's servers: everything once, nothing twice, then exactly what people changed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import demo.company
from demo.crms.hubspot import server
from demo.serve import DemoServers
from demo.servers.hubspot.server import HubSpotOptions
from demo.servers.traffic import Limit
from demo.servers.typeform.server import TypeformOptions
from demo.simulation.simulate import simulate
from ingestion import extract
from ingestion.catalogue import create_views
from salesgauge.settings import Company
from salesgauge.warehouse import connect
from tests.mutate import mutate

# Refused often, and told to come back at once: what is tested here is that nothing gets lost, not the waiting.
HUBSPOT = HubSpotOptions(
    burst=Limit(1000, 1.0, "TEN_SECONDLY_ROLLING", 0), search=Limit(1000, 1.0, "SECONDLY", 0), refuse_every=5
)
TYPEFORM = TypeformOptions(rate=Limit(1000, 1.0, "SECONDLY", 0), refuse_every=3)


class Demo:
    def __init__(self, root: Path, servers: DemoServers, log: Any) -> None:
        self.root, self.servers, self.log = root, servers, log

    def run(self) -> dict[str, Any]:
        """One run of all sources; the results by source, none of which failed."""
        for traffic in self.servers.traffic.values():
            traffic.reset()
        company = Company.open(self.root, environ={})
        results = extract(company, None, received_at=self.log.as_of)  # type: ignore[arg-type]
        assert [(result.source, result.error) for result in results if result.error] == []
        return {result.source: result for result in results}

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with connect(":memory:") as con:
            create_views(con, Company.open(self.root, environ={}))
            return con.execute(sql).fetchall()


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    log = simulate(3, 0.05)
    root = tmp_path_factory.mktemp("demo") / "company"
    with DemoServers(log, crm_server=server(log, HUBSPOT), typeform=TYPEFORM) as servers:
        demo.company.write(root, log, crm_url=servers.crm_url, typeform_url=servers.typeform_url)
        found = Demo(root, servers, log)
        found.first = found.run()  # type: ignore[attr-defined]
        yield found


def test_every_record_is_loaded_once(company: Demo) -> None:
    state = company.servers.crm.state
    for kind, records in state.records.items():
        if kind not in company.first["hubspot"].tables:  # type: ignore[attr-defined]
            continue
        archived = sum(record.archived_at is not None for record in records.values())
        found = f"select count(*), count(distinct id), count(*) filter (is_archived) from raw_hubspot.{kind}"
        assert company.query(found) == [(len(records), len(records), archived)], kind
    linked = company.query("select count(*), sum(len(to_ids)) from raw_hubspot.associations where from_type = 'calls'")
    live = {one for one, record in state.records["calls"].items() if record.archived_at is None}
    links = [
        ids
        for (kind, _), by_id in state.links.items()
        if kind == "calls"
        for one, ids in by_id.items()
        if one in live and ids
    ]
    assert linked == [(len(links), sum(map(len, links)))]
    web = company.log.web_events
    assert company.query("select count(*) from raw_ga4.events") == [(len(web),)]
    for result in company.first.values():  # type: ignore[attr-defined]
        assert result.total.received == result.total.loaded + result.total.duplicates


def test_a_second_run_loads_nothing_and_asks_little(company: Demo) -> None:
    results = company.run()

    assert {result.state for result in results.values()} == {"unchanged"}
    asked = company.servers.crm.traffic.requests
    assert sum(asked.values()) == 22
    assert not [name for name in asked if name.endswith((".list", ".batch_read"))]
    assert company.servers.crm.traffic.refused  # and was refused now and then


def test_changed_deals_are_loaded_and_nothing_else(company: Demo) -> None:
    before = dict(company.query("select id, max(updated_at) from raw_hubspot.deals group by id"))
    changed_log = mutate(company.log, 20, seed=1)
    company.servers.replace(changed_log)
    result = company.run()["hubspot"]

    assert {table: count.loaded for table, count in result.tables.items() if count.loaded} == {"deals": 20}
    events_of = [log.events["deal_id"].value_counts() for log in (company.log, changed_log)]
    changed = {deal for deal, count in events_of[1].items() if count > events_of[0].get(deal, 0)}
    newest = company.query(
        "select id, updated_at from raw_hubspot.deals where _load_id = (select max(_load_id) from raw_hubspot.deals)"
    )
    assert {one for one, _ in newest} == changed
    assert all(isinstance(at, datetime) and at > before[one] for one, at in newest)
    assert company.servers.crm.traffic.records["deals.batch_read"] == 20
    assert {result.state for result in company.run().values()} == {"unchanged"}
