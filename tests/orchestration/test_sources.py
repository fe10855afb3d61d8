"""What people are told of their sources: state, credentials, what is not mapped, which metrics there can be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner

import demo.company
from demo.crms.hubspot import server
from demo.log import CompanyLog
from demo.serve import DemoServers
from demo.servers.hubspot.server import HubSpotOptions
from demo.servers.traffic import Limit
from demo.servers.typeform.server import TypeformState
from demo.simulation.simulate import simulate
from ingestion import outcomes
from ingestion.catalogue import about
from ingestion.connector.about import About
from ingestion.landing.load import Landing
from ingestion.rawlog.accounting import SourceResult
from ingestion.run import extract
from ingestion.sources import hubspot
from ingestion.sources.typeform.tables import RESPONSES
from orchestration.availability import Availability, at_hand, availability
from orchestration.cli import main
from orchestration.sources import Source, check, metrics, sources, unmapped
from salesgauge.errors import ConfigurationError
from salesgauge.kpis import kpis
from salesgauge.process import Process
from salesgauge.settings import API_SOURCES, Company, SourceSettings
from salesgauge.yaml_file import load_yaml
from tests.metrics import facts

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


def _state(company: Company, name: str, now: datetime) -> Source:
    return next(one for one in sources(Company.open(company.root, {}), now) if one.name == name)


def _edit(company: Company, file: str, before: str, after: str) -> None:
    path = company.root / ".dlt" / f"{file}.toml"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def test_a_source_goes_through_its_states(company: Company, log: CompanyLog) -> None:
    def sync(hours: int) -> Source:
        at = log.as_of + timedelta(hours=hours)
        extract(Company.open(company.root, {}), None, received_at=at, names=["typeform"])  # type: ignore[arg-type]
        return _state(company, "typeform", at + timedelta(minutes=30))

    first = sync(0)
    assert (first.state, first.reason, first.failed_at, first.next_step) == ("loaded", "", None, "")
    assert first.last_rows == first.rows > 10 and first.last_quarantined == 0
    newest = max(at for rows in company_responses(log) for at, _ in rows)
    assert first.data_lag == log.as_of + timedelta(minutes=30) - newest
    again = sync(5)  # nothing new: no load, but a sync all the same
    assert (again.state, again.last_load) == ("loaded", first.last_load)
    assert again.lag == timedelta(minutes=30)

    _edit(company, "secrets", "demo-typeform-token", "wrong-typeform-token")
    failed = sync(7)
    assert (failed.state, failed.failed_at) == ("failed", log.as_of + timedelta(hours=7))
    assert "does not accept the token" in failed.reason and "wrong-typeform" not in failed.reason
    assert failed.lag == timedelta(hours=2, minutes=30) and failed.rows == first.rows
    assert failed.next_step == "salesgauge sources check typeform"
    assert "wrong-typeform" not in (company.outcomes_dir / "typeform.json").read_text()

    _edit(company, "secrets", "wrong-typeform-token", "demo-typeform-token")
    _edit(company, "config", "requests_per_second = 18", "requests_per_second = -1")
    wrong = sync(8)
    assert (wrong.state, wrong.last_load) == ("misconfigured", first.last_load) and "above 0" in wrong.reason
    _edit(company, "config", "requests_per_second = -1", "requests_per_second = 18")
    _edit(company, "secrets", "demo-typeform-token", "")
    missing = sync(9)
    assert missing.state == "not configured" and "needs access_token" in missing.next_step


def company_responses(log: CompanyLog) -> list[list[tuple[datetime, dict]]]:
    """The responses of the company's forms, as its server has them."""
    return [rows for (_, kind), rows in TypeformState(log).responses.items() if kind in ("completed", "partial")]


