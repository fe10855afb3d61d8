"""Where the dbt project is, and how a test runs it. No warehouse is made here (``conftest``)."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from dbt.cli.main import dbtRunner

from salesgauge.process import Process
from salesgauge.settings import PROJECT_ROOT

PROJECT = PROJECT_ROOT / "dbt_project"
PROCESS_FILE = PROJECT_ROOT / "demo" / "company" / "process.yml"


def run_dbt(bench: Path, *arguments: str, sources: list[str] | None = None) -> Any:
    """One dbt command on ``bench``/salesgauge.duckdb; fails the test with dbt's own words where it does not succeed.

    Commands with the same ``sources`` (default: those of the demo) have the same variables, so that dbt parses the project only once.
    """
    os.environ["SALESGAUGE_WAREHOUSE"] = str(bench / "salesgauge.duckdb")
    messages: list[str] = []
    runner = dbtRunner(
        callbacks=[lambda event: messages.append(event.info.msg) if event.info.level == "error" else None]
    )
    values: dict[str, Any] = {"exclusions": Process.load(PROCESS_FILE).exclusion_rules()}
    if sources is not None:
        values["sources"] = sources
    result = runner.invoke(
        [
            *arguments, "--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--target-path", str(bench),
            "--log-path", str(bench), "--log-level", "none", "--vars", json.dumps(values),
        ]
    )  # fmt: skip
    assert result.success, "\n".join([*messages, str(result.exception or "")])
    return result.result
