"""The loopback HubSpot keeps to the fact sheet: shapes, pages, limits, errors."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import requests

from demo.crms.hubspot import server
from demo.log import CompanyLog
from demo.serve import DemoServers
from demo.servers.hubspot.search import CAP, BadRequest, search
from demo.servers.hubspot.server import TOKEN, HubSpotOptions
from demo.servers.traffic import Limit, Window

PLENTY = Limit(100_000, 1.0, "TEN_SECONDLY_ROLLING")
Call = Callable[..., requests.Response]
HISTORY = "dealstage,pipeline,amount,closedate,hubspot_owner_id"


def walk(hubspot: Call, path: str, params: dict[str, Any]) -> list[dict[str, Any]]:
    """All records of a listing, page by page."""
    records: list[dict[str, Any]] = []
    after: str | None = None
    while True:
        body = hubspot("GET", path, params={**params, **({"after": after} if after else {})}).json()
        records += body["results"]
        after = body.get("paging", {}).get("next", {}).get("after")
        if after is None:
            return records


@pytest.mark.parametrize("path", ["/crm/v3/objects/deals", "/crm/objects/2026-03/deals"])
def test_listing_walks_all_live_records_once_in_the_order_of_ids(
    hubspot: Call, servers: DemoServers, path: str
) -> None:
    records = walk(hubspot, path, {"limit": 7})
    ids = [int(record["id"]) for record in records]
    live = [record for record in servers.crm.state.records["deals"].values() if record.archived_at is None]
    assert ids == sorted(ids)
    assert set(ids) == {int(record.id) for record in live}
    assert len(ids) > 50


def test_archived_records_are_listed_apart(hubspot: Call, servers: DemoServers) -> None:
    for kind in ("contacts", "deals"):
        archived = walk(hubspot, f"/crm/v3/objects/{kind}", {"limit": 100, "archived": "true"})
        expected = {one.id for one in servers.crm.state.records[kind].values() if one.archived_at is not None}
        assert {record["id"] for record in archived} == expected
        assert all(record["archived"] is True and record["archivedAt"].endswith("Z") for record in archived)
    assert expected


def test_shape_of_a_record_with_history(hubspot: Call) -> None:
    params = {
        "limit": 50,
        "properties": "dealname,dealstage,amount,nonsense",
        "propertiesWithHistory": HISTORY,
        "associations": "contacts",
    }
    body = hubspot("GET", "/crm/v3/objects/deals", params=params).json()
    record = max(body["results"], key=lambda one: len(one["propertiesWithHistory"]["dealstage"]))
    assert set(record) >= {"id", "properties", "propertiesWithHistory", "createdAt", "updatedAt", "archived", "url"}
    assert isinstance(record["id"], str)
    assert "nonsense" not in record["properties"]
    assert record["properties"]["hs_object_id"] == record["id"]
    assert record["properties"]["hs_lastmodifieddate"] == record["updatedAt"]
    stages = record["propertiesWithHistory"]["dealstage"]
    assert [one["timestamp"] for one in stages] == sorted((one["timestamp"] for one in stages), reverse=True)
    assert stages[0]["value"] == record["properties"]["dealstage"]
    assert set(stages[0]) >= {"value", "timestamp", "sourceType"}
    linked = [one for one in body["results"] if "associations" in one]
    assert linked[0]["associations"]["contacts"]["results"][0]["type"] == "deal_to_contact"
    assert body["paging"]["next"]["link"].startswith("https://api.hubapi.com/crm/v3/objects/deals?")


def test_null_and_absent_values(hubspot: Call) -> None:
    contacts = walk(
        hubspot, "/crm/v3/objects/contacts", {"limit": 100, "properties": "branch,is_test,email,hs_merged_object_ids"}
    )
    assert any(record["properties"]["branch"] is None for record in contacts)
    assert {record["properties"]["is_test"] for record in contacts} >= {None}
    assert any(record["properties"]["hs_merged_object_ids"] for record in contacts)
    assert all(
        value is None or isinstance(value, str) for record in contacts for value in record["properties"].values()
    )


@pytest.mark.parametrize(
    ("method", "path", "options"),
    [
        ("GET", "/crm/v3/objects/deals", {"params": {"limit": 101}}),
        ("GET", "/crm/v3/objects/deals", {"params": {"limit": 51, "propertiesWithHistory": "dealstage"}}),
        ("GET", "/crm/v3/objects/deals", {"params": {"after": "x"}}),
        ("GET", "/crm/v3/objects/butterflies", {}),
        ("POST", "/crm/v3/objects/deals/batch/read", {"json": {"inputs": [{"id": str(n)} for n in range(101)]}}),
        ("POST", "/crm/v3/objects/deals/batch/read", {"json": {"inputs": []}}),
        ("POST", "/crm/v3/objects/deals/search", {"json": {"limit": 201}}),
        ("POST", "/crm/v3/objects/deals/search", {"json": {"limit": 200, "after": "9801"}}),
        ("POST", "/crm/v3/objects/deals/search", {"data": "{"}),
        ("POST", "/crm/v4/associations/deals/contacts/batch/read", {"json": {"inputs": [{"id": "1"}] * 1001}}),
        ("GET", "/crm/v3/owners", {"params": {"limit": 501}}),
    ],
)
def test_requests_against_the_rules_are_refused(hubspot: Call, method: str, path: str, options: dict[str, Any]) -> None:
    answer = hubspot(method, path, **options)
    assert answer.status_code == 400
    body = answer.json()
    assert body["status"] == "error"
    assert body["message"]
    assert body["correlationId"]


def test_a_token_is_needed(hubspot: Call) -> None:
    answer = hubspot("GET", "/crm/v3/objects/deals", headers={"Authorization": "Bearer wrong"})
    assert answer.status_code == 401
    assert answer.json()["category"] == "INVALID_AUTHENTICATION"
    assert hubspot("GET", "/crm/objects/2019-03/deals").status_code == 404


def test_batch_read_answers_207_for_unknown_ids(hubspot: Call, servers: DemoServers) -> None:
    known = [record.id for record in servers.crm.state.records["deals"].values() if record.archived_at is None][:3]
    body: dict[str, Any] = {
        "inputs": [{"id": one} for one in [*known, "1"]],
        "properties": ["amount"],
        "propertiesWithHistory": ["dealstage"],
    }
    answer = hubspot("POST", "/crm/v3/objects/deals/batch/read", json=body)
    assert answer.status_code == 207
    assert [one["id"] for one in answer.json()["results"]] == known
    assert answer.json()["errors"][0]["category"] == "OBJECT_NOT_FOUND"
    assert answer.json()["errors"][0]["context"]["ids"] == ["1"]
    whole = hubspot("POST", "/crm/objects/2026-03/deals/batch/read", json={**body, "inputs": body["inputs"][:3]})
    assert whole.status_code == 200
    assert "errors" not in whole.json()
    assert whole.json()["results"][0]["propertiesWithHistory"]["dealstage"]
    assert hubspot("GET", f"/crm/v3/objects/deals/{known[0]}").json()["id"] == known[0]
    assert hubspot("GET", "/crm/v3/objects/deals/1").status_code == 404


def test_search_filters_sorts_and_pages(hubspot: Call, servers: DemoServers) -> None:
    calls = [one for one in servers.crm.state.records["calls"].values() if one.archived_at is None]
    cut = sorted(one.properties["hs_lastmodifieddate"] for one in calls)[len(calls) // 2]
    body: dict[str, Any] = {
        "filterGroups": [{"filters": [{"propertyName": "hs_lastmodifieddate", "operator": "GTE", "value": cut}]}],
        "sorts": [{"propertyName": "hs_lastmodifieddate", "direction": "ASCENDING"}],
        "properties": ["hs_call_status"],
        "limit": 200,
    }
    found: list[dict[str, Any]] = []
    while True:
        answer = hubspot("POST", "/crm/v3/objects/calls/search", json=body).json()
        found += answer["results"]
        if "paging" not in answer:
            break
        body["after"] = answer["paging"]["next"]["after"]
    dates = [one["properties"]["hs_lastmodifieddate"] for one in found]
    assert dates == sorted(dates)
    assert len(found) == answer["total"] == sum(one.properties["hs_lastmodifieddate"] >= cut for one in calls)
    assert "propertiesWithHistory" not in found[0]


def test_search_by_id_within_one_millisecond_and_from_the_epoch(hubspot: Call, servers: DemoServers) -> None:
    records = servers.crm.state.records["deals"].values()
    at = next(one.properties["hs_lastmodifieddate"] for one in records if one.archived_at is None)
    same = [
        {"propertyName": "hs_lastmodifieddate", "operator": "EQ", "value": at},
        {"propertyName": "hs_object_id", "operator": "GT", "value": "1"},
    ]
    answer = hubspot("POST", "/crm/v3/objects/deals/search", json={"filterGroups": [{"filters": same}]}).json()
    assert answer["total"] >= 1
    assert all(one["properties"]["hs_lastmodifieddate"] == at for one in answer["results"])
    epoch = [{"propertyName": "hs_lastmodifieddate", "operator": "GTE", "value": "0"}]
    assert (
        hubspot("POST", "/crm/v3/objects/deals/search", json={"filterGroups": [{"filters": epoch}]}).status_code == 500
    )


def test_search_stops_at_ten_thousand(full: CompanyLog) -> None:
    from demo.servers.hubspot.state import HubSpotState

    calls = HubSpotState(full).records["calls"]
    cache: dict[Any, Any] = {}
    assert len(calls) > CAP
    page, total, following = search(calls, {"limit": 200, "after": "9800"}, cache)
    assert (len(page), total, following) == (200, len(calls), 10_000)
    with pytest.raises(BadRequest, match="10000"):
        search(calls, {"limit": 200, "after": "10000"}, cache)


@pytest.mark.parametrize("root", ["/crm/v4/associations", "/crm/associations/2026-03"])
def test_associations_with_pages_and_those_without_links(hubspot: Call, servers: DemoServers, root: str) -> None:
    links = servers.crm.state.links["contacts", "calls"]
    one, many = next(iter(links)), max(links, key=lambda contact: len(links[contact]))
    answer = hubspot(
        "POST", f"{root}/contacts/calls/batch/read", json={"inputs": [{"id": one}, {"id": many}, {"id": "5"}]}
    )
    assert answer.status_code == 207
    body = answer.json()
    assert body["errors"][0]["subCategory"] == "crm.associations.NO_ASSOCIATIONS_FOUND"
    assert body["errors"][0]["context"]["fromObjectId"] == ["5"]
    assert body["numErrors"] == 1
    found: list[str] = []
    element = next(element for element in body["results"] if element["from"]["id"] == many)
    assert isinstance(element["to"][0]["toObjectId"], int)
    assert element["to"][0]["associationTypes"][0]["typeId"] == 193
    while True:
        found += [str(to["toObjectId"]) for to in element["to"]]
        if "paging" not in element:
            break
        after = element["paging"]["next"]["after"]
        answer = hubspot("POST", f"{root}/contacts/calls/batch/read", json={"inputs": [{"id": many, "after": after}]})
        element = answer.json()["results"][0]
    assert answer.status_code == 200
    assert found == links[many]
    assert len(found) > 3


def test_pipelines_owners_properties_account(hubspot: Call) -> None:
    pipelines = hubspot("GET", "/crm/v3/pipelines/deals").json()["results"]
    assert [stage["id"] for stage in pipelines[0]["stages"]] == [
        "consultation_booked", "consultation_done", "quote_sent", "closedwon", "closedlost", "closed_disqualified",
    ]  # fmt: skip
    won = [s for s in pipelines[0]["stages"] if s["metadata"] == {"isClosed": "true", "probability": "1.0"}]
    assert [stage["id"] for stage in won] == ["closedwon"]
    active = walk(hubspot, "/crm/v3/owners", {"limit": 5})
    archived = walk(hubspot, "/crm/owners/2026-03", {"limit": 500, "archived": "true"})
    assert (len(active), len(archived)) == (13, 1)
    assert active[0]["teams"][0]["name"]
    defined = {one["name"]: one for one in hubspot("GET", "/crm/v3/properties/deals").json()["results"]}
    assert defined["budget_band"]["hubspotDefined"] is False
    assert defined["dealstage"]["hubspotDefined"] is True
    account = hubspot("GET", "/account-info/v3/details").json()
    assert (account["timeZone"], account["companyCurrency"]) == ("America/Chicago", "USD")


def test_the_servers_clock_is_the_logs(hubspot: Call, small: CompanyLog) -> None:
    date = hubspot("GET", "/account-info/2026-03/details").headers["Date"]
    assert parsedate_to_datetime(date).replace(tzinfo=None) == small.as_of


def test_limits_scopes_and_counts(small: CompanyLog, caller: Callable[[str, str], Call]) -> None:
    options = HubSpotOptions(
        burst=Limit(3, 3600.0, "TEN_SECONDLY_ROLLING", retry_after=None), search=PLENTY, denied=frozenset({"emails"})
    )
    with DemoServers(small, crm_server=server(small, options)) as running:
        hubspot = caller(running.crm_url, TOKEN)
        denied = hubspot("GET", "/crm/v3/objects/emails")
        assert denied.status_code == 403
        assert denied.json()["category"] == "MISSING_SCOPES"
        first = hubspot("GET", "/crm/v3/objects/deals", params={"limit": 5})
        assert first.headers["X-HubSpot-RateLimit-Max"] == "3"
        assert first.headers["X-HubSpot-RateLimit-Remaining"] == "1"
        hubspot("GET", "/crm/v3/objects/deals", params={"limit": 5})
        refused = hubspot("GET", "/crm/v3/objects/deals")
        assert refused.status_code == 429
        assert refused.json()["policyName"] == "TEN_SECONDLY_ROLLING"
        assert refused.json()["errorType"] == "RATE_LIMIT"
        assert "Retry-After" not in refused.headers
        assert hubspot("POST", "/crm/v3/objects/deals/search", json={}).status_code == 200  # counted apart
        stats = requests.get(running.crm_url + "/__stats", timeout=10).json()
        assert stats["requests"] == {"deals.list": 2, "deals.search": 1}
        assert stats["records"] == {"deals.list": 10, "deals.search": 10}
        assert stats["refused"] == {"deals": 1}
        assert stats["served_twice"]["deals"] == 5
        requests.post(running.crm_url + "/__stats", timeout=10)
        assert not running.crm.traffic.requests


def test_each_nth_request_is_refused_where_wanted(small: CompanyLog, caller: Callable[[str, str], Call]) -> None:
    options = HubSpotOptions(burst=PLENTY, search=PLENTY, refuse_every=3)
    with DemoServers(small, crm_server=server(small, options)) as running:
        hubspot = caller(running.crm_url, TOKEN)
        codes = [hubspot("GET", "/crm/v3/owners").status_code for _ in range(6)]
        assert codes == [200, 200, 429, 200, 200, 429]


def test_a_window_lets_requests_pass_again() -> None:
    now = [0.0]
    window = Window(Limit(2, 10.0, "TEN_SECONDLY_ROLLING"), clock=lambda: now[0])
    assert [window.take(), window.take(), window.take()] == [True, True, False]
    now[0] = 9.9
    assert not window.take()
    now[0] = 10.0
    assert window.take()


def test_a_port_that_is_taken_is_said_and_nothing_is_left_running(small: CompanyLog) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        running = DemoServers(small, typeform_port=taken.getsockname()[1])
        with pytest.raises(RuntimeError, match="taken"):
            running.start()
        assert running_threads(running) == []


def running_threads(servers: DemoServers) -> list[threading.Thread]:
    """The threads of the two servers that live."""
    return [one._thread for one in servers._running if one._thread.is_alive()]


@pytest.mark.parametrize("version", ["v3", "2026-03"])
def test_what_not_every_account_has(small: CompanyLog, caller: Callable[[str, str], Call], version: str) -> None:
    """Objects that were not bought are refused; forms page with an opaque cursor, newest first; deleted stages keep their audit."""

    def area(name: str) -> str:
        return f"/crm/v3/{name}" if version == "v3" else f"/crm/{name}/{version}"

    options = HubSpotOptions(
        burst=PLENTY, search=PLENTY, extras=frozenset({"leads", "forms"}), deleted_stages=frozenset({"quote_sent"})
    )
    with DemoServers(small, crm_server=server(small, options)) as running:
        hubspot = caller(running.crm_url, TOKEN)
        history = {"limit": 50, "properties": "hs_lead_name,nonsense", "propertiesWithHistory": "hs_pipeline_stage"}
        lead = hubspot("GET", f"{area('objects')}/leads", params=history).json()["results"][0]
        assert lead["properties"]["hs_lead_name"] and "nonsense" not in lead["properties"]
        linked = hubspot(
            "POST",
            ("/crm/v4/associations" if version == "v3" else f"/crm/associations/{version}")
            + "/leads/contacts/batch/read",
            json={"inputs": [{"id": lead["id"]}]},
        ).json()["results"]
        assert linked[0]["to"][0]["toObjectId"] == int(lead["id"]) - 810_000_000
        refused = hubspot("GET", f"{area('objects')}/quotes")
        assert refused.status_code == 403
        assert refused.json()["context"]["requiredGranularScopes"] == ["crm.objects.quotes.read"]

        stages = hubspot("GET", f"{area('pipelines')}/deals").json()["results"][0]["stages"]
        assert "quote_sent" not in {stage["id"] for stage in stages}
        entries = hubspot("GET", f"{area('pipelines')}/deals/default/stages/quote_sent/audit").json()["results"]
        assert [entry["action"] for entry in entries] == ["DELETE", "CREATE"]
        assert entries[1]["rawObject"]["label"] == "Quote sent"
        assert hubspot("GET", f"{area('pipelines')}/deals/default/audit").status_code == 200
        assert hubspot("GET", f"{area('pipelines')}/deals/default/stages/never/audit").status_code == 404

        known = {form["name"]: form["id"] for form in hubspot("GET", "/marketing/v3/forms").json()["results"]}
        path = "/form-integrations/v1/submissions/forms/"
        sent = walk(hubspot, path + known["Request a visit"], {"limit": 7})
        moments = [one["submittedAt"] for one in sent]
        assert len({one["conversionId"] for one in sent}) == len(sent) > 7 and moments == sorted(moments, reverse=True)
        assert {"name", "value"} <= set(sent[0]["values"][0])
        wrong = hubspot("GET", path + known["Comments"])
        assert wrong.status_code == 400 and wrong.json()["errors"][0]["errorType"] == "FORM_TYPE_NOT_ALLOWED"
        assert hubspot("GET", path + known["Request a visit"], params={"limit": 51}).status_code == 400
