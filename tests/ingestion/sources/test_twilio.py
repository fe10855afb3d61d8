"""The Twilio connector against the loopback account: all legs once, later prices, deleted calls; and legs that are one call."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.log import CompanyLog
from demo.servers.traffic import Loopback
from demo.servers.twilio.server import ACCOUNT, API_KEY, API_SECRET, TwilioOptions, TwilioServer
from demo.simulation.simulate import simulate
from ingestion.catalogue import create_views
from ingestion.rawlog.accounting import SourceResult
from ingestion.run import extract
from ingestion.sources.twilio import check
from salesgauge.settings import Company
from salesgauge.warehouse import connect

SECRETS = f'api_key = "{API_KEY}"\napi_secret = "{API_SECRET}"'


class Account:
    def __init__(self, root: Path, log: CompanyLog) -> None:
        self.root, self.log, self.server = root, log, TwilioServer(log)
        self.loop = Loopback(self.server.app)
        (root / ".dlt").mkdir(parents=True)
        (root / "process.yml").write_text("company: {}\n")
        self.url = self.loop.start()
        self.write(self.url, SECRETS)

    def write(self, url: str, secrets: str, sid: str = ACCOUNT) -> None:
        config = f'[sources.twilio]\nbase_url = "{url}"\naccount_sid = "{sid}"\nhistory_days = 740\n'
        (self.root / ".dlt" / "config.toml").write_text(config)
        (self.root / ".dlt" / "secrets.toml").write_text(f"[sources.twilio]\n{secrets}\n")

    def run(self) -> SourceResult:
        return extract(Company.open(self.root, {}), None, received_at=self.log.as_of)[0]  # type: ignore[arg-type]

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with connect(":memory:") as con:
            create_views(con, Company.open(self.root, {}), ["twilio"])
            return con.execute(sql).fetchall()


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    one = Account(tmp_path, simulate(3, 0.04))
    yield one
    one.loop.stop()


def test_everything_once_then_only_what_changed(account: Account) -> None:
    first = account.run()
    assert (first.state, first.error, first.total.quarantined) == ("loaded", None, 0)
    rows = account.query("select sid, strftime(started_at, '%a, %d %b %Y %H:%M:%S +0000') from raw_twilio.calls")
    assert dict(rows) == {row["sid"]: row["start_time"] for row in account.server.state.calls}
    assert account.query("select count(*) from raw_twilio.recordings") == [(len(account.server.state.recordings),)]
    again = account.run()
    assert (again.state, again.total.loaded) == ("unchanged", 0) and again.requests <= 3
    priced, gone = account.server.state.calls[0], account.server.state.calls[2]["sid"]
    priced["price"] = "-0.0170"
    account.server.options = TwilioOptions(deleted=frozenset({gone}))
    third = account.run()
    assert (third.tables["calls"].loaded, third.tables["absences"].loaded) == (1, 1)
    assert account.query("select id from raw_twilio.absences") == [(gone,)]


def test_check_says_what_is_wrong(account: Account) -> None:
    assert all(finding.is_ok for finding in check(Company.open(account.root, {}).source("twilio")))
    for url, secrets, sid, words in (
        (account.url, f'api_key = "{API_KEY}"\napi_secret = "wrong-secret-1"', ACCOUNT, "does not accept the key"),
        (account.url, f'api_key = "{API_KEY}"', ACCOUNT, "the secret 'api_secret' of source 'twilio' is missing"),
        (account.url, SECRETS, "AC9999", "Check account_sid"),
        ("http://127.0.0.1:9", SECRETS, ACCOUNT, "no complete answer"),
    ):
        account.write(url, secrets, sid)
        (found, *_) = check(Company.open(account.root, {}).source("twilio"))
        assert not found.is_ok and words in found.advice and "wrong-secret-1" not in found.advice
