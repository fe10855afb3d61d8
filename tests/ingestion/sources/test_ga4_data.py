"""The GA4 Data API connector against the loopback property: every day once, late days replaced, quotas, flaws in words, what is wrong with a key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from demo.log import CompanyLog
from demo.servers.ga4_data.server import (
    CLIENT_ID,
    CLIENT_SECRET,
    PROPERTY,
    REFRESH_TOKEN,
    Ga4DataOptions,
    Ga4DataServer,
    service_account_key,
)
from demo.servers.traffic import Loopback
from demo.simulation.simulate import simulate
from ingestion import quarantine
from ingestion.catalogue import create_views
from ingestion.rawlog.accounting import SourceResult
from ingestion.run import extract
from ingestion.sources.ga4_data import check
from ingestion.sources.ga4_data.api import cast
from ingestion.sources.ga4_data.tables import REPORTS
from orchestration.cli import main
from orchestration.sources import sources
from proofs.faults.wrapper import Fault, Faults, of_json
from salesgauge.settings import Company
from salesgauge.warehouse import connect

DAYS = 12
REFRESH = f'refresh_token = "{REFRESH_TOKEN}"\nclient_id = "{CLIENT_ID}"\nclient_secret = "{CLIENT_SECRET}"'


class Property:
    """A company whose property is up. ``as_of`` is 05:00 UTC: the day before is just over in Chicago."""

    def __init__(self, root: Path, log: CompanyLog) -> None:
        self.root, self.log, self.server = root, log, Ga4DataServer(log)
        self.later = timedelta()
        self.faults = Faults(self.server.app)
        self.loop = Loopback(self.faults)
        (root / ".dlt").mkdir(parents=True)
        (root / "process.yml").write_text("company: {}\n")
        self.url = self.loop.start()
        self.first = (log.as_of - timedelta(days=DAYS)).date()
        self.write()

    def write(self, secrets: str = REFRESH, url: str = "", number: str = PROPERTY, **more: Any) -> None:
        url = url or self.url
        settings = {"property_id": number, "base_url": url, "token_url": f"{url}/token", "start_date": self.first.isoformat(), **more}  # fmt: skip
        lines = [
            f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value}" for key, value in settings.items()
        ]
        (self.root / ".dlt" / "config.toml").write_text("\n".join(["[sources.ga4_data]", *lines]))
        (self.root / ".dlt" / "secrets.toml").write_text(f"[sources.ga4_data]\n{secrets}\n")

    @property
    def company(self) -> Company:
        return Company.open(self.root, {})

    def options(self, **options: Any) -> None:
        self.server.replace(self.log, Ga4DataOptions(**options))

    def run(self) -> SourceResult:
        self.server.traffic.reset()
        return extract(self.company, None, received_at=self.log.as_of + self.later)[0]  # type: ignore[arg-type]

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with connect(":memory:") as con:
            create_views(con, self.company, ["ga4_data"])
            return con.execute(sql).fetchall()

    def counted(self, report: str) -> list[tuple[Any, ...]]:
        """The rows of ``report`` that count: those that the newest reading of their day names."""
        table = next(one for one in REPORTS if one.name == report)
        names = ", ".join(["strftime(date, '%Y%m%d')", *table.dimensions, *table.metrics])
        newest = "select property_id, date, _load_id from raw_ga4_data.days where report = '{}' qualify row_number() over (partition by date order by _load_id desc) = 1"
        return self.query(
            f"select {names} from raw_ga4_data.{report} semi join ({newest.format(report)}) using (property_id, date, _load_id) order by all"
        )

    def truth(self, report: str) -> list[tuple[Any, ...]]:
        """The same from the server's own rows."""
        table = next(one for one in REPORTS if one.name == report)
        metrics = [name for name, _ in table.metrics.values()]
        days = [f"{self.first + timedelta(days=number):%Y%m%d}" for number in range(DAYS)]
        rows = []
        for day in days:  # users of a day are counted in that day
            found, _ = self.server._rows([day], ["date", *table.dimensions.values()], metrics)
            rows += [(*values, *(float(one) for one in numbers)) for values, numbers in found]
        return sorted(rows)


@pytest.fixture(scope="module")
def log() -> CompanyLog:
    return simulate(3, 0.03)


@pytest.fixture
def site(tmp_path: Path, log: CompanyLog) -> Iterator[Property]:
    one = Property(tmp_path, log)
    yield one
    one.loop.stop()


