"""The ServiceTitan connector against the loopback tenant: feeds from where they ended, lists, changes of estimates, scopes, limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from demo.crms.servicetitan import server
from demo.log import CompanyLog
from demo.servers.servicetitan.server import ServiceTitanOptions
from demo.servers.traffic import Limit
from demo.simulation.simulate import simulate
from ingestion.http.answers import Refused
from ingestion.sources.servicetitan import check
from ingestion.sources.servicetitan.api import ServiceTitanApi
from ingestion.sources.servicetitan.tables import FEEDS
from proofs.faults.wrapper import Fault, Faults, says
from salesgauge.errors import SourceError
from tests.ingestion.sources.site import Site, site

Make = Callable[..., Site]


@pytest.fixture(scope="module")
def log() -> CompanyLog:
    return simulate(3, 0.04)


@pytest.fixture
def tenant(tmp_path: Path, log: CompanyLog) -> Iterator[Make]:
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(
            site(tmp_path, log, "servicetitan", server(log, ServiceTitanOptions(**options)))
        )


def newest(one: Site, table: str, key: str) -> dict[str, Any]:
    return {
        row[0]: row[1]
        for row in one.query(
            f"select {key}, cast(record as varchar) from raw_servicetitan.{table} "
            f"qualify row_number() over (partition by {key} order by _load_id desc, _row desc) = 1"
        )
    }


def assert_same(one: Site) -> None:
    """Every row of the tenant is in the raw log, in its newest version."""
    for feed in FEEDS:
        key, path = feed.key[0]
        rows = one.server.state.rows[feed.resource]
        assert rows, feed.resource
        assert set(newest(one, feed.table_name, key)) == {str(row[path[2:]]) for row in rows}, feed.resource
    dismissed = {str(row["id"]) for row in one.server.state.rows["estimates"] if row["status"]["name"] == "Dismissed"}
    assert set(newest(one, "estimate_changes", "estimate_id")) == dismissed


def test_everything_once_then_only_what_changed(tenant: Make) -> None:
    one = tenant(page=100)
    first = one.run()
    assert (first.error, first.total.quarantined, first.total.duplicates) == (None, 0, 0)
    assert_same(one)

    one.later = timedelta(minutes=5)
    again = one.run()
    assert (again.state, again.total.loaded, again.requests) == ("unchanged", 0, len(FEEDS))

    at = f"{(one.log.as_of + timedelta(minutes=4)).isoformat(timespec='seconds')}Z"
    rows = one.server.state.rows
    lead, estimate = rows["leads"][0], next(row for row in rows["estimates"] if row["status"]["name"] == "Sold")
    lead |= {"active": False, "modifiedOn": at}
    estimate |= {"status": {"value": 2, "name": "Dismissed"}, "soldOn": None, "modifiedOn": at}
    one.server.state.changes[estimate["id"]] = [
        {"id": 7, "oldStatus": "Sold", "newStatus": "Dismissed", "createdOn": at, "createdById": 1}
    ]
    third = one.run()
    assert {name: count.loaded for name, count in third.tables.items() if count.loaded} == {
        "leads": 1,
        "estimates": 1,
        "estimate_changes": 1,
    }
    assert '"active":false' in newest(one, "leads", "id")[str(lead["id"])].replace(" ", "")


def test_tokens_that_end_and_a_rate_that_is_reached_lose_nothing(tenant: Make) -> None:
    one = tenant(uses=30, page=60, rate=Limit(15, 1.0, "SECONDLY"))
    assert one.run().error is None
    assert one.server.traffic.refused["all"] > 0
    assert_same(one)


def test_what_the_app_may_not_read_is_left_out_or_stops_the_load(tenant: Make, tmp_path: Path, log: CompanyLog) -> None:
    one = tenant(denied=frozenset({"bookings", "calls"}))
    result = one.run()
    assert result.error is None and result.tables["leads"].loaded > 0
    assert one.query("select count(*) from raw_servicetitan.bookings") == [(0,)]
    with site(
        tmp_path / "other", log, "servicetitan", server(log, ServiceTitanOptions(denied=frozenset({"jobs"})))
    ) as other:
        failed = other.run()
        assert failed.error is not None and "Grant the app the scope of jpm" in failed.error


def test_check_says_what_is_wrong(tenant: Make) -> None:
    one = tenant(denied=frozenset({"jobs", "payments"}))
    wrong = {finding.what: finding.advice for finding in check(one.settings) if not finding.is_ok}
    assert set(wrong) == {"read jpm/jobs", "read accounting/payments"}
    assert "a sync can't run without it" in wrong["read jpm/jobs"]
    assert "its data is left out" in wrong["read accounting/payments"]
    one.set('tenant_id = "1"')
    assert all("check tenant_id" in finding.advice for finding in check(one.settings))
    one.set('client_secret = "wrong-secret-1"', "secrets")
    found = check(one.settings)
    assert "refused the credentials" in found[0].advice and "wrong-secret-1" not in found[0].advice
    one.set('token_url = "http://127.0.0.1:9/connect/token"')
    assert "no answer" in check(one.settings)[0].advice
    one.unset("app_key")
    assert "the secret 'app_key' of source 'servicetitan' is missing" in check(one.settings)[0].advice


def test_a_change_whose_transaction_ended_late_is_found_and_old_estimates_are_not_asked_for_again(tenant: Make) -> None:
    one = tenant(page=40)
    assert one.run().error is None
    one.later = timedelta(minutes=5)
    rows = one.server.state.rows["leads"]
    newest = max(datetime.fromisoformat(row["modifiedOn"]) for row in rows)
    late = f"{(newest - timedelta(minutes=2)).replace(tzinfo=None).isoformat()}Z"
    rows.append({**rows[0], "id": 987_654, "createdOn": late, "modifiedOn": late})
    refused = one.server.traffic.refused["all"]
    again = one.run()
    assert {name: count.loaded for name, count in again.tables.items() if count.loaded} == {"leads": 1}
    assert "987654" in newest_ids(one)
    assert one.server.traffic.requests["changes"] == 0
    # what is asked again after a 429 depends on how evenly the machine runs; few feeds have their last ten minutes on two pages
    answered = again.requests - (one.server.traffic.refused["all"] - refused)
    assert len(FEEDS) <= answered <= len(FEEDS) + 4


def newest_ids(one: Site) -> set[str]:
    return set(newest(one, "leads", "id"))


def test_a_feed_that_turns_in_a_circle_is_refused() -> None:
    turns = iter(range(1_000))

    class Circle:
        def get(self, path: str, params: Any) -> Any:
            number = next(turns)
            body = {"hasMore": True, "continueFrom": "ab"[number % 2], "data": [{"id": number}]}
            return SimpleNamespace(body=body)

    with pytest.raises(SourceError, match="the feed jpm/jobs has more but names no new place"):
        list(ServiceTitanApi(Circle(), "1").feed(FEEDS[0], None))  # type: ignore[arg-type]
    assert next(turns) == 3


def test_a_refusal_in_the_middle_of_an_optional_feed_is_no_missing_right() -> None:
    class Moody:
        def get(self, path: str, params: Any) -> Any:
            if params:
                raise Refused("servicetitan: GET /x answered 403", 403)
            return SimpleNamespace(body={"hasMore": True, "continueFrom": "a", "data": [{"id": 1}]})

    feed = next(feed for feed in FEEDS if feed.is_optional)
    with pytest.raises(SourceError, match="answered 403") as caught:
        list(ServiceTitanApi(Moody(), "1").feed(feed, None))  # type: ignore[arg-type]
    assert not isinstance(caught.value, Refused)


def test_a_right_that_lacks_is_asked_for_once_and_what_it_hid_is_read_when_it_comes(
    tmp_path: Path, log: CompanyLog
) -> None:
    titan = server(log, ServiceTitanOptions())
    faults = Faults(titan.app)
    titan.app = faults  # type: ignore[assignment]  # an application around it
    faults.play(Fault("estimates/.*/changes", times=None, answer=says(403, {"title": "Forbidden"})))
    with site(tmp_path, log, "servicetitan", titan) as one:
        first = one.run()
        assert first.error is None and one.query("select count(*) from raw_servicetitan.estimate_changes") == [(0,)]
        assert faults.done == 1
        faults.done = 0
        again = one.run()
        assert (again.state, again.total.loaded, faults.done) == ("unchanged", 0, 1)
        faults.play()
        assert one.run().state == "loaded"
        assert_same(one)
        assert one.run().state == "unchanged" and one.server.traffic.requests["changes"] == 0
