"""Runs the dbt project in process. What the models say belongs in ``dbt_project``; what a failed test means, in ``quality``."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from ingestion import rawlog
from quality.results import DbtTestResult
from quality.rules import rule_of
from salesgauge.errors import AuditError, ConfigurationError
from salesgauge.process import Process
from salesgauge.progress import SILENT, Reporter
from salesgauge.settings import API_SOURCES, PROJECT_ROOT, Company
from salesgauge.warehouse import connect
from salesgauge.yaml_file import load_yaml

DBT_PROJECT = PROJECT_ROOT / "dbt_project"
# What a word of a call or meeting can mean; macros/outcomes.sql has the words.
OUTCOMES = frozenset(
    {"answered", "missed", "no_answer", "busy", "failed", "planned", "scheduled", "held", "no_show", "canceled"}
)
AFTER_ANALYSIS = "tag:after_analysis"
# The variables on which it depends which models there are and what they read.
GRAPH_VARS = ("sources", "hubspot_lead_object")
SEMANTIC_MANIFEST = "semantic_manifest.json"
# What this process parsed last, by its folder: dbt writes into a manifest what it compiles, and compiles anew at the next command.
KEPT: dict[Path, tuple[tuple[int, int], Any]] = {}


@dataclass(frozen=True)
class ModelResult:
    """One dbt node that was built: ``status`` is dbt's word (success, error, skipped)."""

    unique_id: str
    status: str
    seconds: float
    message: str


@dataclass
class Outcome:
    """What one or more dbt invocations did."""

    models: list[ModelResult] = field(default_factory=list)
    tests: list[DbtTestResult] = field(default_factory=list)
    test_ids: dict[str, DbtTestResult] = field(default_factory=dict)

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(self.models + other.models, self.tests + other.tests, self.test_ids | other.test_ids)


def prepare(company: Company, process: Process, *, as_of: datetime) -> None:
    """A fresh working warehouse: the process file's tables and the views of the raw log, nothing else.

    It is thrown away and built anew, so whatever a crash left behind can't matter.
    """
    company.warehouse_file.unlink(missing_ok=True)
    Path(f"{company.warehouse_file}.wal").unlink(missing_ok=True)
    con = connect(company.warehouse_file)
    try:
        process.write_tables(con, as_of)
        rawlog.create_views(con, company)
    finally:
        con.close()


def build(
    company: Company,
    process: Process,
    *,
    select: Iterable[str] = (),
    exclude: Iterable[str] = (),
    reporter: Reporter = SILENT,
    step: str = "models",
) -> Outcome:
    """``dbt build`` on the working warehouse: models and data tests (unit tests are the test suite's).

    Failed tests and models are in the outcome, not raised; AuditError only where dbt could not begin.
    """
    values = project_vars(company, process)
    # Nobody reads what dbt would write of each node; the metrics' manifest is written where the project is parsed.
    arguments = ["build", "--exclude-resource-types", "unit_test", "--no-write-json", "--vars", json.dumps(values)]
    if selected := list(select):
        arguments += ["--select", *selected]
    if excluded := list(exclude):
        arguments += ["--exclude", *excluded]
    finished = 0

    def on_event(event: Any) -> None:
        nonlocal finished
        if event.info.name == "NodeFinished":
            finished += 1
            reporter.advance(step, finished, unit="models and tests")

    with _locked(parse_target(values)):
        result = parse(values)
        if result.success:
            company.dbt_target_dir.mkdir(parents=True, exist_ok=True)
            shutil.copy(parse_target(values) / SEMANTIC_MANIFEST, company.dbt_target_dir)
    if result.success:
        result = invoke(
            arguments,
            warehouse=company.warehouse_file,
            target=company.dbt_target_dir,
            manifest=result.result,
            callbacks=[on_event],
        )
    if result.result is None:
        raise AuditError(
            f"the models could not be run: {result.exception}. Nothing was published; the log is in {company.logs_dir}."
        )
    return _outcome(result.result.results)


def company_sources(company: Company) -> tuple[str, ...]:
    """The sources with a connector that the company has, or once had: those whose models are built."""
    return tuple(name for name in rawlog.sources(company) if name in API_SOURCES)


def parse(values: Mapping[str, Any]) -> Any:
    """Parse the project for the variables ``values``; dbt's ``dbtRunnerResult``, whose result is a manifest for one command at a time.

    Parsing takes longer than all else that dbt does before the first query, and is the same for every company whose
    ``values`` make the same graph (``GRAPH_VARS``; the others are read when a model is compiled): they share the folder in
    which dbt keeps what it has parsed, one process at a time. Nothing else of a company is in there. This process keeps the
    newest graph too, until a file of the project changes: reading it again takes a second.
    """
    target = parse_target(values)
    with _locked(target):
        newest = _newest_change()
        if (kept := KEPT.get(target)) and kept[0] == newest:
            return kept[1]
        # Read by dbt where it parses and only there; its name is the catalogue of the relations, as in a company.
        warehouse = target / "salesgauge.duckdb"
        result = invoke(["parse", "--vars", json.dumps(_graph(values))], warehouse=warehouse, target=target)
        KEPT.clear()
        if result.success:
            KEPT[target] = (newest, result)
        return result


def manifest_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """dbt's ``manifest.json`` of the project with ``values``; parsed anew only where a file of it is newer, or a crash left it half-written."""
    target = parse_target(values)
    path = target / "manifest.json"
    with _locked(target):
        if path.is_file() and path.stat().st_mtime_ns >= _newest_change()[0]:
            with suppress(ValueError):
                return json.loads(path.read_text(encoding="utf-8"))
        KEPT.pop(target, None)  # the file is to be written
        result = parse(values)
        if not result.success:
            raise RuntimeError(f"dbt_project can't be parsed: {result.exception}")
        return json.loads(path.read_text(encoding="utf-8"))