def test_what_is_left_of_a_failure_is_mended_by_the_next_sync(company: Company, log: CompanyLog) -> None:
    at = log.as_of
    outcomes.save(company, SourceResult("typeform", "failed", error="typeform: down"), at)
    assert _state(company, "typeform", at).state == "failed"
    (company.outcomes_dir / "typeform.json").write_text('{"at": "20')  # of a disk that was full
    assert _state(company, "typeform", at).state == "waiting"
    extract(company, None, received_at=at, names=["typeform"])  # type: ignore[arg-type]
    assert _state(company, "typeform", at).state == "loaded"
    # a run that was killed after it had loaded: what is in the raw log counts
    outcomes.save(company, SourceResult("typeform", "failed", error="typeform: down"), at - timedelta(hours=1))
    assert _state(company, "typeform", at).state == "loaded"
    assert [path.name for path in company.outcomes_dir.iterdir()] == ["typeform.json"]


def test_a_first_load_that_ended_midway_is_not_called_loaded(company: Company, log: CompanyLog) -> None:
    file = company.root / "responses.jsonl"
    file.write_text(
        '{"response_id": "1", "form_id": "a", "landed_at": "2026-01-01T00:00:00Z", "submitted_at": "2026-01-01T00:00:00Z", "response_type": "completed"}\n'
    )
    with Landing(company, "typeform", received_at=log.as_of) as landing:  # a run that was killed after its first part
        landing.records(RESPONSES, [file])
        landing.cursor("responses", {"part": 1})
        landing.keep()
    shown = _state(company, "typeform", log.as_of)
    assert (shown.state, shown.lag, shown.rows) == ("in parts", None, 1) and "goes on" in shown.next_step
    outcomes.save(company, SourceResult("typeform", "failed", error="typeform: down"), log.as_of)
    assert _state(company, "typeform", log.as_of).state == "failed"


def test_a_choice_of_credentials_needs_those_that_were_chosen(tmp_path: Path) -> None:
    (tmp_path / ".dlt").mkdir()
    (tmp_path / "process.yml").write_text("company: {}\n")
    known = about("calendly")
    assert known is not None
    for config, needed in (
        ("", ["access_token"]),
        ("use_oauth = true\n", ["client_id", "client_secret", "refresh_token"]),
    ):
        (tmp_path / ".dlt" / "config.toml").write_text(f"[sources.calendly]\n{config}")
        assert [one.key for one in known.missing(Company.open(tmp_path, {}).source("calendly"))] == needed
    variables = {f"SOURCES__CALENDLY__{key.upper()}": "from-the-environment" for key in needed}
    assert known.missing(Company.open(tmp_path, variables).source("calendly")) == []


def test_a_database_without_its_address_is_not_configured(company: Company, log: CompanyLog) -> None:
    (company.root / "sources" / "old.yml").write_text("tables:\n  - table: deals\n    entity: deals\n")
    found = _state(company, "old", log.as_of)
    assert (found.state, found.label) == ("not configured", "database tables")
    assert found.next_step == "needs connection; see docs/sources/databases.md"


@pytest.mark.parametrize("width", [80, 160])
def test_the_list_fits_the_screen(company: Company, log: CompanyLog, width: int) -> None:
    extract(company, None, received_at=log.as_of, names=["typeform"])  # type: ignore[arg-type]
    outcomes.save(company, SourceResult("hubspot", "failed", error="hubspot: the host is away " * 5), log.as_of)
    arguments = ["--company", str(company.root), "sources"]
    result = CliRunner().invoke(main, arguments, env={"COLUMNS": str(width)})
    lines = result.output.splitlines()
    assert result.exit_code == 0 and "…" not in result.output
    assert max(map(len, lines)) <= width
    assert lines[0].split()[-5:] == ["synced", "newest", "rows", "last", "refused"]
    assert ("Typeform" in lines[3]) == (width == 160) and "loaded" in lines[3]
    assert f"failed {log.as_of:%Y-%m-%d %H:%M} UTC: the host is away" in " ".join(result.output.split())


