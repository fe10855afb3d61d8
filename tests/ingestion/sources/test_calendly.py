"""The Calendly connector against the loopback organization: appointments once, what moved, no-shows, plans, limits; and appointments of leads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from demo.log import CompanyLog
from demo.servers.calendly.server import TOKEN, CalendlyOptions, CalendlyServer, stamp
from demo.servers.traffic import Limit, Loopback
from demo.simulation.simulate import simulate
from ingestion.catalogue import create_views
from ingestion.rawlog.accounting import SourceResult
from ingestion.run import extract
from ingestion.sources.calendly import check
from orchestration import transform
from salesgauge.process import Process
from salesgauge.settings import Company
from salesgauge.warehouse import connect

PROCESS = Path("demo/company/process.yml").resolve()


@pytest.fixture(scope="module")
def log() -> CompanyLog:
    return simulate(3, 0.06)


class Organization:
    """A company directory whose Calendly is up."""

    def __init__(self, root: Path, log: CompanyLog, options: CalendlyOptions) -> None:
        self.root, self.log, self.server = root, log, CalendlyServer(log, options)
        self.later = timedelta()
        self._loop = Loopback(self.server.app)

    def __enter__(self) -> Organization:
        (self.root / ".dlt").mkdir(parents=True)
        (self.root / "process.yml").write_bytes(PROCESS.read_bytes())
        self.url = self._loop.start()
        self.write(f'base_url = "{self.url}"', f'access_token = "{TOKEN}"')
        return self

    def __exit__(self, *error: object) -> None:
        self._loop.stop()

    @property
    def company(self) -> Company:
        return Company.open(self.root, {})

    def write(self, config: str, secret: str) -> None:
        (self.root / ".dlt" / "config.toml").write_text(f"[sources.calendly]\n{config}\n")
        (self.root / ".dlt" / "secrets.toml").write_text(f"[sources.calendly]\n{secret}\n")

    def run(self) -> SourceResult:
        self.server.traffic.reset()
        return extract(self.company, None, received_at=self.log.as_of + self.later)[0]  # type: ignore[arg-type]

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with connect(":memory:") as con:
            create_views(con, self.company, ["calendly"])
            return con.execute(sql).fetchall()


@pytest.fixture
def organization(tmp_path: Path, log: CompanyLog) -> Iterator[Callable[..., Organization]]:
    running: list[Organization] = []

    def make(**options: Any) -> Organization:
        running.append(Organization(tmp_path / str(len(running)), log, CalendlyOptions(**options)))
        return running[-1].__enter__()

    yield make
    for one in running:
        one.__exit__()


def test_everything_once_then_only_what_moved(organization: Any) -> None:
    one = organization()
    first = one.run()
    assert (first.state, first.error, first.total.quarantined) == ("loaded", None, 0)
    state = one.server.state
    assert len(state.events) > 100, "more than a page"
    for table, rows in (("scheduled_events", state.events), ("invitees", state.invitees)):
        loaded = one.query(f"select uri from raw_calendly.{table}")
        assert sorted(row[0] for row in loaded) == sorted(row["uri"] for row in rows.values())
    assert one.query("select count(*) from raw_calendly.routing_form_submissions") == [(len(state.submissions),)]
    assert one.query(
        "select count(*) from raw_calendly.invitees where cast(record as varchar) like '%reschedulings%'"
    ) == [(0,)]

    one.later = timedelta(minutes=5)
    again = one.run()
    now = one.log.as_of + one.later
    recent = [
        row for row in state.events.values() if stamp(now - timedelta(days=14)) <= row["start_time"] <= stamp(now)
    ]
    assert (again.state, again.total.loaded) == ("unchanged", 0)
    assert again.requests <= 6 + 1 + len(recent)

    moved = max(state.events, key=lambda key: state.events[key]["start_time"])
    at = stamp(now)
    cancellation = {"canceled_by": "Pat", "reason": None, "canceler_type": "host", "created_at": at}
    state.events[moved] |= {"status": "canceled", "cancellation": cancellation, "updated_at": at}
    missed = next(
        key for key, row in state.events.items() if row in recent and row["status"] == "active" and key != moved
    )
    state.invitees[missed] |= {
        "no_show": {"uri": "https://api.calendly.com/invitee_no_shows/N1", "created_at": at}
    }  # does not touch the appointment
    third = one.run()
    loaded = {name: count.loaded for name, count in third.tables.items() if count.loaded}
    assert loaded == {"scheduled_events": 1, "invitees": 1}


def test_a_plan_without_routing_forms_and_a_limit_that_is_reached(organization: Any) -> None:
    one = organization(has_routing=False, rate=Limit(40, 1.0, "SECONDLY", None))
    result = one.run()
    assert result.error is None and one.server.traffic.refused["all"] > 0
    assert one.query("select count(*) from raw_calendly.invitees") == [(len(one.server.state.invitees),)]


def test_a_date_that_was_moved_counts_once(organization: Any) -> None:
    one = organization()
    assert one.run().error is None
    transform.prepare(one.company, Process.load(one.company.process_file), as_of=one.log.as_of)
    outcome = transform.build(
        one.company, Process.load(one.company.process_file), select=("+int_appointments", "+int_form_submissions")
    )
    assert {model.status for model in outcome.models} == {"success"}, outcome.models
    state = one.server.state
    kept = {key: row for key, row in state.invitees.items() if not row["rescheduled"]}
    assert len(kept) < len(state.invitees)
    with connect(one.company.warehouse_file) as con:
        rows = con.execute(
            "select appointment_id, status, created_at, is_self_booked from intermediate.int_appointments"
        ).fetchall()
        forms = con.execute("select count(*), count(email) from staging.stg_calendly__form_submissions").fetchall()
    assert {row[0] for row in rows} == {f"calendly:I{key}" for key in kept}
    now = stamp(one.log.as_of)
    for appointment, status, created, is_self_booked in rows:
        key = appointment.removeprefix("calendly:I")
        event, invitee = state.events[key], state.invitees[key]
        held = "held" if event["end_time"] <= now else "scheduled"
        assert status == ("canceled" if event["status"] == "canceled" else "no_show" if invitee["no_show"] else held)
        first = invitee
        while first["old_invitee"]:
            first = next(row for row in state.invitees.values() if row["uri"] == first["old_invitee"])
        assert stamp(created) == first["created_at"] and is_self_booked == (first["invitee_scheduled_by"] is None)
    assert forms[0][0] == len(state.submissions)


def test_check_says_what_is_wrong(organization: Any) -> None:
    one = organization(is_admin=False)
    wrong = [finding for finding in check(one.company.source("calendly")) if not finding.is_ok]
    assert len(wrong) == 2 and all("must be owner or administrator" in finding.advice for finding in wrong)
    for config, secret, words in (
        (f'base_url = "{one.url}"', 'access_token = "wrong-token-1"', "does not accept the token"),
        (f'base_url = "{one.url}"', 'other = "x"', "the secret 'access_token' of source 'calendly' is missing"),
        ('base_url = "http://127.0.0.1:9"', f'access_token = "{TOKEN}"', "no complete answer"),
    ):
        one.write(config, secret)
        found = [finding for finding in check(one.company.source("calendly")) if not finding.is_ok]
        assert words in found[0].advice and "wrong-token-1" not in found[0].advice


def test_appointments_of_a_long_pause_are_read_after_it(organization: Any) -> None:
    one = organization()
    one.run()
    held = next(row for row in one.server.state.events.values() if row["start_time"] > stamp(one.log.as_of))
    start = stamp(one.log.as_of + timedelta(days=9))  # it was moved to a day that had passed long before the next sync
    held |= {"start_time": start, "updated_at": stamp(one.log.as_of + timedelta(days=5))}
    one.later = timedelta(days=75)
    result = one.run()
    assert result.error is None
    newest = f"select max_by(record ->> '$.start_time', _load_id) from raw_calendly.scheduled_events where uri = '{held['uri']}'"
    assert one.query(newest) == [(start,)]
