"""The command line: what it writes, and that every error ends with its exit code and no traceback."""

from __future__ import annotations

import io
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

import ingestion
from orchestration import last_run
from orchestration.assets import _after_publishing
from orchestration.cli import main
from orchestration.console import ConsoleReporter, print_summary
from orchestration.pipeline import RunOutcome, failure_of
from quality.results import Check
from quality.scores import write_checks
from salesgauge.errors import AfterPublishingError
from salesgauge.process import Process
from salesgauge.settings import Company
from salesgauge.warehouse import connect


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, catch_exceptions=False)


@pytest.fixture
def company(tmp_path: Path) -> str:
    root = tmp_path / "mycompany"
    assert call("init", str(root)).exit_code == 0
    return str(root)


def test_init_writes_a_directory_and_keeps_what_is_there(company: str) -> None:
    root = Path(company)
    names = ("process.yml", ".dlt/config.toml", ".dlt/secrets.toml.example", "sources/README.md", "data/README.md")
    assert all((root / name).is_file() for name in names)
    (root / "process.yml").write_text("mine", encoding="utf-8")
    result = call("init", company)
    assert result.exit_code == 0
    assert (root / "process.yml").read_text(encoding="utf-8") == "mine"


def test_a_company_without_sources_is_told_what_to_configure(company: str) -> None:
    result = call("--company", company, "run")
    assert result.exit_code == 2
    assert "[sources.hubspot]" in result.output


def test_a_wrong_process_file_names_the_line(company: str) -> None:
    path = Path(company) / "process.yml"
    path.write_text(path.read_text(encoding="utf-8").replace("currency: USD", "currency: usd"), encoding="utf-8")
    result = call("--company", company, "run")
    assert result.exit_code == 2
    assert "process.yml:6: company.currency" in result.output


@pytest.mark.parametrize("command", [["query", "win_rate"], ["report"], ["rollback"], ["checks"]])
def test_nothing_published_is_said(company: str, command: list[str]) -> None:
    result = call("--company", company, *command)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_status_says_what_came_of_the_last_run(company: str) -> None:
    one = Company.open(company)
    last_run.begun(one, trigger="salesgauge run")
    last_run.ended(one, exit_code=3, version=None, error="hubspot: it did not answer\nsecond line")
    output = call("--company", company, "status").output
    assert "UTC, started by salesgauge run: nothing was published. hubspot: it did not answer\n" in output
    assert "second line" not in output
    (one.var / "last_run.json").unlink()


def test_status_and_versions_of_a_new_company(company: str) -> None:
    assert "Nothing is published yet" in call("--company", company, "status").output
    assert call("--company", company, "versions").exit_code == 0


def test_status_tells_of_the_version_and_of_a_newer_run_that_failed(company: str) -> None:
    root = Path(company)
    version = root / "var" / "published" / "versions" / "000001-20260101T060000Z" / "salesgauge.duckdb"
    _warehouse(version, passed=True)
    (root / "var" / "published" / "salesgauge.duckdb").symlink_to(version)
    output = call("--company", company, "status").output
    assert "Version 000001-20260101T060000Z, as of 2026-01-01 06:00 UTC" in output
    assert " crm     2026-01-01 05:00      2         7       5            1           1" in output
    assert "Findings" not in output
    _warehouse(root / "var" / "warehouse" / "salesgauge.duckdb", passed=True)
    assert call("--company", company, "status").output == output
    _warehouse(root / "var" / "warehouse" / "salesgauge.duckdb", passed=False)
    assert "marts.fct_lead: expected a date" in call("--company", company, "status").output


def _warehouse(path: Path, *, passed: bool) -> None:
    path.unlink(missing_ok=True)
    with connect(path) as con:
        con.execute("create schema process; create schema quality")
        con.execute("create table process.run as select timestamp '2026-01-01 06:00' as as_of")
        con.execute(
            "create table quality.loads as select * from (values "
            "('crm', timestamp '2026-01-01 04:00', 'a', 4, 4, 0, 0), ('crm', timestamp '2026-01-01 05:00', 'b', 3, 1, 1, 1)) "
            "as loads (source, loaded_at, load_id, received, loaded, quarantined, duplicates)"
        )
        write_checks(
            con,
            [Check("gx", "leads", "dated", "marts.fct_lead", "error", passed, "1 of 2 rows fail", "a date", 2, 1)],
        )