def test_a_source_is_shown_with_what_to_configure(company: Company) -> None:
    show = ["--company", str(company.root), "sources", "show"]
    output = " ".join(CliRunner().invoke(main, [*show, "salesforce"], env={"COLUMNS": "100"}).output.split())
    assert "client_secret consumer secret of the connected app · secret · MISSING" in output
    assert "View All Data" in output and "exact history of stage" in output
    assert "MISSING" not in CliRunner().invoke(main, [*show, "typeform"]).output
    assert CliRunner().invoke(main, [*show, "excel"]).exit_code == 2


def test_every_connector_says_what_it_is() -> None:
    known = {name: one for name in API_SOURCES if (one := about(name)) is not None}
    assert {"hubspot", "salesforce", "ga4", "typeform"} <= set(known)
    for name, one in known.items():
        assert one.name == name and one.provides and one.requests_when_unchanged
        assert set(one.limits) <= set(kpis())
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
        ("stage", "zzz", 9, 'process.yml: stage_mapping: {hubspot: {"*": {zzz: <stage>}}}'),
        ("stage", "Proposal sent", 7, "process.yml: stage_mapping: {hubspot: {default: {Proposal sent: proposal}}}"),
        ("owner", "East", 2, "sources/hubspot.yml: teams: {East: <branch>}"),
        ("campaign", "a", 1, "none of its leads has a channel: fill it in where leads are made"),
    ]


def _publish(company: Company, stages: list[tuple[object, ...]], users: list[tuple[object, ...]]) -> None:
    """A published version with unmapped ``stages`` (source, pipeline, source_stage, label, kind) and ``users`` (user_id, team)."""
    company.published_dir.mkdir(parents=True)
    with duckdb.connect(company.published_dir / "salesgauge.duckdb") as con:
        con.execute("create schema kpi; create schema marts")
        columns = "source text, pipeline text, source_stage text, label text, kind text, records int"
        con.execute(f"create table kpi.kpi_unmapped_stages ({columns})")
        for number, stage in enumerate(stages):
            con.execute("insert into kpi.kpi_unmapped_stages values (?, ?, ?, ?, ?, ?)", [*stage, 1000 - number])
        con.execute("create table marts.dim_user (user_id text, team text, branch text)")
        for user in users:
            con.execute("insert into marts.dim_user values (?, ?, null)", user)
        con.execute("create table marts.fct_lead (source text, campaign text, channel text)")


def _loaded(tmp_path: Path, file: str, proposal: str) -> dict[str, Any]:
    """The entry of a proposal for ``file``, read as the project reads such files."""
    assert proposal.startswith(f"{file}: ")
    path = tmp_path / "proposal.yml"
    path.write_text(proposal.removeprefix(f"{file}: "))
    return dict(load_yaml(path))


def test_a_stage_that_the_source_names_is_proposed_by_its_name_or_kind(company: Company, tmp_path: Path) -> None:
    text = company.process_file.read_text()
    company.process_file.write_text(re.sub(r"(?<!kind): won\b", ": sold", text))
    assert Process.load(company.process_file).stage("sold").kind == "won"
    names = [
        ("101", "Proposal out", "open", "proposal"),
        ("102", "Abgesagt", "lost", "lost"),
        ("103", None, None, None),
        ("104", "Closed deal", "won", "sold"),
        ("105", "Lost contact", "open", None),
        ("106", "Sold back", "open", None),
        ("Closed, Won", "Closed, Won", "won", "sold"),
        ("Value: x", None, None, None),
        ("no", None, None, None),
        ("[a] {b} # 'c' \"d\"", None, None, None),
        ("- *é", None, None, None),
    ]  # fmt: skip
    _publish(company, [("hubspot", None if at % 2 else "67890", *name[:3]) for at, name in enumerate(names)], [])
    found = [one.proposal for one in unmapped(company)]
    process = dict(load_yaml(company.process_file))
    for at, (proposal, (stage, _, _, expected)) in enumerate(zip(found, names, strict=True)):
        entry = _loaded(tmp_path, "process.yml", proposal.replace("<stage>", "proposal"))
        assert entry == {"stage_mapping": {"hubspot": {"*" if at % 2 else "67890": {stage: expected or "proposal"}}}}
        assert ("<stage>" in proposal) is (expected is None)
        Process.model_validate(process | entry)
    output = CliRunner().invoke(main, ["--company", str(company.root), "sources", "map"], env={"COLUMNS": "200"}).output
    assert "[a] {b} # 'c' \"d\"" in output


