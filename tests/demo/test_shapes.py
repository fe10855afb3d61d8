"""The loopback servers answer in the shapes that the vendors document: over a whole sync, and a wrong answer is refused in words."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.crms import CRMS, crm
from demo.log import CompanyLog
from demo.servers.calendly import answers as calendly_shape
from demo.servers.calendly import server as calendly
from demo.servers.hubspot import answers as hubspot_answers
from demo.servers.hubspot import server as hubspot
from demo.servers.salesforce import answers as salesforce_shape
from demo.servers.salesforce import server as salesforce
from demo.servers.salesforce.answers import results
from demo.servers.shapes import Shapes
from demo.servers.traffic import Limit, Loopback
from demo.servers.twilio import server as twilio
from demo.servers.typeform import server as typeform
from demo.simulation.simulate import simulate
from ingestion.run import extract
from salesgauge.settings import PROJECT_ROOT, Company

PLENTY = Limit(10_000, 1.0, "SECONDLY", 0)
LOG = simulate(3, 0.02)


def _server(name: str, log: CompanyLog) -> Any:
    if name == "hubspot":
        return crm(name).server(log, hubspot.HubSpotOptions(burst=PLENTY, search=PLENTY))
    if name == "salesforce":
        return crm(name).server(log, salesforce.SalesforceOptions(page=200))
    if name in CRMS:
        return crm(name).server(log)
    others: dict[str, Callable[[], Any]] = {
        "typeform": lambda: typeform.TypeformServer(typeform.TypeformState(log), typeform.TypeformOptions(rate=PLENTY)),
        "calendly": lambda: calendly.CalendlyServer(log, calendly.CalendlyOptions(rate=PLENTY)),
        "twilio": lambda: twilio.TwilioServer(log),
    }
    return others[name]()


SHAPES = {"hubspot": hubspot_answers.shapes, "salesforce": salesforce_shape.shapes}
SETTINGS = {
    "typeform": ("requests_per_second = 1000", f'access_token = "{typeform.TOKEN}"'),
    "calendly": ("requests_per_minute = 60000", f'access_token = "{calendly.TOKEN}"'),
    "twilio": (
        f'account_sid = "{twilio.ACCOUNT}"\nhistory_days = 740',
        f'api_key = "{twilio.API_KEY}"\napi_secret = "{twilio.API_SECRET}"',
    ),
}
FIXTURES = Path(os.environ.get("SALESGAUGE_FIXTURES", PROJECT_ROOT / "../shared/reference/fixtures"))
needs_fixtures = pytest.mark.skipif(not FIXTURES.is_dir(), reason="real bodies of the APIs are not here")
NAMES = ("hubspot", "typeform", "salesforce", "servicetitan", "calendly", "twilio")


class Site:
    """A company directory with one source, whose server is up."""

    def __init__(self, root: Path, name: str) -> None:
        self.root, self.name, self.server = root, name, _server(name, LOG)
        self.loop = Loopback(self.server.app)
        url = self.loop.start()
        (root / ".dlt").mkdir()
        (root / "process.yml").write_text("company: {}\n")
        config, secrets = SETTINGS.get(name, ("", ""))
        self.config = crm(name).config(url) if name in CRMS else f'[sources.{name}]\nbase_url = "{url}"\n{config}\n'
        self.write(self.config)
        (root / ".dlt" / "secrets.toml").write_text(
            crm(name).secrets() if name in CRMS else f"[sources.{name}]\n{secrets}\n"
        )

    def write(self, config: str) -> None:
        (self.root / ".dlt" / "config.toml").write_text(config)

    def sync(self) -> Any:
        return extract(Company.open(self.root, {}), None, received_at=LOG.as_of)[0]  # type: ignore[arg-type]


@pytest.fixture
def site(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    one = Site(tmp_path, request.param)
    yield one
    one.loop.stop()


@pytest.mark.parametrize("site", NAMES, indirect=True)
def test_a_whole_sync_has_the_documented_shapes(site: Site) -> None:
    for state in ("loaded", "unchanged"):
        result = site.sync()
        assert site.server.shapes.wrong == []
        assert (result.state, result.error) == (state, None)


def test_the_bulk_api_too(tmp_path: Path) -> None:
    site = Site(tmp_path, "salesforce")
    site.write(f"{site.config}bulk_from_rows = 100\n")
    result = site.sync()
    site.loop.stop()
    assert (result.state, result.error, site.server.shapes.wrong) == ("loaded", None, [])
    assert site.server.traffic.requests["jobs.create"] > 0


def _first(rows: dict[str, Any]) -> Any:
    return next(iter(rows.values()))


# server → what somebody breaks in it, and what the refusal has to name
BROKEN: dict[str, list[tuple[Callable[[Any], Any], str]]] = {
    "hubspot": [
        (lambda state: _first(state.records["contacts"]).properties.update(email=5), "properties.email"),
        (lambda state: state.owners[0].update(id=7), "results.0.id"),
    ],
    "typeform": [
        (lambda state: _first(state.responses)[0][1].update(landed_at="yesterday"), "landed_at"),
        (lambda state: _first(state.responses)[0][1]["answers"][0].update(type="boolean"), "boolean"),
        (lambda state: _first(state.responses)[0][1].pop("landing_id"), "landing_id"),
    ],
    "salesforce": [
        (lambda state: _first(state.rows["Lead"]).update(SystemModstamp="2026-07-01T05:00:00Z"), "Lead.SystemModstamp"),
        (lambda state: _first(state.rows["Opportunity"]).update(OwnerId="005"), "Opportunity.OwnerId"),
    ],
    "servicetitan": [
        (lambda state: state.rows["invoices"][0].update(total=12.5), "total"),
        (lambda state: state.rows["calls"][0].update(duration="3:10"), "duration"),
        (lambda state: state.rows["leads"][0].update(status="New"), "status"),
    ],
    "calendly": [
        (lambda state: _first(state.events).update(start_time="2026-07-01T05:00:00Z"), "start_time"),
        (lambda state: _first(state.invitees).pop("no_show"), "no_show"),
    ],
    "twilio": [
        (lambda state: state.calls[0].update(duration=5), "duration"),
        (lambda state: state.calls[0].update(date_updated="2026-07-01T05:00:00Z"), "date_updated"),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("site", "place"), [(name, place) for name in NAMES for place in range(len(BROKEN[name]))], indirect=["site"]
)
def test_a_wrong_answer_is_a_server_error_in_words(site: Site, place: int) -> None:
    break_it, named = BROKEN[site.name][place]
    break_it(site.server.state)
    result = site.sync()
    assert result.state == "failed" and "501" in result.error, result
    assert any(named in words and "in a shape that" in words for words in site.server.shapes.wrong)


def test_an_answer_without_a_shape_is_refused() -> None:
    shapes = Shapes("Vendor", (), dict[str, str])
    assert shapes.problem("/other", 200, b"{}") == "no shape is declared for this path"
    assert shapes.problem("/other", 500, b'{"message": "x"}') is None
    assert shapes.problem("/other", 500, b"<html>") is not None
    with pytest.raises(ValueError, match="line 2 has 1 values"):
        results('"Id","Name"\n"x"\n')
    with pytest.raises(ValueError, match=r"line 2: SystemModstamp is '2026-07-01'"):
        results('"SystemModstamp"\n"2026-07-01"\n')


# real body → the server whose shapes it has, its address and status
REAL = {
    "hubspot/test/search/contacts/1-first-page.json": ("hubspot", "/crm/v3/objects/contacts/search", 200),
    "hubspot/test/search/contacts/2-second-page.json": ("hubspot", "/crm/v3/objects/contacts/search", 200),
    "hubspot/test/read-via-search/contacts-response.json": ("hubspot", "/crm/v3/objects/contacts/search", 200),
    "hubspot/test/read/objects-api/contacts-response.json": ("hubspot", "/crm/v3/objects/contacts", 200),
    "hubspot/test/read/objects-api/contacts-batch.json": ("hubspot", "/crm/v3/objects/contacts/batch/read", 200),
    "hubspot/test/search/contacts/contacts-to-companies.json": ("hubspot", "/crm/v4/associations/contacts/companies/batch/read", 207),
    "hubspot/test/metadata-deals-external-pipelines.json": ("hubspot", "/crm/v3/pipelines/deals", 200),
    "hubspot/test/metadata-contacts-properties-sampled.json": ("hubspot", "/crm/v3/properties/contacts", 200),
    "hubspot/test/post-auth/account-info.json": ("hubspot", "/account-info/v3/details", 200),
    "hubspot/test/search/error-invalid-object.json": ("hubspot", "/crm/v3/objects/butterflies/search", 400),
    "hubspot/test/metadata-err-schemas-scope.json": ("hubspot", "/crm/v3/schemas", 403),
    "salesforce/test/read-list-leads.json": ("salesforce", "/services/data/v60.0/query", 200),
    "salesforce/test/read-list-contacts.json": ("salesforce", "/services/data/v60.0/query", 200),
    "salesforce/test/read-opportunity-with-account.json": ("salesforce", "/services/data/v60.0/query", 200),
    "salesforce/test/read-opportunity-with-contacts.json": ("salesforce", "/services/data/v60.0/query", 200),
    "salesforce/test/bulk/read-launch-job-account.json": ("salesforce", "/services/data/v60.0/jobs/query", 200),
    "salesforce/test/unknown-field.json": ("salesforce", "/services/data/v60.0/query", 400),
    "salesforce/test/unknown-object.json": ("salesforce", "/services/data/v60.0/query", 404),
}  # fmt: skip


@needs_fixtures
@pytest.mark.realdata
@pytest.mark.parametrize("name", REAL)
def test_real_bodies_have_the_shapes(name: str) -> None:
    vendor, path, status = REAL[name]
    assert SHAPES[vendor]().problem(path, status, (FIXTURES / name).read_bytes()) is None


@needs_fixtures
@pytest.mark.realdata
def test_a_real_description_has_the_shape() -> None:
    composite = json.loads((FIXTURES / "salesforce/test/metadata/read/accounts-sampled.json").read_text())
    for one in composite["compositeResponse"]:
        body = json.dumps(one["body"]).encode()
        problem = salesforce_shape.shapes().problem("/services/data/v60.0/sobjects/Account/describe", 200, body)
        assert problem is None


@needs_fixtures
@pytest.mark.realdata
def test_calendly_has_the_documented_members() -> None:
    objects = json.loads((FIXTURES / "calendly/schemas.json").read_text())["modules"]["root"]["objects"]
    for name, shape in (
        ("scheduled_events", calendly_shape.Event),
        ("event_types", calendly_shape.EventType),
        ("organization_memberships", calendly_shape.Membership),
        ("routing_forms", calendly_shape.RoutingForm),
    ):
        documented = set(objects[name]["fields"])
        required = {member for member, info in shape.model_fields.items() if info.is_required()}
        assert required <= documented, name
        if shape.model_config["extra"] == "forbid":
            assert documented <= set(shape.model_fields), name
