"""May this warehouse be published? Gathers dbt's tests, the suites and the gate's own checks, and says in plain words what stops it.

What is expected of values belongs to the suites, the balances to ``quality.gate``; here is what follows from a failure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

import duckdb

from quality import crm_suites, mart_suites
from quality.gate import (
    NOT_PASSED,
    balances,
    dbt_check,
    emptied,
    names,
    nothing_loaded,
    quarantine,
    refused_files,
    same_data,
)
from quality.gx import SuiteRunner
from quality.results import AuditOutcome, Check, DbtTestResult, Failure
from quality.scores import write_checks, write_scores
from quality.suites import INVARIANT, MODEL_CHANGED
from quality.versions import current
from quality.volumes import VOLUMES, measure_volumes
from salesgauge.settings import Company


def audit(
    con: duckdb.DuckDBPyConnection,
    company: Company,
    *,
    as_of: datetime,
    dbt_results: Iterable[DbtTestResult | dict[str, Any] | Any],
) -> AuditOutcome:
    """Judge the working warehouse of ``con``; (re)creates ``quality.scores`` and ``quality.checks`` in it.

    ``as_of``: UTC, naive. ``dbt_results``: objects or mappings with the fields of :class:`DbtTestResult`. Blocking are: a dbt test of severity error
    that did not pass, an expectation of severity error that failed, a balance that does not close, too large a share of quarantine, a published table
    that is gone or has become empty. Nothing is raised for bad data; the outcome says it.
    """
    served = current(company)
    before = served.manifest if served else None
    volumes = measure_volumes(con, as_of=as_of, before=before, accepted=names(company, "accept_volume_drop"))
    scores = write_scores(con)
    checks = [
        *(dbt_check(DbtTestResult.of(result), con) for result in dbt_results),
        *_suite_checks(con),
        *balances(con),
        *nothing_loaded(con),
        *quarantine(con, company, before),
        *refused_files(con, company),
        *emptied(con, company, before),
    ]
    if same_data(con, before):
        checks = [replace(check, action=MODEL_CHANGED) if check.action == INVARIANT else check for check in checks]
    con.execute(f"drop table if exists {VOLUMES}")
    write_checks(con, checks)
    failures = _failures(check for check in checks if not check.passed and check.severity == "error")
    return AuditOutcome(passed=not failures, failures=failures, checks=tuple(checks), scores=scores, volumes=volumes)


def audit_checks() -> list[tuple[str, str]]:
    """Every suite and the table it is about, (suite name, 'schema.table'): what Dagster shows as asset checks."""
    suites = (*crm_suites.SUITES, *mart_suites.SUITES)
    return [*((suite.name, suite.table) for suite in suites), *crm_suites.REQUIRED_CHECKS]


def _suite_checks(con: duckdb.DuckDBPyConnection) -> list[Check]:
    runner = SuiteRunner(con)
    suites = [*crm_suites.SUITES, *crm_suites.required_field_suites(con), *mart_suites.SUITES]
    return [check for suite in suites for check in runner.run(suite)]


def dbt_failures(results: Iterable[DbtTestResult]) -> tuple[Failure, ...]:
    """What of dbt's results stops a publication, roots first."""
    checks = (dbt_check(result) for result in results)
    return _failures(check for check in checks if not check.passed and check.severity == "error")


def _failures(checks: Iterable[Check]) -> tuple[Failure, ...]:
    """The reasons, with all tests that dbt skipped as one: they only follow from what failed before them."""
    stopping = list(checks)
    skipped = [check for check in stopping if check.origin == "dbt" and check.observed == NOT_PASSED["skipped"]]
    reasons = [_failure(check) for check in stopping if check not in skipped]
    if skipped:
        tables = sorted({check.table for check in skipped})
        shown = ", ".join(tables[:5]) + (f" and {len(tables) - 5} more" if len(tables) > 5 else "")
        what = f"{len(skipped)} dbt {'test was' if len(skipped) == 1 else 'tests were'} not run"
        reasons.append(Failure(what, shown, None, "They come after a model or test that failed: correct that first."))
    return tuple(reasons)


def _failure(check: Check) -> Failure:
    what = f"{check.name}: {check.observed}, expected {check.expected}"
    if check.origin == "dbt":
        rule = f"{check.expected}: " if check.expected != "pass" else ""
        what = f"{rule}the dbt test {check.name} {check.observed}"
    if check.examples:
        separator = " | " if check.origin == "dbt" else ", "
        what += f"; e.g. {separator.join(check.examples)}"
    return Failure(what=what, where=check.table, count=check.failing_rows or None, action=check.action)