def test_owners_get_a_branch_where_their_source_can_tell_it(company: Company, tmp_path: Path) -> None:
    sources_of = ("hubspot", "salesforce", "housecall_pro", "servicetitan", "jobber", "payroll")
    _publish(
        company, [], [(f"{one}:{number}", team) for one in sources_of for number, team in enumerate(("7: East", None))]
    )
    found = {(one.source, one.value): one.proposal for one in unmapped(company)}
    for source in ("hubspot", "salesforce", "housecall_pro"):
        entry = _loaded(tmp_path, f"sources/{source}.yml", found[source, "7: East"])
        assert entry == {"teams": {"7: East": "<branch>"}}
    entry = _loaded(tmp_path, "sources/servicetitan.yml", found["servicetitan", "7: East"])
    assert entry == {"business_units": {"7: East": {"branch": "<branch>"}}}
    assert all("(no team)" not in found[source, "(no team)"] for source in sources_of)
    assert "department" in found["salesforce", "(no team)"]
    assert "neither teams nor branches" in found["jobber", "(no team)"]
    assert found["payroll", "7: East"] == found["payroll", "(no team)"]
    assert "column that is mapped to branch" in found["payroll", "7: East"]


def test_metrics_need_what_they_are_made_of() -> None:
    assert all(kpi.needs for kpi in kpis().values())
    abouts = [one for name in ("salesforce", "ga4") if (one := about(name)) is not None]
    found = {one.metric: one for one in availability(kpis(), abouts, [])}
    assert found["win_rate"].is_available and found["win_rate"].reason == ""
    assert "no source gives survey answers" in found["nps"].reason and not found["nps"].is_available
    assert found["speed_to_lead_median_minutes"].is_available
    assert "to the second" in found["speed_to_lead_median_minutes"].reason
    others = ["survey_answers", "calls", "estimates", "jobs", "invoices", "payments"]
    assert all(one.is_available for one in availability(kpis(), abouts, others))
    only_deals = {one.metric: one.is_available for one in availability(kpis(), [], ["deals"])}
    assert only_deals["crm_completeness"] and only_deals["stage_conversion_rate"] and not only_deals["leads_created"]


def test_calls_and_appointments_of_a_file_are_activities() -> None:
    jobber = [one for one in [about("jobber")] if one is not None]
    speed = "speed_to_lead_median_minutes"

    def is_allowed(abouts: list[About], *entities: str) -> bool:
        return all(one.is_available for one in availability([speed], abouts, ["leads", "deals", *entities]))

    assert not is_allowed([]) and not is_allowed([], "appointments")
    assert is_allowed([], "calls") and is_allowed(jobber, "calls")
    (missing,) = availability([speed], jobber, [])
    assert missing.reason == "no source gives calls, e-mails or meetings (a CRM, a telephone system, or a file)"


