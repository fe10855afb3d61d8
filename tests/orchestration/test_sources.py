"""What people are told of their sources: state, credentials, what is not mapped, which metrics there can be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

import demo.company
from demo.crms.hubspot import server
from demo.log import CompanyLog
from demo.serve import DemoServers
from demo.servers.hubspot import HubSpotOptions
from demo.servers.traffic import Limit
from demo.simulate import simulate
from demo.truth import METRICS
from ingestion.run import extract
from orchestration.availability import availability, needs
from orchestration.cli import main
from orchestration.sources import about, check, sources, unmapped
from salesgauge.settings import API_SOURCES, Company

PLENTY = Limit(10_000, 1.0, "SECONDLY", 0)


@pytest.fixture(scope="module")
def log() -> CompanyLog:
    return simulate(9, 0.02)


@pytest.fixture
def company(tmp_path: Path, log: CompanyLog) -> Iterator[Company]:
    with DemoServers(log, crm_server=server(log, HubSpotOptions(burst=PLENTY, search=PLENTY))) as servers:
        demo.company.write(tmp_path, log, crm_url=servers.crm_url, typeform_url=servers.typeform_url)
        yield Company.open(tmp_path, environ={})


def test_the_list_says_what_is_on_and_what_to_do(company: Company, log: CompanyLog) -> None:
    before = {one.name: one for one in sources(company, log.as_of)}
    assert before["hubspot"].state == "waiting" and before["hubspot"].next_step == "salesgauge run"
    assert before["salesforce"].state == "off"
    assert "instance_url, client_id, client_secret" in before["salesforce"].next_step
    extract(company, None, received_at=log.as_of, names=["typeform"])  # type: ignore[arg-type]
    after = {one.name: one for one in sources(company, log.as_of + timedelta(hours=3))}
    assert after["typeform"].state == "loaded" and after["typeform"].lag == timedelta(hours=3)
    assert after["typeform"].rows > 10
    output = CliRunner().invoke(main, ["--company", str(company.root), "sources"], env={"COLUMNS": "240"}).output
    assert "Typeform" in output and "docs/sources/salesforce.md" in output


def test_every_connector_says_what_it_is() -> None:
    known = {name: one for name in API_SOURCES if (one := about(name)) is not None}
    assert {"hubspot", "salesforce", "ga4", "typeform"} <= set(known)
    for name, one in known.items():
        assert one.name == name and one.provides and one.requests_when_unchanged
        assert set(one.limits) <= set(METRICS)
        assert Path(__file__).parents[2].joinpath(one.docs).is_file(), one.docs


@pytest.mark.parametrize("name", ["hubspot", "typeform"])
def test_a_check_says_what_is_missing(company: Company, name: str) -> None:
    assert [finding for finding in check(company, [name])[name] if not finding.is_ok] == []
    file = company.root / ".dlt" / "secrets.toml"
    good = file.read_text()
    file.write_text(good.replace("access_token", "other"))
    (finding,) = check(Company.open(company.root, {}), [name])[name]
    assert not finding.is_ok and f"the secret 'access_token' of source '{name}' is missing" in finding.advice
    file.write_text(good.replace('token = "', 'token = "x'))
    found = check(Company.open(company.root, {}), [name])[name]
    assert "does not accept the token" in found[-1].advice and len(found) == 1
    file.write_text(good)
    config = company.root / ".dlt" / "config.toml"
    text = config.read_text()
    for port, words in (("9/", "no complete answer"), ("99999/", "base_url must look like")):
        config.write_text(re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{port}", text))
        found = check(Company.open(company.root, {}), [name])[name]
        assert not found[0].is_ok and words in found[0].advice and len(found) == 1


def test_what_is_not_mapped_comes_with_an_entry_to_write(company: Company) -> None:
    company.published_dir.mkdir(parents=True)
    with duckdb.connect(company.published_dir / "salesgauge.duckdb") as con:
        con.execute("create schema kpi; create schema marts")
        con.execute("create table kpi.kpi_unmapped_stages (source text, pipeline text, source_stage text, records int)")
        con.execute(
            "insert into kpi.kpi_unmapped_stages values ('hubspot', 'default', 'Proposal sent', 7), ('hubspot', null, 'zzz', 9)"
        )
        con.execute("create table marts.dim_user (user_id text, team text, branch text)")
        con.execute(
            "insert into marts.dim_user values ('hubspot:1', 'East', null), ('hubspot:2', 'East', null), ('hubspot:3', 'West', 'west')"
        )
        con.execute("create table marts.fct_lead (source text, campaign text, channel text)")
        con.execute(
            "insert into marts.fct_lead values ('hubspot', 'a', null), ('hubspot', 'b', null), ('hubspot', 'b', 'mail')"
        )
    found = [(one.kind, one.value, one.records, one.proposal) for one in unmapped(company)]
    assert found == [
        ("stage", "zzz", 9, "process.yml: stage_mapping: hubspot: *: {zzz: <stage>}"),
        ("stage", "Proposal sent", 7, "process.yml: stage_mapping: hubspot: default: {Proposal sent: proposal}"),
        ("owner", "East", 2, "sources/hubspot.yml: teams: {East: <branch>}"),
        ("campaign", "a", 1, "none of its leads has a channel: fill it in where leads are made"),
    ]


def test_a_stage_that_the_source_names_is_proposed_by_its_name_or_kind(company: Company) -> None:
    company.published_dir.mkdir(parents=True)
    with duckdb.connect(company.published_dir / "salesgauge.duckdb") as con:
        con.execute("create schema kpi; create schema marts")
        columns = "source text, pipeline text, source_stage text, label text, kind text, records int"
        con.execute(f"create table kpi.kpi_unmapped_stages ({columns})")
        con.execute(
            "insert into kpi.kpi_unmapped_stages values ('hubspot', 'p', '101', 'Proposal out', 'open', 7), "
            "('hubspot', 'p', '102', 'Abgesagt', 'lost', 5), ('hubspot', 'p', '103', null, null, 3)"
        )
        con.execute("create table marts.dim_user (user_id text, team text, branch text)")
        con.execute("create table marts.fct_lead (source text, campaign text, channel text)")
    assert [(one.value, one.proposal) for one in unmapped(company)] == [
        ("101 (Proposal out)", "process.yml: stage_mapping: hubspot: p: {101: proposal}"),
        ("102 (Abgesagt)", "process.yml: stage_mapping: hubspot: p: {102: lost}"),
        ("103", "process.yml: stage_mapping: hubspot: p: {103: <stage>}"),
    ]


def test_metrics_need_what_they_are_made_of() -> None:
    assert all(needs(metric) for metric in METRICS)
    abouts = [one for name in ("salesforce", "ga4") if (one := about(name)) is not None]
    found = {one.metric: one for one in availability(METRICS, abouts, [])}
    assert found["win_rate"].is_available and found["win_rate"].reason == ""
    assert "no source gives survey answers" in found["nps"].reason and not found["nps"].is_available
    assert found["speed_to_lead_median_minutes"].is_available
    assert "to the second" in found["speed_to_lead_median_minutes"].reason
    assert all(one.is_available for one in availability(METRICS, abouts, ["survey_answers"]))
    only_deals = {one.metric: one.is_available for one in availability(METRICS, [], ["deals"])}
    assert only_deals["crm_completeness"] and only_deals["stage_conversion_rate"] and not only_deals["leads_created"]


def test_the_clock_of_the_list_is_passed_in(company: Company) -> None:
    assert {one.lag for one in sources(company, datetime(2030, 1, 1))} == {None}