def _plain(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [tuple(value if isinstance(value, str) else float(value) for value in row) for row in rows]


def test_every_day_once_then_nothing_then_the_day_that_changed(site: Property) -> None:
    site.options(with_late=False)
    first = site.run()
    assert (first.state, first.error, first.total.quarantined, first.notes) == ("loaded", None, 0, ())
    for report in REPORTS:
        assert _plain(site.counted(report.name)) == site.truth(report.name)
    assert site.query("select report, count(*), min(date), max(date) from raw_ga4_data.days group by 1 order by 1") == [
        (report, DAYS, site.first, site.first + timedelta(days=DAYS - 1))
        for report in ("ad_cost", "events", "landing_pages", "sessions")
    ]  # today, which is not over in Chicago, is not among them
    assert site.query("select distinct time_zone, currency from raw_ga4_data.days") == [("America/Chicago", "USD")]
    again = site.run()
    assert (again.state, again.total.loaded, again.load_id) == ("unchanged", 0, None)
    assert site.server.traffic.requests == {"token": 1, "report": 12} and again.requests == 12
    assert again.total.received == again.total.duplicates > 0
    site.options(with_late=True)
    third = site.run()
    assert third.state == "loaded" and 0 < third.tables["days"].loaded <= 12
    for report in REPORTS:
        assert _plain(site.counted(report.name)) == site.truth(report.name)
    assert site.query("select count(*) from raw_log.loads where received <> loaded + quarantined + duplicates") == [(0,)]  # fmt: skip


def test_pages_by_offset(site: Property) -> None:
    site.write(page_size=2)
    assert site.run().error is None
    for report in REPORTS:
        assert _plain(site.counted(report.name)) == site.truth(report.name)
    assert site.server.traffic.requests["report"] > 4 * DAYS + 10


def test_a_report_that_changes_between_its_pages_is_read_again(site: Property) -> None:
    def one_more(body: Any, number: int) -> Any:
        return {**body, "rowCount": body["rowCount"] + 1} if number == 1 and body.get("rowCount") else body

    site.write(page_size=2)
    site.faults.play(Fault("runReport", change=of_json(one_more)))
    assert site.run().error is None
    assert _plain(site.counted("sessions")) == site.truth("sessions")


def test_days_without_rows(site: Property) -> None:
    """Before the site was measured there is nothing: such days are read once."""
    begin = site.log.start.date()
    site.later = timedelta(days=(begin - site.log.as_of.date()).days + 3)
    site.write(start_date=(begin - timedelta(days=6)).isoformat())
    first = site.run()
    assert (first.error, first.tables["days"].loaded) == (None, 4 * 9)
    empty = site.query("select report, count(*) from raw_ga4_data.days where row_count = 0 group by 1 order by 1")
    assert len(empty) == 4 and all(count >= 5 for _, count in empty)
    again = site.run()
    assert (again.state, again.requests) == ("unchanged", 12)


def test_a_day_that_loses_all_its_rows_has_none(site: Property) -> None:
    site.run()
    day = f"{site.first + timedelta(days=DAYS - 1):%Y%m%d}"
    site.options(thresholded=frozenset({day}), least_users=10_000)
    assert site.run().error is None
    assert [row for row in site.counted("sessions") if row[0] == day] == []
    assert _plain(site.counted("sessions")) == site.truth("sessions")


def test_tokens_are_renewed_midway(site: Property) -> None:
    site.faults.play(Fault("runReport", first=5, act=site.server.revoke))
    result = site.run()
    assert result.error is None and site.server.traffic.refused["401"] >= 1
    assert site.server.traffic.requests["token"] >= 2
    assert _plain(site.counted("sessions")) == site.truth("sessions")


def test_a_service_account_signs_for_its_token(site: Property) -> None:
    key = json.dumps(json.loads(service_account_key()) | {"token_uri": "http://127.0.0.1:9/elsewhere"})
    site.write(f"service_account = '''{key}'''")  # an address in the key is not followed
    assert site.run().error is None and site.server.traffic.requests["token"] == 1
    account = json.loads(service_account_key())
    table = "\n".join(f"{key} = {json.dumps(value)}" for key, value in account.items())
    site.write(f"[sources.ga4_data.service_account]\n{table}")
    assert [finding.is_ok for finding in check(site.company.source("ga4_data"))] == [True, True]


@pytest.mark.parametrize(
    "message",
    [
        "Exhausted concurrent requests quota. Please retry your request with fewer concurrent requests.",
        "Exhausted property tokens for a project per hour. These quota tokens will return in under an hour.",
        "Exhausted property tokens per hour.",
        "Exhausted potentially thresholded requests quota.",
        "Too many requests, says a proxy",
    ],
)
def test_a_quota_that_comes_back_is_waited_for(site: Property, monkeypatch: pytest.MonkeyPatch, message: str) -> None:
    monkeypatch.setattr("ingestion.sources.ga4_data.api._CONCURRENT_SECONDS", 0.2)
    monkeypatch.setattr("ingestion.sources.ga4_data.api._HOURLY_SECONDS", 0.3)
    site.options(refuse={6: message})
    result = site.run()
    assert (result.error, result.notes) == (None, ())
    assert site.server.traffic.refused["429"] == 1
    assert _plain(site.counted("sessions")) == site.truth("sessions")


def test_an_hour_is_not_waited_for_where_that_is_too_long(site: Property) -> None:
    site.write(longest_wait_minutes=1)
    site.options(refuse=dict.fromkeys(range(10, 999), "Exhausted property tokens per hour."))
    result = site.run()
    assert result.state == "loaded" and result.error is None and result.seconds < 30
    assert "the property's quota for the hour is used up" in result.notes[-1]


def test_the_end_of_the_days_quota_keeps_what_was_read(site: Property) -> None:
    message = "Exhausted property tokens per day. These quota tokens will return in under 24 hours."
    site.options(refuse=dict.fromkeys(range(20, 999), message))
    first = site.run()
    assert (first.state, first.error) == ("loaded", None)
    assert f"{4 * DAYS - 19} reports of a day are still to be read; the next run goes on there" in first.notes[-1]
    assert site.query("select count(*) from raw_ga4_data.days") == [(19,)]
    assert site.server.traffic.refused["429"] <= 4  # at most once for each thread
    site.options()
    assert site.run().error is None
    assert site.server.traffic.requests["report"] == 4 * DAYS - 19 + 12
    for report in REPORTS:
        assert _plain(site.counted(report.name)) == site.truth(report.name)


def test_tokens_that_are_kept_for_others(site: Property) -> None:
    site.write(keep_tokens=30)
    site.options(tokens=45)
    result = site.run()
    assert result.state == "loaded" and site.server.traffic.refused["429"] == 0
    assert "tokens left for the day, and 30 are kept for others" in result.notes[-1]
    assert 15 <= site.server.traffic.requests["report"] <= 15 + 4


def test_what_is_wrong_with_the_numbers_is_told(site: Property) -> None:
    days = [f"{site.first + timedelta(days=number):%Y%m%d}" for number in range(DAYS)]
    site.options(
        thresholded=frozenset(days[-2:]), sampled=frozenset(days[-1:]), overflowing=frozenset(days), hides_cost=True
    )
    notes = site.run().notes
    first, last = f"{site.first}", f"{site.first + timedelta(days=DAYS - 1)}"
    assert f"sessions: counted from a sample on 1 of {DAYS} days, {last}; not exact" in notes
    assert any(note.startswith("landing_pages: small groups of users were withheld (thresholding) on 2 of") for note in notes)  # fmt: skip
    assert any(note.startswith("sessions: rare values were put together as (other)") for note in notes)
    assert (
        f"ad_cost: metrics are hidden from this account on {DAYS} of {DAYS} days, {first} to {last}; not exact" in notes
    )
    flags = "select is_sampled, is_thresholded, record->'$.metadata.samplingMetadatas[0].samplesReadCount' from raw_ga4_data.days where report = 'sessions' and date = (select max(date) from raw_ga4_data.days)"
    assert site.query(flags) == [(True, True, '"4200"')]
    assert site.query("select count(*) > 0 from raw_ga4_data.sessions where campaign = '(other)'") == [(True,)]
    (line,) = [one for one in sources(site.company, site.log.as_of) if one.name == "ga4_data"]
    assert line.state == "loaded" and "sessions: counted from a sample on 1 of" in line.next_step
    shown = CliRunner().invoke(main, ["--company", str(site.root), "sources"], env={"COLUMNS": "600"}).output
    assert "metrics are hidden from this account" in shown


def test_a_report_that_can_not_be_had_does_not_stop_the_others(site: Property) -> None:
    site.options(incompatible="advertiserAdClicks")
    result = site.run()
    assert (
        result.state == "failed"
        and "ad_cost: " in (result.error or "")
        and "Please remove advertiserAdClicks" in (result.error or "")
    )
    assert result.load_id is not None and _plain(site.counted("sessions")) == site.truth("sessions")
    site.options()
    assert site.run().error is None and _plain(site.counted("ad_cost")) == site.truth("ad_cost")


def test_a_failure_in_between_keeps_the_days_before(site: Property) -> None:
    site.faults.play(Fault("runReport", first=20, times=None, answer=(403, {}, b'{"error": {"code": 403, "message": "gone", "status": "PERMISSION_DENIED"}}')))  # fmt: skip
    result = site.run()
    assert result.state == "failed" and "may not read property" in (result.error or "")
    assert site.query("select count(*) from raw_ga4_data.days")[0][0] >= 15
    site.faults.play()
    assert site.run().error is None and _plain(site.counted("events")) == site.truth("events")


def test_a_number_that_is_none_is_quarantined(site: Property) -> None:
    def spoil(body: Any, number: int) -> Any:
        if body.get("rows"):
            body["rows"][0]["metricValues"][0]["value"] = "many"
        return body

    site.faults.play(Fault("runReport", change=of_json(spoil)))
    result = site.run()
    assert result.total.quarantined == 1
    assert result.total.received == result.total.loaded + 1
    assert "many" in site.query("select reason from raw_log.quarantine")[0][0]


def test_a_row_in_quarantine_is_replayed_with_its_day(site: Property) -> None:
    def spoil(body: Any, number: int) -> Any:
        if body.get("rows"):
            body["rows"][0]["metricValues"][0]["value"] = "many"
        return body

    site.write(reread_days=1)
    site.faults.play(Fault("runReport", first=25, times=8, change=of_json(spoil)))
    assert site.run().total.quarantined > 0
    waiting = quarantine.waiting(site.company)
    assert site.run().state == "unchanged"  # nothing tells that the day is worth another look
    site.later = timedelta(hours=1)
    outcome = quarantine.replay(site.company, waiting, received_at=site.log.as_of + site.later)
    assert outcome == quarantine.Replay(0, 0, 0, len(waiting)) and waiting
    again = site.run()
    assert (again.state, again.total.quarantined) == ("loaded", 0)
    assert quarantine.waiting(site.company) == []
    for report in REPORTS:
        assert _plain(site.counted(report.name)) == site.truth(report.name)
    assert site.run().state == "unchanged"


@pytest.mark.parametrize(
    ("value", "kind", "cast_to"),
    [
        ("42", "TYPE_INTEGER", 42), ("42.0", "TYPE_FLOAT", 42), ("0.25", "TYPE_FLOAT", 0.25), ("12.5", "TYPE_SECONDS", 12.5),
        ("1.2345678E7", "TYPE_CURRENCY", "12345678"), ("0.10", "TYPE_CURRENCY", "0.10"), ("many", "TYPE_INTEGER", "many"),
        ("NaN", "TYPE_FLOAT", "NaN"), ("42", "STRING", "42"), (None, "TYPE_INTEGER", None),
    ],
)  # fmt: skip
def test_numbers_are_cast_by_the_type_of_their_header(value: Any, kind: str, cast_to: Any) -> None:
    found = cast(value, kind)
    assert found == cast_to and type(found) is type(cast_to)


def test_headers_may_come_in_any_order(site: Property) -> None:
    def turned(body: Any, number: int) -> Any:
        for row in body.get("rows", []):
            row["metricValues"].reverse()
            row["dimensionValues"].reverse()
        return {**body, "metricHeaders": body["metricHeaders"][::-1], "dimensionHeaders": body["dimensionHeaders"][::-1]}  # fmt: skip

    site.faults.play(Fault("runReport", times=None, change=of_json(turned)))
    assert site.run().error is None
    for report in REPORTS:
        assert _plain(site.counted(report.name)) == site.truth(report.name)


def test_check_says_what_is_wrong(site: Property) -> None:
    assert all(finding.is_ok for finding in check(site.company.source("ga4_data")))
    wrong = REFRESH.replace(CLIENT_SECRET, "wrong-secret-1")
    other = json.loads(service_account_key()) | {"client_email": "other@example.com"}
    for secrets, url, number, words in (
        ("", "", PROPERTY, "the secret 'service_account' of source 'ga4_data' is missing"),
        ("service_account = '{}'", "", PROPERTY, "is no key of a service account"),
        (f"service_account = '''{json.dumps(other)}'''", "", PROPERTY, "account not found"),
        (wrong, "", PROPERTY, "refused the credentials with 400"),
        (REFRESH, "", "999", "The account may not read property 999. Add its e-mail address as Viewer"),
        (REFRESH, "", "G-ABC123", "not a measurement id"),
        (REFRESH, "http://127.0.0.1:9", PROPERTY, "got no answer"),
        (REFRESH, "http://analytics.example.com", PROPERTY, "must be https"),
    ):
        site.write(secrets, url, number)
        (found, *_) = check(site.company.source("ga4_data"))
        assert not found.is_ok and words in found.advice, (words, found.advice)
        assert "wrong-secret-1" not in found.advice and "PRIVATE" not in found.advice
        result = site.run()
        assert result.state == "failed" and words in (result.error or ""), words
    site.write()
    site.options(hides_cost=True)
    seen, cost = check(site.company.source("ga4_data"))
    assert seen.is_ok and not cost.is_ok and "No cost metrics" in cost.advice