def test_the_data_at_hand_decide_which_metrics_there_are() -> None:
    con = duckdb.connect()
    facts.create_tables(con)
    con.execute("insert into marts.fct_lead (lead_id, is_won) select 'lead', false from range(3)")
    con.execute("insert into marts.fct_deal (created_date) values (date '2026-01-01')")
    con.execute("insert into marts.fct_closed_deal (is_won, is_lost, amount, won_amount) values (true, false, 5, 5)")
    con.execute("insert into marts.fct_stage_conversion (is_reached) values (true)")
    con.execute("insert into marts.fct_survey_response (nps_score, nps_points) values (7, 0)")
    found = {one.metric: one for one in at_hand(con, availability(kpis(), [], ["leads"]))}
    assert found["leads_created"].is_available and found["leads_created"].reason.startswith("no lead has a date")
    # deals are there, whatever the sources say of themselves
    assert found["win_rate"].is_available and found["win_rate"].reason.startswith("no close has a date")
    assert found["deals_created"] == Availability("deals_created", True)
    assert found["nps"].is_available and not found["csat"].is_available
    assert found["csat"].reason.startswith("no answer has a score from 1 to 5; no source gives survey answers")
    assert not found["speed_to_lead_never_contacted_rate"].is_available
    assert found["speed_to_lead_never_contacted_rate"].reason.startswith("no lead has a date")
    assert not found["sales_cycle_days_median"].is_available and not found["lost_amount"].is_available
    con.execute("update marts.fct_closed_deal set closed_date = date '2026-02-01'")
    (win_rate,) = at_hand(con, [Availability("win_rate", True)])
    assert win_rate == Availability("win_rate", True)
    con.execute("drop table marts.fct_survey_response")
    nps, win_rate = at_hand(con, availability(["nps", "win_rate"], [], ["deals", "survey_answers"]))
    assert win_rate.is_available and not nps.is_available and "older than this metric" in nps.reason


def test_which_kpis_the_sources_allow_is_told_before_anything_is_published(company: Company) -> None:
    assert not company.pointer.exists()
    told = CliRunner().invoke(main, ["--company", str(company.root), "sources", "kpis"], env={"COLUMNS": "200"})
    lines = {line.split()[0]: line.split()[1] for line in told.output.splitlines()[1:] if line.strip()}
    assert told.exit_code == 0 and set(lines) == set(kpis()) and lines["win_rate"] == "yes"


def test_metrics_know_which_objects_are_read(company: Company) -> None:
    def allowed() -> dict[str, bool]:
        return {one.metric: one.is_available for one in metrics(Company.open(company.root, {}), list(kpis()))}

    # what is sold and done is in none of the objects that the demo reads, and nobody classes calls in a CRM
    lacking = {kpi for kpi, is_there in allowed().items() if not is_there}
    assert lacking == {
        kpi.name for kpi in kpis().values() if set(kpi.needs) & {"calls", "estimates", "jobs", "invoices", "payments"}
    }
    config = company.root / ".dlt" / "config.toml"
    before = config.read_text()
    for objects, expected in (
        ("contacts", {"leads_created"}),
        ("contacts, tasks", {"leads_created"}),
        ("deals", {"win_rate"}),
        ("contacts, deals, calls", {"leads_created", "win_rate", "speed_to_lead_median_minutes"}),
    ):
        config.write_text(re.sub(r"objects = .*", f'objects = "{objects}"', before))
        names = ("leads_created", "win_rate", "speed_to_lead_median_minutes")
        found = allowed()
        assert {name for name in names if found[name]} == expected
    config.write_text(re.sub(r"objects = .*", 'objects = "deal"', before))
    with pytest.raises(ConfigurationError, match="expected some of"):
        allowed()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [({}, {"leads"}), ({"lead_object": "leads"}, {"leads", "contacts"}), ({"objects": "deals"}, set())],
)
def test_what_hubspot_provides_is_of_the_objects_that_are_read(
    tmp_path: Path, settings: dict[str, str], expected: set[str]
) -> None:
    provided = hubspot.provides(SourceSettings("hubspot", settings, {}, {}, None, tmp_path, tmp_path))
    assert provided & {"leads", "contacts"} == expected
    assert {"deals", "users"} <= provided <= set(hubspot.ABOUT.provides)
    assert ("activities" in provided) is ("objects" not in settings)


def test_the_clock_of_the_list_is_passed_in(company: Company) -> None:
    assert {one.lag for one in sources(company, datetime(2030, 1, 1))} == {None}
