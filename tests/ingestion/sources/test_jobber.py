"""The Jobber connector against the loopback account: everything once, then only changes; the budget of points; tokens that rotate; versions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from demo.crms.jobber import DEMO, server
from demo.log import CompanyLog
from demo.simulation.simulate import simulate
from ingestion.sources.jobber import check
from ingestion.sources.jobber.tables import LISTINGS
from tests.ingestion.sources.site import Site, site

Make = Callable[..., Site]


@pytest.fixture(scope="module")
def log() -> CompanyLog:
    return simulate(3, 0.04)


@pytest.fixture
def account(tmp_path: Path, log: CompanyLog) -> Iterator[Make]:
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(
            site(tmp_path, log, "jobber", server(log, replace(DEMO, **options)))
        )


def assert_same(one: Site) -> None:
    """Every record is in the raw log once, in its newest version."""
    for listing in LISTINGS:
        served = {row["id"]: row for row in one.server.state.rows[listing.name]}
        loaded = one.newest(listing.table_name)
        assert set(loaded) == set(served) and served, listing.name
        for key, row in served.items():
            plain = [name for name, nested in listing.fields.items() if nested is None and name in row]
            assert {name: loaded[key][name] for name in plain} == {name: row[name] for name in plain}


def test_everything_once_then_only_what_changed(account: Make) -> None:
    one = account()
    first = one.run()
    assert (first.error, first.total.quarantined, first.total.duplicates) == (None, 0, 0)
    assert_same(one)

    one.later = timedelta(minutes=5)
    again = one.run()
    assert (again.state, again.total.loaded) == ("unchanged", 0)
    assert again.requests <= 11 + 3

    at = f"{(one.log.as_of + timedelta(minutes=4)).isoformat(timespec='seconds')}Z"
    quote, job = one.server.state.rows["quotes"][0], one.server.state.rows["jobs"][0]
    quote["amounts"]["total"], quote["updatedAt"] = 4321.5, at
    job["total"], job["updatedAt"] = 99.0, at
    visit = one.server.state.rows["visits"][-1]
    visit["title"] = "moved"
    changed = one.run()
    assert {name: count.loaded for name, count in changed.tables.items() if count.loaded} == {
        "quotes": 1, "jobs": 1, **({"visits": 1} if visit["startAt"] > (one.log.as_of - timedelta(days=30)).isoformat() else {}),
    }  # fmt: skip
    assert one.newest("quotes")[quote["id"]]["amounts"]["total"] == 4321.5
    assert one.newest("jobs")[job["id"]]["total"] == 99.0


def test_what_was_deleted_is_found_once_a_week(account: Make) -> None:
    one = account()
    one.run()
    gone = one.server.state.rows["quotes"].pop(3)["id"]
    one.later = timedelta(days=6)
    assert "absences" not in one.run().tables
    one.later = timedelta(days=7)
    assert one.run().tables["absences"].loaded == 1
    found = one.query("select table_name, id from raw_jobber.absences where is_absent")
    assert found == [("quotes", gone)]


def test_a_budget_of_points_that_is_used_up_is_waited_for(account: Make) -> None:
    one = account(points=1_500, restored=6_000)
    assert one.run().error is None
    assert one.server.traffic.refused["cost"] > 0
    assert_same(one)


def test_a_page_that_costs_more_than_there_is_says_what_to_set(account: Make) -> None:
    one = account(points=200, restored=6_000)
    result = one.run()
    assert result.error is not None and "Set a smaller page_size" in result.error


def test_tokens_rotate_and_are_renewed_midway(account: Make) -> None:
    one = account(uses=7)
    assert one.run().error is None
    assert_same(one)
    kept = json.loads((one.root / "var" / "credentials" / "jobber.json").read_text())
    assert kept["refresh_token"].startswith("demo-jobber-refresh-") and kept["refresh_token"][-1] != "0"
    one.later = timedelta(minutes=5)
    assert one.run().error is None, "the first refresh token is dead: the newest one is used"


def test_a_version_without_some_fields_is_read_without_them(account: Make) -> None:
    one = account(missing=frozenset({"Client.sourceAttribution", "Quote.transitionedAt"}))
    assert one.run().error is None
    assert all("sourceAttribution" not in record for record in one.newest("clients").values())
    assert one.newest("quotes").keys() == {row["id"] for row in one.server.state.rows["quotes"]}


def test_a_version_without_a_field_that_is_needed_says_so(account: Make) -> None:
    one = account(missing=frozenset({"Quote.updatedAt"}))
    result = one.run()
    assert result.error is not None and "no Quote.updatedAt" in result.error and "api_version" in result.error


def test_check_says_what_is_wrong(account: Make) -> None:
    one = account(scopes=frozenset({"read_users", "read_clients", "read_requests", "read_quotes", "read_jobs"}))
    wrong = [finding for finding in check(one.settings) if not finding.is_ok]
    assert [finding.what for finding in wrong] == ["read invoices", "read paymentRecords"]
    assert all("read_invoices" in finding.advice and "Grant the app the scope" in finding.advice for finding in wrong)

    one.set('api_version = "2020-01-01"')
    assert "does not exist" in check(one.settings)[0].advice and "api_version" in check(one.settings)[0].advice
    one.set('api_version = "2026-04-13"')
    one.set('client_secret = "wrong-secret-1"', "secrets")
    found = check(one.settings)[0].advice
    assert "refused the credentials" in found and "wrong-secret-1" not in found
    one.set('base_url = "http://127.0.0.1:9"')
    assert "no answer" in check(one.settings)[0].advice
    one.unset("refresh_token")
    assert "the secret 'refresh_token' of source 'jobber' is missing" in check(one.settings)[0].advice


def test_a_client_that_is_deleted_while_pages_are_read_hides_no_other(account: Make) -> None:
    one = account()
    clients = one.server.state.rows["clients"]
    assert len(clients) > 60, "more than a page"
    listed = iter(range(1_000))

    class Shrinking(list[Any]):
        def __iter__(self) -> Iterator[Any]:
            found = list(super().__iter__())
            if next(listed) == 0:
                self.pop(1)
            return iter(found)

    one.server.state.rows["clients"] = Shrinking(clients)
    assert one.run().error is None
    assert {row["id"] for row in one.server.state.rows["clients"]} <= set(one.newest("clients"))
