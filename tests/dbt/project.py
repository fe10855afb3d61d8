"""Where the dbt project is, and how a test runs it. No warehouse is made here (``conftest``)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchestration import transform
from orchestration.plan import Outcome
from salesgauge.process import Process
from salesgauge.settings import API_SOURCES, PROJECT_ROOT
from salesgauge.warehouse import connect

PROJECT = PROJECT_ROOT / "dbt_project"
PROCESS_FILE = PROJECT_ROOT / "demo" / "company" / "process.yml"
DEMO_SOURCES = ("hubspot", "ga4", "typeform")
# One set for tests of any other source: what dbt compiles for it is compiled once.
EVERY_SOURCE = tuple(API_SOURCES)


def variables(sources: Sequence[str] = DEMO_SOURCES) -> dict[str, Any]:
    """dbt's variables of a company with the demo's process file and ``sources``, as a run passes them."""
    process = Process.load(PROCESS_FILE)
    return {
        "exclusions": process.exclusion_rules(),
        "sources": list(sources),
        "qualification": process.qualification_rules(),
    }


def build(
    bench: Path,
    *select: str,
    exclude: Sequence[str] = (),
    sources: Sequence[str] = DEMO_SOURCES,
    more: Mapping[str, Any] | None = None,
    is_tested: bool = False,
) -> Outcome:
    """Build models on ``bench``/salesgauge.duckdb as a run does (:meth:`Plan.select` says how they are named); all must go well.

    Where ``is_tested``, the tests of models that are all there are run, and must pass or warn.
    """
    plan = transform.plan_of(variables(sources) | dict(more or {})).select(select, exclude)
    with connect(bench / "salesgauge.duckdb") as con:
        con.execute("set threads = 1")  # as a run does for little data
        there = {name for (name,) in con.execute("select table_name from information_schema.tables").fetchall()}
        there |= {model.name for model in plan.models}
        tests = (test for test in plan.tests if there.issuperset(one.split(".")[-1] for one in test.parents))
        outcome = replace(plan, tests=tuple(tests) if is_tested else ()).run(con)
    assert [model.message for model in outcome.models if model.status != "success"] == []
    wrong = [f"{test.name}: {test.message}" for test in outcome.tests if test.status not in ("pass", "warn")]
    assert not wrong, "; ".join(wrong)
    return outcome


def run_dbt(
    bench: Path, *arguments: str, sources: Sequence[str] = DEMO_SOURCES, more: Mapping[str, Any] | None = None
) -> Any:
    """One dbt command on ``bench``/salesgauge.duckdb; fails the test with dbt's own words where it does not succeed.

    Commands with the same ``sources`` have the same variables, so that dbt parses the project only once. ``more``: further variables.
    """
    before = os.environ.get("SALESGAUGE_WAREHOUSE")
    messages: list[str] = []
    values = variables(sources) | dict(more or {})
    try:
        result = transform.parse(values)
        if result.success:
            result = transform.invoke(
                [*arguments, "--vars", json.dumps(values)],
                warehouse=bench / "salesgauge.duckdb",
                target=bench / "target",
                manifest=result.result,
                callbacks=[lambda event: messages.append(event.info.msg) if event.info.level == "error" else None],
            )
    finally:
        if before is None:
            os.environ.pop("SALESGAUGE_WAREHOUSE", None)
        else:
            os.environ["SALESGAUGE_WAREHOUSE"] = before
    assert result.success, "\n".join([*messages, str(result.exception or "")])
    return result.result