def parse_target(values: Mapping[str, Any]) -> Path:
    """The folder in which dbt keeps the project as parsed for ``values``."""
    key = hashlib.sha256(json.dumps(_graph(values), sort_keys=True).encode()).hexdigest()
    return DBT_PROJECT / "target" / "parsed" / key[:16]


def _newest_change() -> tuple[int, int]:
    """When a file of the project changed last (nanoseconds), and how many there are."""
    files = [file for folder in ("models", "macros", "tests") for file in (DBT_PROJECT / folder).rglob("*.*")]
    return max(file.stat().st_mtime_ns for file in [*files, DBT_PROJECT / "dbt_project.yml"]), len(files)


def _graph(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in GRAPH_VARS if name in values}


def _locked(target: Path) -> FileLock:
    target.mkdir(parents=True, exist_ok=True)
    return FileLock(target / "parse.lock", is_singleton=True)  # may be taken again by the thread that has it


def invoke(
    arguments: list[str],
    *,
    warehouse: Path,
    target: Path,
    manifest: Any = None,
    callbacks: list[Any] | None = None,
) -> Any:
    """One dbt command in this process, quiet, without usage statistics; dbt's ``dbtRunnerResult``.

    With a ``manifest`` of :func:`parse` (for the same graph) dbt parses nothing.
    """
    from dbt.cli.main import dbtRunner

    # dbt reads both from the environment only; the profile names the first.
    os.environ["SALESGAUGE_WAREHOUSE"] = str(warehouse)
    os.environ["DBT_SEND_ANONYMOUS_USAGE_STATS"] = "false"
    target.mkdir(parents=True, exist_ok=True)
    common = ["--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT), "--target-path", str(target)]
    logs = ["--log-level", "none", "--log-path", str(target / "logs"), "--log-level-file", "warn"]
    try:
        return dbtRunner(manifest=manifest, callbacks=callbacks or []).invoke([*arguments, *common, *logs])
    finally:
        _close_warehouse()


def _close_warehouse() -> None:
    """Give the file back. The profile says ``keep_open``: else dbt would close and open it again around almost every node."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    with suppress(Exception):  # dbt ended before it opened anything, and there is no environment
        DuckDBConnectionManager.env().close()


def project_vars(company: Company, process: Process) -> dict[str, Any]:
    """What the company's files say about the shape of the models. It changes rarely: dbt parses anew when it does."""
    values: dict[str, Any] = {"exclusions": process.exclusion_rules(), "sources": list(company_sources(company))}
    values |= process.calendar_vars()
    if rules := process.deal_exclusion_rules():
        values["deal_exclusions"] = rules
    for source in values["sources"]:
        document = _document(company, source)
        if fields := document.get("fields"):
            values[f"{source}_fields"] = {record: dict(names) for record, names in fields.items()}
        if teams := document.get("teams"):
            values[f"{source}_team_branches"] = dict(teams)
        if outcomes := document.get("outcomes"):
            values[f"{source}_outcomes"] = _outcomes(company, source, outcomes)
        if lead_object := company.source(source).get("lead_object"):
            values[f"{source}_lead_object"] = str(lead_object)
        if units := document.get("business_units"):
            values[f"{source}_units"] = {str(name): dict(meaning or {}) for name, meaning in units.items()}
    for source in ("typeform", "surveymonkey"):
        document = _document(company, source)
        if questions := document.get("questions"):
            values[f"{source}_questions"] = {kind: list(names) for kind, names in questions.items()}
        if records := document.get("records"):
            values[f"{source}_records"] = str(records)
    return values


def _document(company: Company, source: str) -> dict[str, Any]:
    file = company.source(source).file
    return (load_yaml(file) or {}) if file else {}


def _outcomes(company: Company, source: str, words: Any) -> dict[str, str]:
    """The words of ``outcomes`` with what they mean."""
    if not isinstance(words, dict) or not all(isinstance(one, str) and one in OUTCOMES for one in words.values()):
        raise ConfigurationError(
            f"{company.source(source).file}: outcomes must say what a word of the source means, for example {{Gatekeeper: no_answer}}; "
            f"expected one of: {', '.join(sorted(OUTCOMES))}"
        )
    return {str(word): outcome for word, outcome in words.items()}


def _outcome(results: Iterable[Any]) -> Outcome:
    outcome = Outcome()
    for result in results:
        node = result.node
        if node.resource_type.value != "test":
            outcome.models.append(
                ModelResult(node.unique_id, result.status.value, result.execution_time, str(result.message or ""))
            )
            continue
        test = DbtTestResult(
            name=node.name,
            table=_tested_table(node),
            status=result.status.value,
            failures=result.failures or 0,
            severity=str(node.config.severity).lower(),
            message=str(result.message or ""),
            rule=_rule(node),
            sql=(getattr(node, "compiled_code", None) or "") if result.failures else "",
        )
        outcome.tests.append(test)
        outcome.test_ids[node.unique_id] = test
    return outcome


def _rule(node: Any) -> str:
    generic = getattr(node, "test_metadata", None)
    return rule_of(generic.name if generic else "", generic.kwargs if generic else {}, node.raw_code or "")


def _tested_table(node: Any) -> str:
    attached = getattr(node, "attached_node", None) or (
        node.depends_on.nodes[0] if node.depends_on.nodes else node.unique_id
    )
    return attached.split(".")[-1]
