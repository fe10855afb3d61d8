"""The Salesforce connector against the loopback org: everything once, then only changes; bulk as REST; sessions that end; rights that lack."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import demo.company
from demo.crms.salesforce import known, server
from demo.log import CompanyLog, Event
from demo.serve import DemoServers
from demo.servers.salesforce.server import SalesforceOptions
from demo.simulation.simulate import simulate
from ingestion import rawlog
from ingestion.catalogue import create_views
from ingestion.http.answers import Refused
from ingestion.rawlog.accounting import SourceResult
from ingestion.run import extract
from ingestion.sources.salesforce import TABLES, check
from ingestion.sources.salesforce.api import is_missing, readable
from ingestion.sources.salesforce.tables import SOBJECTS
from salesgauge.settings import Company
from salesgauge.warehouse import connect
from tests.mutate import mutate

PAGES = SalesforceOptions(page=200)


@pytest.fixture(scope="module")
def log() -> CompanyLog:
    return simulate(3, 0.04)


class Org:
    """A company directory whose Salesforce is up."""

    def __init__(self, root: Path, log: CompanyLog, servers: DemoServers) -> None:
        self.root, self.log, self.servers = root, log, servers
        unvisited = replace(
            log, web_events=log.web_events.head(0)
        )  # Salesforce does not know them, and they are 600 files
        demo.company.write(
            root, unvisited, crm_name="salesforce", crm_url=servers.crm_url, typeform_url=servers.typeform_url
        )

    @property
    def company(self) -> Company:
        return Company.open(self.root, environ={})

    def set(self, line: str) -> None:
        path = self.root / ".dlt" / "config.toml"
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("[sources.salesforce]\n", f"[sources.salesforce]\n{line}\n"), encoding="utf-8")

    def run(self) -> SourceResult:
        self.servers.crm.traffic.reset()
        return extract(self.company, None, received_at=self.log.as_of, names=["salesforce"])[0]  # type: ignore[arg-type]

    def newest(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Object → id → the newest record in the raw log."""
        found = {}
        with connect(":memory:") as con:
            create_views(con, self.company, ["salesforce"])
            for sobject in SOBJECTS:
                rows = con.execute(
                    f"select id, cast(record as varchar) from raw_salesforce.{sobject.table_name} "
                    "qualify row_number() over (partition by id order by _load_id desc, _row desc) = 1"
                ).fetchall()
                found[sobject.name] = {row[0]: json.loads(row[1]) for row in rows}
        return found


def org(root: Path, log: CompanyLog, options: SalesforceOptions = PAGES) -> Iterator[Org]:
    with DemoServers(log, "salesforce", crm_server=server(log, options)) as servers:
        yield Org(root, log, servers)


def served(org: Org) -> dict[str, dict[str, dict[str, Any]]]:
    """What the server holds, as REST shows it."""
    return {name: dict(rows) for name, rows in org.servers.crm.state.rows.items()}


def assert_same(org: Org) -> None:
    """Every record of the org is in the raw log, in its newest version, with all its fields.

    But for the person of an activity: after a merge it is another one without the activity's own date having moved; staging follows the merge.
    """
    for name, rows in served(org).items():
        loaded = org.newest().get(name, {})
        assert set(loaded) == set(rows), name
        for one, row in rows.items():
            keys = row.keys() - {"WhoId"}
            assert {key: loaded[one].get(key) for key in keys} == {key: row[key] for key in keys}, (name, one)


def test_everything_once_then_only_what_changed(tmp_path: Path, log: CompanyLog) -> None:
    for one in org(tmp_path, log):
        first = one.run()
        assert (first.state, first.error, first.total.quarantined, first.total.duplicates) == ("loaded", None, 0, 0)
        assert max(one.servers.crm.traffic.served["Task"].values()) == 1
        assert_same(one)

        again = one.run()
        assert (again.state, again.total.loaded) == ("unchanged", 0)
        assert again.requests <= 1 + 2 * len(TABLES)

        longer = mutate(log, 12, seed=1)
        created = log.events[log.events["kind"] == "lead_created"]["lead_id"].tolist()
        longer = longer.with_events(
            [
                Event(log.as_of, "lead_archived", created[0], None, None, {}),
                Event(log.as_of, "lead_merged", created[1], None, None, {"into": created[2]}),
            ]
        )
        one.servers.replace(longer)
        third = one.run()
        assert third.state == "loaded" and third.tables["opportunities"].loaded == 12
        assert_same(one)
        one.servers.replace(longer.with_events([Event(log.as_of, "lead_unarchived", created[0], None, None, {})]))
        assert one.run().tables["leads"].loaded == 1
        assert_same(one)


