"""Where the dbt project is, and how a test runs it. No warehouse is made here (``conftest``)."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from dbt.cli.main import dbtRunner

from salesgauge.settings import PROJECT_ROOT

PROJECT = PROJECT_ROOT / "dbt_project"
PROCESS_FILE = PROJECT_ROOT / "demo" / "company" / "process.yml"


def run_dbt(warehouse: Path, target: Path, *arguments: str, values: dict[str, Any] | None = None) -> Any:
    """One dbt command; fails the test with dbt's own words where it does not succeed."""
    os.environ["SALESGAUGE_WAREHOUSE"] = str(warehouse)
    messages: list[str] = []
    runner = dbtRunner(
        callbacks=[lambda event: messages.append(event.info.msg) if event.info.level == "error" else None]
    )
    result = runner.invoke(
        [
            *arguments, "--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--target-path", str(target),
            "--log-path", str(target), "--log-level", "none", "--vars", json.dumps(values or {}),
        ]
    )  # fmt: skip
    assert result.success, "\n".join([*messages, str(result.exception or "")])
    return result.result
