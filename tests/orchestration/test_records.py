"""Masked keys resolve: the record with its source, file and line; what no source reads is named."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

import ingestion
from orchestration.cli import main
from orchestration.exports import unread_exports
from orchestration.records import find_records
from salesgauge.errors import ConfigurationError
from salesgauge.process import Process
from salesgauge.settings import Company
from salesgauge.warehouse import connect

PROCESS = """
company: {name: Test, currency: USD, timezone: America/Chicago}
process:
  versions: [{key: baseline, effective_from: 2025-01-01}]
  stages: [{key: inquiry, object: lead}, {key: proposal}, {key: won, kind: won}]
"""
MAPPING = """
files:
  - {path: "leads*.csv", entity: leads, key: id, columns: {last_name: name}}
  - {path: "deals.csv", entity: deals, key: id, columns: {name: what}}
"""


@pytest.fixture
def company(tmp_path: Path) -> Company:
    for name, text in {
        "process.yml": PROCESS,
        "sources/crm.yml": MAPPING,
        "data/leads_1.csv": "id,name\n10012,Ames\n20012,Bell\n7,Cole\n",
        "data/leads_2.csv": "id,name\n7,Cole-Dorn\n",
        "data/deals.csv": "id,what\n10012,Boiler\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    company = Company.open(tmp_path, {})
    ingestion.extract(company, Process.load(company.process_file), received_at=datetime(2026, 7, 1))
    return company


def test_a_whole_key_names_its_record_with_file_and_line(company: Company) -> None:
    (found,) = find_records(company, "crm:20012")
    assert (found.key, found.table, found.file, found.line) == ("crm:20012", "raw_files.leads", "leads_1.csv", 3)
    assert found.record is not None and "Bell" in found.record
    assert [one.table for one in find_records(company, "crm:10012")] == ["raw_files.leads", "raw_files.deals"]
    assert find_records(company, "lead/crm:20012") == find_records(company, "crm:20012"), "as cases are keyed"


@pytest.mark.parametrize("key", ["crm:…012", "crm:...012"])
def test_a_masked_key_finds_all_that_end_so(company: Company, key: str) -> None:
    assert [(one.key, one.table) for one in find_records(company, key)] == [
        ("crm:10012", "raw_files.leads"),
        ("crm:20012", "raw_files.leads"),
        ("crm:10012", "raw_files.deals"),
    ]


def test_of_several_versions_the_newest_is_shown(company: Company) -> None:
    (found,) = find_records(company, "crm:7")
    assert found.versions == 2 and found.record is not None and "Cole" in found.record


def test_the_command_prints_it(company: Company) -> None:
    output = CliRunner().invoke(main, ["--company", str(company.root), "show", "crm:20012"]).output
    assert "file       leads_1.csv" in output and "line       3" in output and '"name": "Bell"' in output


@pytest.mark.parametrize(
    ("key", "words"),
    [("hubspot:1", "the sources are: crm"), ("crm:404", "is '404'"), ("crm:…404", "ends with '404'"), ("404", "source:id")],
)  # fmt: skip
def test_a_key_of_nothing_is_said(company: Company, key: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        find_records(company, key)


def test_exports_that_no_source_reads_are_named(company: Company) -> None:
    assert unread_exports(company) == []
    for name in ("old.xlsx", "year/calls.CSV.gz", "README.md", ".hidden.csv", "photo.jpg", "readme.txt", "~$open.xlsx"):
        path = company.data_dir / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x", encoding="utf-8")
    assert [path.relative_to(company.data_dir).as_posix() for path in unread_exports(company)] == [
        "old.xlsx",
        "year/calls.CSV.gz",
    ]
    mapping = company.sources_dir / "crm.yml"
    mapping.write_text(
        MAPPING + '  - {path: "**/*.gz", entity: calls}\n  - {path: [old.xlsx], entity: deals}\n', encoding="utf-8"
    )
    assert unread_exports(company) == []
    (company.sources_dir / "broken.yml").write_text("files: [", encoding="utf-8")
    assert unread_exports(company) == [], "the run says what is wrong with it"


def test_a_company_without_data_has_no_exports(tmp_path: Path) -> None:
    (tmp_path / "process.yml").write_text(PROCESS, encoding="utf-8")
    assert unread_exports(Company.open(tmp_path, {})) == []


def test_checks_of_a_run_that_was_not_published_are_shown(company: Company) -> None:
    with connect(company.warehouse_file) as con:
        con.execute("create schema quality")
        con.execute(
            "create table quality.checks as select 'gx' as origin, 's' as suite, 'c' as name, 'marts.fct_deal' as table_name, 'error' as severity, "
            "false as passed, '3 of 9 rows fail' as observed, 'a deal is one thing' as expected, 9 as rows_checked, 3 as failing_rows, "
            "'crm:…012' as examples, 'Look.' as action"
        )
    command = ["--company", str(company.root), "checks"]
    output = CliRunner().invoke(main, command).output
    assert "the newest run, which was not published" in output
    assert "marts.fct_deal: expected a deal is one thing; 3 of 9 rows fail (e.g. crm:…012). Look." in output
    assert json.loads(CliRunner().invoke(main, [*command, "--format", "json"]).output)[0]["kind"] == "audit"
    status = CliRunner().invoke(main, ["--company", str(company.root), "status"]).output
    assert "Nothing is published yet. Next: salesgauge checks" in status


def test_what_process_yml_says_to_nobody_is_named(company: Company) -> None:
    with connect(company.warehouse_file) as con:
        con.execute("create schema quality")
        con.execute("create table quality.checks as select 'error' as severity, false as passed, 'c' as name, 't' as table_name, "
                    "'x' as observed, 'y' as expected, 1 as failing_rows, null as examples")  # fmt: skip
    text = PROCESS.replace("{key: proposal}", "{key: proposal, playbook: https://example.com, tools: [phone]}")
    company.process_file.write_text(text + "stage_mapping: {elsewhere: {'*': {a: won}}}\n", encoding="utf-8")
    output = CliRunner().invoke(main, ["--company", str(company.root), "checks"]).output
    assert "no KPI reads them: tools, playbook" in output
    assert "of sources that are not configured: elsewhere" in output
