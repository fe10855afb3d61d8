"""One company through its life: first run, nothing new, some changes, bad data, a source that is down. Everything is real.

The tests build on each other in the order of the file; each asserts on the outcome of one more run.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from demo.company import write
from demo.log import CompanyLog
from demo.serve import DemoServers
from demo.simulation.simulate import simulate
from orchestration import pipeline, transform
from orchestration.cli import main
from orchestration.pipeline import RunOutcome
from salesgauge.errors import AuditError
from salesgauge.process import Process
from salesgauge.settings import Company
from salesgauge.warehouse import open_published
from tests.mutate import mutate

pytestmark = pytest.mark.slow


@dataclass
class Scene:
    """A small company whose servers are up."""

    root: Path
    log: CompanyLog
    servers: DemoServers

    @property
    def company(self) -> Company:
        return Company.open(self.root)

    def run(self) -> RunOutcome:
        return pipeline.run(self.company)

    def hashes(self) -> dict[str, str]:
        manifest = json.loads((self.company.pointer.resolve().parent / "manifest.json").read_text(encoding="utf-8"))
        return {name: table["hash"] for name, table in manifest["tables"].items() if not name.startswith("quality.")}

    def rows(self, sql: str) -> list[tuple]:
        with open_published(self.company.pointer) as con:
            return con.execute(sql).fetchall()


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    root = tmp_path_factory.mktemp("company")
    log = simulate(7, scale=0.08, days=400)  # a second year of periods would take a third of each run
    with DemoServers(log) as servers:
        write(root, log, crm_url=servers.crm_url, typeform_url=servers.typeform_url)
        with (root / "process.yml").open("a", encoding="utf-8") as file:
            file.write("\nquestions:\n  - {name: reps, metrics: [win_rate, deals_won], by: rep}\n")
        yield Scene(root, log, servers)


def test_a_wrong_process_file_is_a_configuration_error(scene: Scene) -> None:
    path = scene.root / "process.yml"
    good = path.read_text(encoding="utf-8")
    path.write_text(good.replace("currency: USD", "currency: Dollar"), encoding="utf-8")
    outcome = scene.run()
    path.write_text(good, encoding="utf-8")
    assert outcome.exit_code == 2
    assert "process.yml:" in (outcome.error or "")
    assert not scene.company.pointer.exists()


def test_the_first_run_publishes(scene: Scene) -> None:
    outcome = scene.run()
    assert (outcome.exit_code, outcome.error) == (0, None)
    assert outcome.version and not outcome.unchanged
    assert outcome.report and outcome.report.is_file()
    assert {name: source["state"] for name, source in outcome.sources.items()} == dict.fromkeys(
        ("hubspot", "typeform", "ga4"), "loaded"
    )
    for source in outcome.sources.values():
        assert source["received"] == source["loaded"] + source["quarantined"] + source["duplicates"]
    assert scene.rows("select count(*) > 0 from marts.fct_deal") == [(True,)]
    _the_saved_question_is_published_and_answered(scene)


def _the_saved_question_is_published_and_answered(scene: Scene) -> None:
    won, mart = "select sum(deals_won) from questions.reps", "select count(*) from marts.fct_closed_deal where is_won"
    assert scene.rows(won) == scene.rows(mart)
    assert (scene.company.pointer.resolve().parent / "parquet" / "questions" / "reps.parquet").is_file()
    answered = CliRunner().invoke(main, ["--company", str(scene.root), "query", "reps", "--format", "csv"])
    assert answered.exit_code == 0, answered.output
    with open_published(scene.company.pointer) as con:
        columns = con.sql("from questions.reps").columns
    header, *rows = answered.output.splitlines()
    assert header.split(",") == columns and len(rows) == scene.rows("select count(*) from questions.reps")[0][0] > 1


def test_nothing_new_fetches_nothing_twice_and_changes_nothing(scene: Scene) -> None:
    before = scene.hashes()
    served = {kind: set(ids) for kind, ids in scene.servers.traffic["hubspot"].served.items()}
    scene.servers.traffic["hubspot"].reset()
    outcome = scene.run()
    assert (outcome.exit_code, outcome.unchanged, outcome.stands) == (0, True, True)
    assert {source["state"] for source in outcome.sources.values()} == {"unchanged"}
    assert sum(source["loaded"] for source in outcome.sources.values()) == 0
    assert scene.hashes() == before
    asked = scene.servers.traffic["hubspot"].requests
    assert served and sum(asked.values()) <= 40, asked
    full = pipeline.run(scene.company, is_full=True)
    assert (full.exit_code, full.unchanged, full.stands) == (0, True, False)
    assert scene.hashes() == before


def test_changed_deals_change_what_follows_from_them_and_nothing_else(scene: Scene) -> None:
    before, deals_before = scene.hashes(), _deals(scene)
    changed_log = mutate(scene.log, n=12, seed=3)
    changed = set(changed_log.events["deal_id"].iloc[len(scene.log.events) :])
    scene.servers.replace(changed_log)
    scene.log = changed_log
    outcome = scene.run()
    assert (outcome.exit_code, outcome.unchanged) == (0, False)
    assert 0 < outcome.sources["hubspot"]["loaded"] <= 3 * len(changed) + 10
    assert outcome.sources["typeform"]["loaded"] == outcome.sources["ga4"]["loaded"] == 0

    deals_after = _deals(scene)
    differing = {
        deal for deal in deals_before.keys() | deals_after.keys() if deals_before.get(deal) != deals_after.get(deal)
    }
    assert differing
    assert {deal.removeprefix("hubspot:") for deal in differing} <= changed
    after = scene.hashes()
    untouched = ("marts.fct_web_session", "marts.dim_user", "marts.dim_branch", "marts.dim_date", "kpi.kpi_volume")
    assert {name: after[name] for name in untouched} == {name: before[name] for name in untouched}
    assert after["marts.fct_deal"] != before["marts.fct_deal"]


def _deals(scene: Scene) -> dict[str, tuple]:
    return {row[0]: row for row in scene.rows("select deal_id, * from marts.fct_deal")}


def test_a_full_rebuild_gives_the_same_tables(scene: Scene) -> None:
    before = scene.hashes()
    for folder in ("raw", "warehouse", "work"):
        shutil.rmtree(scene.root / "var" / folder)
    outcome = scene.run()
    assert outcome.exit_code == 0
    assert scene.hashes() == before


def test_a_bad_batch_is_quarantined_and_not_published(scene: Scene) -> None:
    served = scene.company.pointer.resolve()
    mapping = "files:\n  - path: old.csv\n    entity: invoices\n    key: id\n"
    mapping += "    columns: {invoice_id: id, invoiced_at: at, amount: amount}\n"
    mapping += '    dates: {format: "%Y-%m-%d", timezone: America/Chicago}\n'
    (scene.root / "sources" / "old.yml").write_text(mapping, encoding="utf-8")
    good = [[str(number), "2026-01-15", "100.00"] for number in range(40)]
    bad = [
        ["", "2026-01-15", "1"],
        ["a", "31.12.2025", "1"],
        ["b", "2026-01-15", "lots"],
        ["c", "x" * 1_000_000, "1"],
    ] * 15
    with (scene.root / "data" / "old.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["id", "at", "amount"], *good, *bad])

    outcome = scene.run()
    source = outcome.sources["old"]
    assert (source["received"], source["loaded"], source["quarantined"]) == (100, 40, 60)
    assert outcome.exit_code == 4
    assert "old" in (outcome.error or "") and "quarantin" in (outcome.error or "")
    assert scene.company.pointer.resolve() == served


def test_after_the_fix_it_is_published_again(scene: Scene) -> None:
    with (scene.root / "data" / "old.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["id", "at", "amount"], *[[str(n), "2026-01-15", "100.00"] for n in range(100)]])
    outcome = scene.run()
    assert (outcome.exit_code, outcome.sources["old"]["loaded"]) == (0, 100)


def test_a_model_that_breaks_ends_the_run_with_an_error(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows from it is skipped: that must not look like a run that went well."""
    served = scene.company.pointer.resolve()
    plan = transform.plan_of(transform.project_vars(scene.company, Process.load(scene.company.process_file)))
    models = [
        replace(model, sql=f"{model.sql}\nwhere cast('nothing' as integer) = 1") if model.name == "int_deals" else model
        for model in plan.models
    ]
    monkeypatch.setattr(transform, "plan_of", lambda values: replace(plan, models=tuple(models)))
    outcome = pipeline.run(scene.company, is_full=True)
    assert outcome.exit_code == AuditError.exit_code
    assert outcome.error is not None and "int_deals" in outcome.error and "still served" in outcome.error
    assert scene.company.pointer.resolve() == served


def test_a_missing_secret_is_a_configuration_error(scene: Scene) -> None:
    path = scene.root / ".dlt" / "secrets.toml"
    good = path.read_text(encoding="utf-8")
    path.write_text(good.replace("[sources.hubspot]", "[sources.elsewhere]"), encoding="utf-8")
    outcome = scene.run()
    path.write_text(good, encoding="utf-8")
    assert outcome.exit_code == 2
    assert "access_token" in (outcome.error or "") and "secrets.toml" in (outcome.error or "")


def test_a_source_that_is_down_is_said_and_the_rest_is_published(scene: Scene) -> None:
    before = scene.hashes()
    config = scene.root / ".dlt" / "config.toml"
    good = config.read_text(encoding="utf-8")
    config.write_text(good.replace(scene.servers.typeform_url, "http://127.0.0.1:9"), encoding="utf-8")
    outcome = scene.run()
    config.write_text(good, encoding="utf-8")
    assert outcome.exit_code == 3
    assert "typeform" in (outcome.error or "")
    assert outcome.sources["hubspot"]["state"] == "unchanged"
    assert scene.hashes() == before
