"""Has dbt compile the project, and builds the working warehouse from it. How a plan is run belongs in ``orchestration.plan``; what the models say belongs in ``dbt_project``; what a failed test means, in ``quality``."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import FileLock

from ingestion import rawlog
from ingestion.catalogue import create_views
from orchestration.plan import Outcome, Plan
from salesgauge.errors import AuditError, ConfigurationError
from salesgauge.process import Process
from salesgauge.progress import SILENT, Reporter
from salesgauge.settings import API_SOURCES, PROJECT_ROOT, Company
from salesgauge.warehouse import connect, limit_memory, raw_bytes
from salesgauge.yaml_file import load_yaml

DBT_PROJECT = PROJECT_ROOT / "dbt_project"
# What a word of a call or meeting can mean; macros/outcomes.sql has the words.
OUTCOMES = frozenset(
    {"answered", "missed", "no_answer", "busy", "failed", "planned", "scheduled", "held", "no_show", "canceled"}
)
AFTER_ANALYSIS = "tag:after_analysis"
# The variables on which it depends which models there are and what they read.
GRAPH_VARS = ("sources", "hubspot_lead_object")
# Models and data tests, and nothing is looked up in a warehouse: what comes of it holds for all companies.
COMPILE = ("--no-introspect", "--no-populate-cache", "--no-write-json", "--exclude", "resource_type:unit_test")
BYTES_A_THREAD = 4 * 2**20  # of Parquet files in the raw log
SEMANTIC_MANIFEST = "semantic_manifest.json"
# What this process parsed last, by its folder: dbt writes into a manifest what it compiles, and compiles anew at the next command.
KEPT: dict[Path, tuple[tuple[int, int], Any]] = {}
# The plans that this process read, by their folder.
PLANS: dict[Path, Plan] = {}


def prepare(company: Company, process: Process, *, as_of: datetime) -> None:
    """A fresh working warehouse: the process file's tables and the views of the raw log, nothing else.

    It is thrown away and built anew, so whatever a crash left behind can't matter.
    """
    company.warehouse_file.unlink(missing_ok=True)
    Path(f"{company.warehouse_file}.wal").unlink(missing_ok=True)
    con = connect(company.warehouse_file)
    try:
        process.write_tables(con, as_of)
        create_views(con, company)
    finally:
        con.close()


def build(
    company: Company,
    process: Process,
    *,
    select: Iterable[str] = (),
    exclude: Iterable[str] = (),
    is_tested: bool = True,
    reporter: Reporter = SILENT,
    step: str = "models",
) -> Outcome:
    """Build models in the working warehouse and run their tests where ``is_tested`` (``select`` and ``exclude``: :meth:`Plan.select`).

    Failed tests and models are in the outcome, not raised; AuditError only where dbt could not compile the project.
    """
    values = project_vars(company, process)
    plan = plan_of(values).select(select, exclude)
    if not is_tested:
        plan = replace(plan, tests=())
    company.dbt_target_dir.mkdir(parents=True, exist_ok=True)
    shutil.copy(semantic_manifest(values), company.dbt_target_dir)
    con = connect(company.warehouse_file)
    con.execute(f"set threads = {threads(company)}")
    limit_memory(con, company)
    # The next run builds it anew, so nothing is saved by moving its log into the file before the end.
    con.execute("set checkpoint_threshold = '256MB'")
    try:
        return plan.run(con, lambda done, total: reporter.advance(step, done, total, unit="models and tests"))
    finally:
        con.close()


def threads(company: Company) -> int:
    """How many threads are worth it: for little data DuckDB spends a quarter of its time on sharing it out."""
    return min(1 + raw_bytes(company) // BYTES_A_THREAD, os.cpu_count() or 1)


def plan_of(values: Mapping[str, Any]) -> Plan:
    """What dbt compiles of the project with the variables ``values``. AuditError: dbt's own words on why it can't.

    dbt takes ten times as long for it as DuckDB for the models of a small company, and it is the same at every run of every
    company with these ``values``: so it is kept, beside the project, until a file of the project changes.
    """
    folder = _plan_folder(values)
    if (plan := PLANS.get(folder)) is not None:
        return plan
    with _locked(folder):
        file = folder / "plan.json"
        if not file.is_file():
            _write_plan(values, file)
        PLANS[folder] = Plan.from_json(file.read_text(encoding="utf-8"))
    return PLANS[folder]


def semantic_manifest(values: Mapping[str, Any]) -> Path:
    """The file in which MetricFlow finds the metrics of the project with the variables ``values``."""
    plan_of(values)
    return _plan_folder(values) / SEMANTIC_MANIFEST


def _plan_folder(values: Mapping[str, Any]) -> Path:
    """Where the plan for ``values`` is kept: one folder for a state of the project, in it one for each set of variables."""
    key = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
    return DBT_PROJECT / "target" / "plans" / project_hash()[:16] / key[:16]


def project_hash() -> str:
    """A hash of all that dbt compiles, of dbt, and of the code that makes a plan of it."""
    digest = hashlib.sha256(f"{version('dbt-core')} {version('dbt-duckdb')}".encode())
    for file in [*_project_files(), *(Path(__file__).with_name(name) for name in ("plan.py", "transform.py"))]:
        digest.update(f"{file.name}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()


def _write_plan(values: Mapping[str, Any], file: Path) -> None:
    for other in file.parent.parent.parent.iterdir():  # of earlier states of the project
        if other != file.parent.parent:
            shutil.rmtree(other, ignore_errors=True)
    target = parse_target(values)
    with _locked(target):
        result = parse(values)
        if result.success:
            shutil.copy(target / SEMANTIC_MANIFEST, file.parent)
            result = invoke(
                ["compile", *COMPILE, "--vars", json.dumps(values)],
                warehouse=target / "salesgauge.duckdb",
                target=target,
                manifest=result.result,
            )
    if not result.success:
        raise AuditError(f"dbt can't compile the models: {_reason(result)}. Nothing was published.")
    partial = file.with_suffix(".partial")
    partial.write_text(Plan.of(one.node for one in result.result).to_json(), encoding="utf-8")
    partial.replace(file)


def _reason(result: Any) -> str:
    """Why a dbt command did not succeed, in dbt's words."""
    failed = [str(one.message) for one in result.result or [] if one.status == "error"]
    return "; ".join(failed) or str(result.exception)


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
        arguments = ["parse", "--vars", json.dumps(_graph(values))]
        result = invoke(arguments, warehouse=warehouse, target=target)
        if not result.success and (kept_by_dbt := target / "partial_parse.msgpack").is_file():
            # What dbt kept of an earlier state of the project may be what is wrong: it stumbles over metrics that are gone.
            kept_by_dbt.unlink()
            result = invoke(arguments, warehouse=warehouse, target=target)
        KEPT.clear()
        if result.success:
            KEPT[target] = (newest, result)
        return result


