"""The CallRail connector against the loopback account: calls and forms once, changes and spam, limits, plans; and calls joined to leads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.log import CompanyLog
from demo.servers.callrail.server import API_KEY, CallRailOptions, CallRailServer
from demo.servers.numbers import e164
from demo.servers.traffic import Loopback
from demo.simulation.simulate import simulate
from ingestion.catalogue import create_views
from ingestion.rawlog.accounting import SourceResult
from ingestion.run import extract
from ingestion.sources.callrail import check
from ingestion.sources.callrail.run import read_error
from salesgauge.settings import Company
from salesgauge.warehouse import connect


@pytest.fixture(scope="module")
def log() -> CompanyLog:
    return simulate(3, 0.04)


class Account:
    """A company directory whose CallRail is up."""

    def __init__(self, root: Path, log: CompanyLog, options: CallRailOptions) -> None:
        self.root, self.log, self.server = root, log, CallRailServer(log, options)
        self._loop = Loopback(self.server.app)

    def __enter__(self) -> Account:
        (self.root / ".dlt").mkdir(parents=True)
        (self.root / "process.yml").write_text("company: {}\n")
        self.url = self._loop.start()
        self.write(f'base_url = "{self.url}/v3"', f'api_key = "{API_KEY}"')
        return self

    def __exit__(self, *error: object) -> None:
        self._loop.stop()

    def write(self, config: str, secret: str) -> None:
        (self.root / ".dlt" / "config.toml").write_text(f"[sources.callrail]\n{config}\n")
        (self.root / ".dlt" / "secrets.toml").write_text(f"[sources.callrail]\n{secret}\n")

    def run(self) -> SourceResult:
        self.server.traffic.reset()
        return extract(Company.open(self.root, {}), None, received_at=self.log.as_of)[0]  # type: ignore[arg-type]

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with connect(":memory:") as con:
            create_views(con, Company.open(self.root, {}), ["callrail"])
            return con.execute(sql).fetchall()


@pytest.fixture
def account(tmp_path: Path, log: CompanyLog) -> Iterator[Callable[..., Account]]:
    running: list[Account] = []

    def make(**options: Any) -> Account:
        running.append(Account(tmp_path / str(len(running)), log, CallRailOptions(**options)))
        return running[-1].__enter__()

    yield make
    for one in running:
        one.__exit__()


def test_everything_once_then_only_what_changed(account: Any) -> None:
    one = account()
    first = one.run()
    assert (first.state, first.error, first.total.quarantined) == ("loaded", None, 0)
    calls = one.query("select id, start_time, record ->> 'transcription' from raw_callrail.calls order by id")
    expected = {row["id"]: row for row in one.server.state.calls}
    assert {row[0] for row in calls} == set(expected)
    assert one.query("select count(*) from raw_callrail.form_submissions") == [(len(one.server.state.forms),)]
    assert {row[0]: row[2] for row in calls} == {key: row["transcription"] for key, row in expected.items()}

    again = one.run()
    assert (again.state, again.total.loaded) == ("unchanged", 0)
    assert again.requests <= 5 + 4

    graded, spam = one.server.state.calls[-1], one.server.state.calls[-2]["id"]
    graded["lead_status"] = "previously_marked_good_lead"
    one.server.options = CallRailOptions(spam=frozenset({spam}))
    third = one.run()
    assert (third.tables["calls"].loaded, third.tables["absences"].loaded) == (1, 1)
    assert one.query("select id, is_absent from raw_callrail.absences") == [(spam, True)]


def test_no_sync_asks_for_more_than_is_kept(account: Any) -> None:
    one = account()
    one.run()
    one.write(f'base_url = "{one.url}/v3"\nreread_days = 900', f'api_key = "{API_KEY}"')
    again = one.run()
    assert (again.error, again.total.loaded) == (None, 0)


def test_a_plan_without_transcripts_is_read_without(account: Any) -> None:
    one = account(has_intelligence=False)
    assert one.run().error is None
    assert one.query("select count(*), count(record ->> 'transcription') from raw_callrail.calls")[0][1] == 0


def test_a_refusal_without_a_time_is_waited_out_for_a_minute() -> None:
    reading = read_error(429, "/a/ACC01/calls.json", {"error": "Rate limit exceeded"}, {})
    assert (reading.wait, reading.is_final) == (60.0, False)


def test_check_says_what_is_wrong(account: Any) -> None:
    one = account()
    assert all(finding.is_ok for finding in check(Company.open(one.root, {}).source("callrail")))
    for config, secret, words in (
        (f'base_url = "{one.url}/v3"', 'api_key = "wrong-key-1"', "does not accept the key"),
        (f'base_url = "{one.url}/v3"', 'other = "x"', "the secret 'api_key' of source 'callrail' is missing"),
        (f'base_url = "{one.url}/v3"\naccount_id = "ACC99"', f'api_key = "{API_KEY}"', "may not see this account"),
        ('base_url = "http://127.0.0.1:9"', f'api_key = "{API_KEY}"', "no complete answer"),
    ):
        one.write(config, secret)
        found = [finding for finding in check(Company.open(one.root, {}).source("callrail")) if not finding.is_ok]
        assert words in found[0].advice and "wrong-key-1" not in found[0].advice


@pytest.mark.parametrize(
    ("written", "number"),
    [("(312) 555-0199", "+13125550199"), ("1-312-555-0199", "+13125550199"), ("12", None), (None, None)],
)
def test_numbers_as_the_network_knows_them(written: str | None, number: str | None) -> None:
    assert e164(written) == number