@pytest.mark.parametrize(
    ("command", "left_out"),
    [
        (["--help"], {"rich", "pydantic", "ruamel.yaml", "duckdb"}),
        (["sources", "--help"], {"rich", "pydantic", "ruamel.yaml", "duckdb"}),
        (["status"], {"pydantic", "sqlglot", "pandas", "dagster", "quality"}),
    ],
    ids=["--help", "sources --help", "status"],
)
def test_a_command_loads_what_it_needs_and_no_more(company: str, command: list[str], left_out: set[str]) -> None:
    program = (
        "import sys\nfrom orchestration.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "--company", company, *command], capture_output=True, text=True, check=True
    )
    assert done.stdout and "click" in done.stderr.split()
    assert left_out.isdisjoint(done.stderr.split())


def test_no_company_here(tmp_path: Path) -> None:
    result = call("--company", str(tmp_path), "status")
    assert result.exit_code == 2
    assert "salesgauge init" in result.output


@pytest.mark.parametrize(
    "command", [[], ["run"], ["query"], ["init"], ["demo"], ["demo", "run"], ["rollback"], ["checks"], ["show"]]
)
def test_help_teaches(command: list[str]) -> None:
    result = call(*command, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.output
    assert len(result.output.splitlines()) >= 6


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (3, ["sources check", "quarantine list", "old.csv: salesgauge", "sources init"]),
        (4, ["checks", "quarantine list"]),
        (2, ["sources init"]),
    ],
)
def test_a_run_that_failed_says_what_to_do_next(company: str, code: int, words: list[str]) -> None:
    (Path(company) / "data" / "old.csv").write_text("id\n1\n", encoding="utf-8")
    output = io.StringIO()
    print_summary(Console(file=output, width=100), Company.open(company, {}), RunOutcome(code, error="it failed"))
    text = output.getvalue()
    assert "it failed" in text and all(word in text for word in words)
    assert "query win_rate" not in text, "nothing is published that could be asked"


def test_what_fails_after_publishing_is_no_failure_of_the_version() -> None:
    with (
        pytest.raises(
            AfterPublishingError, match=r"Version 000007 is published and served, but the report .*ValueError: odd"
        ) as caught,
        _after_publishing("000007", "the report could not be made", "salesgauge report"),
    ):
        raise ValueError("odd")
    assert caught.value.exit_code == 5
    output = io.StringIO()
    outcome = RunOutcome(5, version="000007", error=str(caught.value))
    print_summary(Console(file=output, width=100), Company(Path("/nowhere"), {}, {}, {}), outcome)
    assert "Exit 5" in output.getvalue() and "Version 000007 is served" in output.getvalue()
    assert "salesgauge --company /nowhere report" in output.getvalue()


def test_the_end_of_a_run_tells_what_to_know_of_the_numbers(company: str) -> None:
    output = io.StringIO()
    note = "sessions: counted from a sample on 1 of 3 days, 2026-06-30; not exact"
    counts = dict.fromkeys(("received", "loaded", "quarantined", "duplicates", "requests"), 1)
    source = {"state": "loaded", "error": None, "seconds": 1.0, "notes": [note], **counts}
    outcome = RunOutcome(0, version="1", sources={"ga4_data": source})
    print_summary(Console(file=output, width=100), Company.open(company, {}), outcome)
    assert f"ga4_data: {note}" in output.getvalue()


def test_a_reason_may_name_columns_in_brackets(company: str) -> None:
    """They are no marks of style, neither in the table nor beside a source's step."""
    root = Path(company)
    (root / "sources" / "log.yml").write_text(
        "files:\n  - {path: log.csv, entity: stage_events, key: nr, columns: {deal: case, stage: what, at: when}, dates: {format: iso8601, timezone: UTC}}\n"
    )
    (root / "data").mkdir(exist_ok=True)
    (root / "data" / "log.csv").write_text("case,what,when,nr\na,x,2026-01-01,1\nb,x,2026-01-01,1\n")
    out = io.StringIO()
    with ConsoleReporter(Console(file=out, width=400)) as reporter:
        process = Process.load(root / "process.yml")
        ingestion.extract(
            Company.open(root, {}), process, received_at=datetime(2026, 7, 1), names=["log"], reporter=reporter
        )
    assert "`key: [nr, case]`" in out.getvalue()
    said = call("--company", company, "quarantine", "list").output
    assert "key: [nr, case]" in " ".join(said.split()) and "log.csv:None" not in said


def test_an_error_after_publishing_keeps_its_code_and_its_words_through_dagster() -> None:
    ours = SimpleNamespace(
        cls_name="AfterPublishingError",
        message="salesgauge.errors.AfterPublishingError: Version 7 is published\n",
        cause=None,
    )
    step = SimpleNamespace(cls_name="DagsterExecutionStepExecutionError", message="Error occurred", cause=ours)
    assert failure_of(step) == (5, "Version 7 is published")