def parse_target(values: Mapping[str, Any]) -> Path:
    """The folder in which dbt keeps the project as parsed for ``values``."""
    key = hashlib.sha256(json.dumps(_graph(values), sort_keys=True).encode()).hexdigest()
    return DBT_PROJECT / "target" / "parsed" / key[:16]


def _newest_change() -> tuple[int, int]:
    """When a file of the project changed last (nanoseconds), and how many there are."""
    files = _project_files()
    return max(file.stat().st_mtime_ns for file in files), len(files)


def _project_files() -> list[Path]:
    folders = (DBT_PROJECT / folder for folder in ("models", "macros", "tests"))
    return [*sorted(file for folder in folders for file in folder.rglob("*.*")), DBT_PROJECT / "dbt_project.yml"]


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
    root = logging.getLogger()
    if not root.handlers:  # a library of dbt's would else set up printing of everybody's log when it is imported
        root.addHandler(logging.NullHandler())
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
    """What the company's files say about the shape of the models. It changes rarely: dbt compiles anew when it does."""
    values: dict[str, Any] = {"exclusions": process.exclusion_rules(), "sources": list(company_sources(company))}
    values |= process.calendar_vars()
    if rules := process.deal_exclusion_rules():
        values["deal_exclusions"] = rules
    if qualification := process.qualification_rules():
        values["qualification"] = qualification
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
