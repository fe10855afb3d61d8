"""The HubSpot connector against a small account: first load, changes, archiving, merges, links, the search cap, refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from starlette.responses import JSONResponse

from salesgauge.errors import ConfigurationError, SourceError
from tests.ingestion.sources.hubspot_portal import START, Portal


@pytest.fixture
def portal() -> Portal:
    portal = Portal()
    for number in range(1, 121):
        portal.put("contacts", number, number, email=f"p{number}@x.co", hs_lead_status="NEW", branch="north")
        portal.put("deals", 1000 + number, 200 + number, dealstage="quote_sent", amount="10", hs_is_closed="false")
        portal.put("calls", 2000 + number, number, hs_call_direction="OUTBOUND")
        portal.link("deals", 1000 + number, "contacts", number)
        portal.link("calls", 2000 + number, "contacts", number, number)
    return portal


@pytest.fixture
def run(portal: Portal, directory: Any, serve: Callable[[Any], str]) -> Callable[..., Any]:
    url = serve(portal)

    def load(**settings: Any) -> Any:
        directory.configure("hubspot", **{"base_url": url, "search_requests_per_second": 1000, **settings})
        portal.calls.clear()
        portal.reads.clear()
        return directory.run("hubspot")

    return load


def _loaded(landing: Any) -> dict[str, int]:
    return {table: count.loaded for table, count in landing.counts.items() if count.loaded}


def test_the_first_load_holds_everything(portal: Portal, directory: Any, run: Any) -> None:
    portal.archive("deals", 1005, 500)
    landing, load_id, requests = run()

    assert load_id
    assert _loaded(landing) == {
        "contacts": 120,
        "deals": 120,
        "calls": 120,
        "owners": 1,
        "pipelines": 1,
        "associations": 119 + 120,
    }
    assert requests == sum(portal.calls.values())
    assert directory.query(
        "select count(*), count(*) filter (is_archived), max(archived_at) from raw_hubspot.deals"
    ) == [(120, 1, (START + timedelta(minutes=500)).replace(tzinfo=None))]
    record = json.loads(directory.query("select record from raw_hubspot.contacts where id = '7'")[0][0])
    assert record["properties"]["branch"] == "north"  # the account's own property
    assert set(record["propertiesWithHistory"]) == {"hs_lead_status", "lifecyclestage", "hubspot_owner_id"}
    assert directory.query(
        "select to_ids from raw_hubspot.associations where from_type = 'calls' and from_id = '2007'"
    ) == [(["7"],)]
    assert directory.query("select distinct from_type, to_type from raw_hubspot.associations order by all") == [
        ("calls", "contacts"),
        ("deals", "contacts"),
    ]
    assert not (directory.company.work_dir / "hubspot-pages").exists()


def test_a_run_without_changes_loads_nothing_in_29_requests(portal: Portal, directory: Any, run: Any) -> None:
    for kind in ("companies", "emails", "meetings", "tasks"):
        portal.put(kind, 1)
    run()
    landing, load_id, requests = run()

    assert load_id is None
    assert requests == 29
    assert portal.calls == {
        "search": 7,
        "objects": 13,  # of a type without a record both listings
        "count": 3,
        "owners": 2,
        "pipelines": 1,
        "read": 2,
        "forms": 1,
    }
    assert _loaded(landing) == {}
    assert portal.reads == []


def test_only_changed_records_are_read_and_loaded(portal: Portal, directory: Any, run: Any) -> None:
    run()
    for number in range(1001, 1051):
        portal.put("deals", number, 1000, dealstage="closedwon")
    portal.put("contacts", 121, 1001, email="new@x.co")
    portal.link("deals", 1051, "contacts", 120, 51)  # a new link moves no modified date
    landing, load_id, _ = run()

    assert load_id
    assert _loaded(landing) == {"deals": 50, "contacts": 1, "associations": 1}
    assert sorted(portal.reads) == sorted(["contacts/121", *(f"deals/{number}" for number in range(1001, 1051))])
    assert directory.query(
        "select to_ids from raw_hubspot.associations where from_id = '1051' order by _load_id desc limit 1"
    ) == [(["120", "51"],)]
    assert run()[1] is None


def test_what_the_search_counts_and_no_listing_has_is_looked_for_once(portal: Portal, directory: Any, run: Any) -> None:
    run()
    portal.uncounted = 3
    run()
    assert portal.calls["objects"] == 17 + 2 + 2  # contacts and deals, by 100; a company there is none
    _, load_id, requests = run()
    assert (load_id, requests) == (None, 29)  # without a company their properties are asked for again


def test_a_removed_link_is_loaded_as_an_empty_list(portal: Portal, directory: Any, run: Any) -> None:
    run()
    del portal.links["deals", "contacts"]["1003"]
    landing, _, _ = run()

    assert _loaded(landing) == {"associations": 1}
    assert directory.query("select to_ids from raw_hubspot.associations where from_id = '1003' order by _load_id") == [
        (["3"],),
        ([],),
    ]


def test_archived_and_restored_records_are_seen_although_their_date_stays(
    portal: Portal, directory: Any, run: Any
) -> None:
    run()
    portal.archive("deals", 1001, 900)
    assert _loaded(run()[0]) == {"deals": 1}
    assert run()[1] is None

    portal.restore("deals", 1001)
    assert _loaded(run()[0]) == {"deals": 1}
    states = directory.query(
        "select is_archived, record ->> '$.properties.dealstage' from raw_hubspot.deals where id = '1001' order by _load_id"
    )
    assert states == [(False, "quote_sent"), (True, "quote_sent"), (False, "quote_sent")]
    assert run()[1] is None


def test_an_archived_record_that_is_purged_is_asked_for_once(portal: Portal, directory: Any, run: Any) -> None:
    portal.archive("deals", 1001, 900)
    run()
    del portal.archived["deals"]["1001"]

    assert _loaded(run()[0]) == {}
    assert portal.reads == ["deals/1001"]
    run()
    assert portal.reads == []


def test_a_merge_shows_in_the_survivor(portal: Portal, directory: Any, run: Any) -> None:
    run()
    del portal.objects["contacts"]["2"]
    portal.put("contacts", 1, 900, hs_merged_object_ids="2")

    assert _loaded(run()[0]) == {"contacts": 1}
    merged = "select record ->> '$.properties.hs_merged_object_ids' from raw_hubspot.contacts where id = '1' order by _load_id desc limit 1"
    assert directory.query(merged) == [("2",)]


def test_late_visible_edits_are_found_by_the_overlap(portal: Portal, directory: Any, run: Any) -> None:
    run()
    portal.put("contacts", 5, 112)  # the mark is at minute 120
    portal.put("contacts", 6, 105)  # before the overlap of 10 minutes
    landing, _, _ = run()

    assert directory.query("select id from raw_hubspot.contacts order by _load_id desc limit 1") == [("5",)]
    assert _loaded(landing) == {"contacts": 1}
    assert landing.counts["contacts"].duplicates == 11  # those of the minutes 110 … 120


def test_edits_while_the_first_load_runs_are_not_missed(portal: Portal, directory: Any, run: Any) -> None:
    """The mark does not pass the moment at which the reading began."""
    portal.clock = "Thu, 01 Jan 2026 00:50:00 GMT"
    run()
    portal.put("contacts", 1, 55)  # edited after its page was read, before the newest edit that was seen (minute 120)
    landing, _, _ = run()

    assert _loaded(landing)["contacts"] == 1


def test_more_edits_in_one_millisecond_than_a_search_shows(
    portal: Portal, directory: Any, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingestion.sources.hubspot.api.SEARCH_CAP", 1_000)  # the real one is 10,000
    portal.cap = 1_000
    for number in range(1, 2_401):
        portal.put("companies", number, number / 1_000)
    assert _loaded(run(objects=["companies"])[0])["companies"] == 2_400
    for number in range(1, 2_051):
        portal.put("companies", number, 2_000)  # one millisecond
    for number in range(2_051, 2_400):
        portal.put("companies", number, 2_001 + number // 100)
    portal.put("companies", 2_400, 1_999)
    landing, _, _ = run(objects=["companies"])

    assert _loaded(landing) == {"companies": 2_400}
    assert directory.query(
        "select count(*), count(distinct id) from raw_hubspot.companies where updated_at > '2026-01-02'"
    ) == [(2_400, 2_400)]
    assert run(objects=["companies"])[1] is None
    assert portal.reads == []


def test_a_property_list_too_long_for_an_address_is_read_by_id(portal: Portal, directory: Any, run: Any) -> None:
    portal.custom = [
        {"name": f"own_property_with_a_long_name_{number}", "hubspotDefined": False} for number in range(400)
    ]
    portal.put("contacts", 1, 1, own_property_with_a_long_name_399="here")
    landing, _, _ = run()

    assert _loaded(landing)["contacts"] == 120
    value = directory.query(
        "select record ->> '$.properties.own_property_with_a_long_name_399' from raw_hubspot.contacts where id = '1'"
    )
    assert value == [("here",)]


def test_a_newly_mapped_property_is_fetched_for_all_records(portal: Portal, directory: Any, run: Any) -> None:
    portal.put("contacts", 1, 1, hs_email_domain="x.co")
    run()
    (directory.root / "sources" / "hubspot.yml").write_text(
        "fields:\n  leads: {domain: hs_email_domain}\n", encoding="utf-8"
    )
    landing, _, _ = run()

    assert _loaded(landing) == {"contacts": 120}
    value = "select record ->> '$.properties.hs_email_domain' from raw_hubspot.contacts where id = '1' order by _load_id desc limit 1"
    assert directory.query(value) == [("x.co",)]


def test_bad_records_are_quarantined_once_and_all_is_accounted(portal: Portal, directory: Any, run: Any) -> None:
    run()
    portal.put("contacts", 1, 900)
    portal.put("contacts", 2, 901, note="x" * 1_000_000)
    portal.put("contacts", 3, 902)
    portal.objects["contacts"]["1"]["createdAt"] = "yesterday"
    portal.objects["contacts"]["3"]["archived"] = "perhaps"
    landing, _, _ = run()

    count = landing.counts["contacts"]
    assert (count.loaded, count.quarantined) == (1, 2)
    assert count.received == count.loaded + count.quarantined + count.duplicates
    rows = directory.query("select record_key, reason from raw_log.quarantine order by record_key")
    assert [row[0] for row in rows] == ["1", "3"]
    assert "created_at" in rows[0][1]
    landing, load_id, _ = run()
    assert load_id is None


def test_records_without_id_and_records_that_are_none_are_quarantined(portal: Portal, directory: Any, run: Any) -> None:
    page = [
        {"properties": {}, "updatedAt": "2026-01-01T00:00:00Z"},
        {"id": None},
        "text",
        None,
        7,
        {"id": "9", "updatedAt": "2026-01-01T00:00:00Z"},
    ]
    portal.faults = [("objects/tasks", lambda: JSONResponse({"results": page}))]
    landing, _, _ = run()

    count = landing.counts["tasks"]
    assert (count.received, count.loaded, count.quarantined) == (6, 1, 5)


def test_a_failure_keeps_nothing_and_the_next_run_goes_on(portal: Portal, directory: Any, run: Any) -> None:
    portal.faults = [("objects/emails", lambda: JSONResponse({"category": "MISSING_SCOPES", "message": "no"}, 403))]
    with pytest.raises(SourceError, match=r"emails answered 403 \(MISSING_SCOPES no\).*sales-email-read.*'objects'"):
        run()
    assert directory.query("select count(*) from raw_hubspot.contacts") == [(0,)]
    assert not (directory.company.work_dir / "hubspot-pages").exists()

    assert _loaded(run()[0])["contacts"] == 120


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (401, {"category": "INVALID_AUTHENTICATION", "message": "bad"}, "secrets.toml"),
        (530, {}, "secrets.toml"),
        (
            403,
            {
                "category": "MISSING_SCOPES",
                "errors": [{"context": {"requiredGranularScopes": ["crm.objects.deals.read"]}}],
            },
            "scope crm.objects.deals.read",
        ),
        (429, {"errorType": "RATE_LIMIT", "policyName": "DAILY", "message": "limit"}, "daily limit"),
        (400, {"category": "VALIDATION_ERROR", "message": "bad"}, "request is at fault"),
    ],
)
def test_errors_say_what_to_do(portal: Portal, run: Any, status: int, body: Any, expected: str) -> None:
    portal.faults = [("objects/deals", lambda: JSONResponse(body, status))]

    with pytest.raises(SourceError, match=expected):
        run()


def test_a_listing_that_turns_in_a_circle_is_refused(portal: Portal, run: Any) -> None:
    circle = {"results": [], "paging": {"next": {"after": "5"}}}
    portal.faults = [("objects/deals", lambda: JSONResponse(circle))] * 2

    with pytest.raises(SourceError, match="came twice"):
        run()


def test_a_record_that_two_pages_show_is_loaded_once(portal: Portal, directory: Any, run: Any) -> None:
    twice = {"results": [*portal.objects["deals"].values()] * 2}
    portal.faults = [("objects/deals", lambda: JSONResponse(twice))]
    landing, _, _ = run()

    count = landing.counts["deals"]
    assert (count.received, count.loaded, count.duplicates) == (240, 120, 120)
    assert directory.query("select count(*), count(distinct id) from raw_hubspot.deals") == [(120, 120)]


def test_links_beyond_the_first_page_of_a_record(portal: Portal, directory: Any, run: Any) -> None:
    portal.link("deals", 1001, "contacts", *range(1, 1201))
    run()

    assert directory.query("select len(to_ids) from raw_hubspot.associations where from_id = '1001'") == [(1200,)]


def test_changed_owners_and_pipelines_are_loaded_as_new_versions(portal: Portal, directory: Any, run: Any) -> None:
    run()
    portal.owner_list[0]["archived"] = True
    portal.pipeline_list[0]["stages"].append({"id": "closedwon", "label": "Won"})

    assert _loaded(run()[0]) == {"owners": 1, "pipelines": 1}
    assert directory.query("select is_archived from raw_hubspot.owners order by _load_id") == [(False,), (True,)]
    assert run()[1] is None


def test_without_the_right_to_list_properties_the_mapped_ones_are_read(
    portal: Portal, directory: Any, run: Any
) -> None:
    (directory.root / "sources" / "hubspot.yml").write_text("fields:\n  contacts: {area: region}\n", encoding="utf-8")
    portal.put("contacts", 1, 1, region="west", branch="north")
    portal.faults = [("properties/", lambda: JSONResponse({"category": "MISSING_SCOPES"}, 403))] * 3
    run()

    read = "select record ->> '$.properties.region', record ->> '$.properties.branch' from raw_hubspot.contacts where id = '1'"
    assert directory.query(read) == [("west", None)]


@pytest.mark.parametrize("status", [403, 404])
def test_an_object_that_the_account_lacks_is_no_failure(
    portal: Portal, directory: Any, run: Any, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    portal.faults = [("objects/quotes", lambda: JSONResponse({"message": "no such object"}, status))]
    landing, load_id, _ = run(objects=["contacts", "quotes"])

    assert load_id and _loaded(landing)["contacts"] == 120
    assert "quotes are not read, everything else is" in caplog.text
    portal.put("quotes", 5, 1, hs_status="DRAFT")
    assert _loaded(run(objects=["contacts", "quotes"])[0]) == {"quotes": 1}


def test_owners_that_are_none_are_quarantined(portal: Portal, directory: Any, run: Any) -> None:
    portal.faults = [("owners", lambda: JSONResponse({"results": [7, {"email": "x"}, {"id": "9"}]}))]
    count = run()[0].counts["owners"]

    assert (count.received, count.loaded, count.quarantined) == (3, 1, 2)


def test_date_versions_of_the_api(directory: Any, serve: Any) -> None:
    portal = Portal("2026-03")
    portal.put("deals", 1, 1, hs_is_closed="false")
    portal.link("deals", 1, "contacts", 5)
    directory.configure("hubspot", base_url=serve(portal), api_version="2026-03")
    landing, _, _ = directory.run("hubspot")

    assert _loaded(landing) == {"deals": 1, "owners": 1, "pipelines": 1, "associations": 1}
    assert directory.run("hubspot")[1] is None


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"api_version": "v9"}, "2026-03"),
        ({"objects": ["tickets"]}, "contacts, companies"),
        ({"lead_object": "deals"}, 'expected "contacts" or "leads"'),
        ({"pages_per_part": 0}, "pages_per_part = 0"),
        ({"overlap_minutes": "ten"}, "overlap_minutes = 'ten'; expected a number above 0"),
        ({"requests_per_10_seconds": 0}, "requests_per_10_seconds = 0"),
    ],
)
def test_wrong_settings_are_refused(run: Any, settings: Any, expected: str) -> None:
    with pytest.raises(ConfigurationError, match=expected):
        run(**settings)