def test_bulk_gives_what_rest_gives(tmp_path: Path, log: CompanyLog) -> None:
    for rest in org(tmp_path / "rest", log):
        rest.run()
        by_rest = rest.newest()
    for bulk in org(tmp_path / "bulk", log):
        bulk.set("bulk_from_rows = 100")
        result = bulk.run()
        assert result.error is None
        assert bulk.servers.crm.traffic.requests["Task.bulk"] >= 1
        by_bulk = bulk.newest()
    assert set(by_bulk["Task"]) == set(by_rest["Task"])
    for name in ("Task", "Lead", "OpportunityHistory"):
        for one, row in by_rest[name].items():
            shown = {key: _as_csv(value) for key, value in row.items()}
            assert {key: _as_csv(value) for key, value in by_bulk[name][one].items()} == shown


def _as_csv(value: Any) -> Any:
    """REST's numbers and offsets in the spelling of a bulk result."""
    if isinstance(value, bool) or value is None:
        return value
    return str(value).replace("+0000", "Z")


def test_a_session_that_ends_midway_is_renewed(tmp_path: Path, log: CompanyLog) -> None:
    for one in org(tmp_path, log, SalesforceOptions(page=200, session=9)):
        result = one.run()
        assert result.error is None
        assert one.servers.crm.traffic.requests["token"] >= 3
        assert_same(one)


def test_the_daily_limit_ends_the_source_and_keeps_nothing(tmp_path: Path, log: CompanyLog) -> None:
    for one in org(tmp_path, log, SalesforceOptions(page=200, daily=12)):
        result = one.run()
        assert result.state == "failed" and "REQUEST_LIMIT_EXCEEDED" in (result.error or "")
        assert rawlog.committed(one.company, "salesforce") == []


def test_an_object_that_the_user_may_not_see_is_left_out(tmp_path: Path, log: CompanyLog) -> None:
    hidden = frozenset({"EmailMessage", "LeadHistory"})
    for one in org(tmp_path, log, SalesforceOptions(hidden=hidden)):
        result = one.run()
        assert result.error is None and "email_messages" not in result.tables
        found = {finding.what: finding for finding in check(one.company.source("salesforce"))}
        assert found["read Lead"].is_ok and found["read LeadHistory"].is_ok
        assert "its data is left out" in found["read LeadHistory"].advice
    for one in org(tmp_path / "no-leads", log, SalesforceOptions(hidden=frozenset({"Lead"}))):
        assert "read on this object" in (one.run().error or "")
        found = {finding.what: finding for finding in check(one.company.source("salesforce"))}
        assert not found["read Lead"].is_ok and "can't run without it" in found["read Lead"].advice


def test_check_says_what_is_wrong(tmp_path: Path, log: CompanyLog) -> None:
    for one in org(tmp_path, log):
        path = one.root / ".dlt" / "secrets.toml"
        good = path.read_text(encoding="utf-8")
        for change, words in (
            (("demo-salesforce-secret", "wrong"), "refused the credentials with 400 (invalid_client"),
            (("client_secret", "other_key"), "the secret 'client_secret' of source 'salesforce' is missing"),
        ):
            path.write_text(good.replace(*change), encoding="utf-8")
            (finding,) = check(one.company.source("salesforce"))
            assert not finding.is_ok and words in finding.advice
            assert "wrong" not in finding.advice.replace("credentials", "")
        path.write_text(good, encoding="utf-8")
        config = one.root / ".dlt" / "config.toml"
        config.write_text(config.read_text().replace(one.servers.crm_url, "http://127.0.0.1:9"), encoding="utf-8")
        (finding,) = check(one.company.source("salesforce"))
        assert not finding.is_ok and "got no answer" in finding.advice


def test_what_salesforce_knows_is_whole_seconds(log: CompanyLog) -> None:
    events = known(log).events
    assert (events["at"].dt.microsecond == 0).all()
    assert "deal_merged" not in set(events["kind"]) and len(events) > 0.9 * len(log.events)


def test_a_query_names_a_field_once_though_two_columns_use_it() -> None:
    fields = [{"name": name, "type": "string"} for name in ("Id", "Amount", "Name")]
    assert readable(fields, ["Amount", "Id", "Amount", "Missing__c"]) == ["Amount", "Id", "Name"]


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (404, "NOT_FOUND", True),
        (403, "INSUFFICIENT_ACCESS", True),
        (400, "INVALID_TYPE", True),
        (403, "REQUEST_LIMIT_EXCEEDED", False),
        (400, "MALFORMED_QUERY", False),
    ],
)
def test_an_object_is_missing_only_where_the_answer_says_so(status: int, code: str, expected: bool) -> None:
    assert is_missing(Refused("refused", status, code)) is expected
