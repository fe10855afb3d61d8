"""The Housecall Pro connector against the loopback company: listings, changes, deletions, pages that shift, plans, limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from demo.crms.housecall_pro import server
from demo.log import CompanyLog
from demo.servers.housecall_pro.server import HousecallProOptions
from demo.servers.traffic import Limit
from demo.simulation.simulate import simulate
from ingestion.sources.housecall_pro import check
from ingestion.sources.housecall_pro.tables import LISTINGS
from tests.ingestion.sources.site import Site, site

Make = Callable[..., Site]


@pytest.fixture(scope="module")
def log() -> CompanyLog:
    return simulate(3, 0.06)


@pytest.fixture
def company(tmp_path: Path, log: CompanyLog) -> Iterator[Make]:
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(
            site(tmp_path, log, "housecall_pro", server(log, HousecallProOptions(**options)))
        )


def assert_same(one: Site) -> None:
    """Every record is in the raw log, in its newest version, whole."""
    for listing in LISTINGS:
        served = {row["id"]: row for row in one.server.state.rows[listing.key]}
        assert one.newest(listing.table_name) == served and served, listing.key


def test_everything_once_then_only_what_changed(company: Make) -> None:
    one = company()
    first = one.run()
    assert (first.error, first.total.quarantined, first.total.duplicates) == (None, 0, 0)
    assert len(one.server.state.rows["customers"]) > 200, "more than a page"
    assert_same(one)

    one.later = timedelta(minutes=5)
    again = one.run()
    assert (again.state, again.total.loaded) == ("unchanged", 0)
    assert again.requests <= 7 + 3

    at = f"{(one.log.as_of + timedelta(minutes=4)).isoformat(timespec='seconds')}Z"
    rows = one.server.state.rows
    rows["estimates"][0] |= {"work_status": "pro canceled", "updated_at": at}
    rows["leads"][0] |= {"status": "lost", "lost_at": at}
    invoice = next(row for row in rows["invoices"] if row["status"] == "open")
    invoice |= {"due_amount": 1}
    third = one.run()
    loaded = {name: count.loaded for name, count in third.tables.items() if count.loaded}
    assert loaded == {"estimates": 1, "leads": 1, "invoices": 1}
    assert_same(one)


def test_what_was_deleted_is_found(company: Make) -> None:
    one = company()
    one.run()
    lead, job = one.server.state.rows["leads"].pop(2)["id"], one.server.state.rows["jobs"].pop(2)["id"]
    one.later = timedelta(days=1)
    one.run()
    assert one.query("select table_name, id from raw_housecall_pro.absences") == [("leads", lead)]
    one.later = timedelta(days=7)
    one.run()
    assert one.query("select table_name, id from raw_housecall_pro.absences order by 1") == [
        ("jobs", job),
        ("leads", lead),
    ]


def test_a_record_that_is_deleted_while_pages_are_read_hides_no_other(company: Make, log: CompanyLog) -> None:
    doomed = server(log).state.rows["customers"][0]["id"]
    one = company(deleted_while_paging=doomed)
    result = one.run()
    assert result.error is None
    kept = {row["id"] for row in one.server.state.rows["customers"]}
    assert kept <= set(one.newest("customers")) <= kept | {doomed}


def test_customers_who_are_added_while_pages_are_read_hold_up_nothing(company: Make) -> None:
    one = company()
    one.run()
    rows, original = one.server.state.rows, one.server._page
    doomed, asked = rows["customers"].pop(3)["id"], list[int]()

    def page(name: str, request: Any) -> Any:
        answer = original(name, request)
        if name == "customers" and request.query_params.get("sort_by") == "created_at":
            asked.append(int(request.query_params["page"]))
            at = f"{(one.now + timedelta(minutes=len(asked))).isoformat(timespec='seconds')}Z"
            new = {**rows["customers"][0], "id": f"cus_new{len(asked)}", "created_at": at, "updated_at": at}
            rows["customers"] = [*rows["customers"], new]
        return answer

    one.server._page, one.later = page, timedelta(days=7)
    assert one.run().error is None
    assert len(asked) > 1 and asked == sorted(set(asked)), "read once"
    assert one.query("select table_name, id from raw_housecall_pro.absences") == [("customers", doomed)]


def test_a_limit_without_a_time_is_waited_out(company: Make) -> None:
    one = company(rate=Limit(6, 1.0, "SECONDLY", None))
    assert one.run().error is None
    assert one.server.traffic.refused["all"] > 0
    assert_same(one)


def test_a_plan_without_leads_is_read_without_them(company: Make) -> None:
    one = company(denied=frozenset({"leads"}))
    result = one.run()
    assert result.error is None and result.tables["estimates"].loaded > 0
    assert one.query("select count(*) from raw_housecall_pro.leads") == [(0,)]


def test_check_says_what_is_wrong(company: Make) -> None:
    one = company(denied=frozenset({"invoices"}))
    wrong = [finding for finding in check(one.settings) if not finding.is_ok]
    assert [finding.what for finding in wrong] == ["read invoices"]
    assert "the plan must include API access" in wrong[0].advice
    one.set('api_key = "wrong-key-1"', "secrets")
    assert "does not accept the key" in check(one.settings)[0].advice
    assert "wrong-key-1" not in check(one.settings)[0].advice
    one.set('base_url = "http://127.0.0.1:9"')
    assert "no complete answer" in check(one.settings)[0].advice
    one.unset("api_key")
    assert "the secret 'api_key' of source 'housecall_pro' is missing" in check(one.settings)[0].advice
